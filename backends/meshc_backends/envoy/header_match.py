"""Header conditions: members of a header's value found by comparing strings, never by expressions.

Envoy's expressions failed open on bytes above 0x7F in negative rules (CVE-2026-73552), and comparing is cheaper. A
member `v` of a comma-separated value is one of six shapes of the whole: `v`, `v,…`, `…,v`, `…, v`, `…,v,…`, `…, v,…`.
They are the same whether Envoy looks at each line (authorisation, since CVE-2026-26308) or at the lines joined by
commas (routes).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias, assert_never

from meshc_backends.carried import NotCarriedError
from meshc_backends.envoy.message import Message
from meshc_compiler.ir.match import (
    AllOf,
    AnyOf,
    AttributeMatches,
    AttributeOneOf,
    AttributePresent,
    CallerIn,
    Condition,
    HeaderMatches,
    HeaderOneOf,
    HeaderPresent,
    Not,
)


def member_string_matches(value: str) -> tuple[Message, ...]:
    """Return the `StringMatcher`s of which one matches a header's value exactly if `value` is a member of it.

    One leading space of a member does not count, and lines come without space around them. So a value that itself
    begins with a space is only found after a comma and another space.
    """
    after_space: tuple[Message, ...] = ({"suffix": f", {value}"}, {"contains": f", {value},"})
    if value.startswith(" "):
        return after_space
    return (
        {"exact": value},
        {"prefix": f"{value},"},
        {"suffix": f",{value}"},
        {"contains": f",{value},"},
        *after_space,
    )


def condition_permission(condition: Condition) -> Message:
    """Return the condition as an RBAC `Permission`."""
    match condition:
        case HeaderPresent(name):
            return {"header": {"name": name, "present_match": True}}
        case HeaderOneOf(name, values):
            return any_of(
                {"header": {"name": name, "string_match": matcher}}
                for value in values
                for matcher in member_string_matches(value)
            )
        case AllOf(operands):
            return all_of(condition_permission(operand) for operand in operands)
        case AnyOf(operands):
            return any_of(condition_permission(operand) for operand in operands)
        case Not(operand):
            return {"not_rule": condition_permission(operand)}
        case HeaderMatches() | AttributePresent() | AttributeOneOf() | AttributeMatches() | CallerIn():
            raise NotCarriedError(condition)
        case _:
            assert_never(condition)


def all_of(permissions: Iterable[Message]) -> Message:
    """Return the permission that holds if all do; of none, always."""
    operands = list(permissions)
    if not operands:
        return {"any": True}
    return operands[0] if len(operands) == 1 else {"and_rules": {"rules": operands}}


def any_of(permissions: Iterable[Message]) -> Message:
    """Return the permission that holds if any does; of none, never."""
    operands = list(permissions)
    if not operands:
        return {"not_rule": {"any": True}}
    return operands[0] if len(operands) == 1 else {"or_rules": {"rules": operands}}


HeaderMatchers: TypeAlias = tuple[Message, ...]
"""`HeaderMatcher`s that must all match: what one route of Envoy's can say about headers."""

ROUTES_AT_MOST = 512
"""How many of Envoy's routes one rule may become."""


class TooWideError(ValueError):
    """A condition would need more than `ROUTES_AT_MOST` routes."""


def route_header_matches(condition: Condition | None) -> tuple[HeaderMatchers, ...]:
    """Return lists of header matchers of which one holds exactly if the condition does (disjunctive normal form).

    Envoy's routes know only "all of these headers"; each list becomes a route of its own.

    Raises:
        TooWideError: the condition has more than `ROUTES_AT_MOST` such lists.
    """
    return ((),) if condition is None else _alternatives(condition, wanted=True)


def _alternatives(condition: Condition, *, wanted: bool) -> tuple[HeaderMatchers, ...]:
    match condition:
        case Not(operand):
            return _alternatives(operand, wanted=not wanted)
        case AllOf(operands):
            parts = [_alternatives(operand, wanted=wanted) for operand in operands]
            return _conjunction(parts) if wanted else _disjunction(parts)
        case AnyOf(operands):
            parts = [_alternatives(operand, wanted=wanted) for operand in operands]
            return _disjunction(parts) if wanted else _conjunction(parts)
        case HeaderPresent(name):
            return (({"name": name, "present_match": wanted},),)
        case HeaderOneOf(name, values):
            return _member_alternatives(name, values, wanted=wanted)
        case HeaderMatches() | AttributePresent() | AttributeOneOf() | AttributeMatches() | CallerIn():
            raise NotCarriedError(condition)
        case _:
            assert_never(condition)


def _member_alternatives(name: str, values: tuple[str, ...], *, wanted: bool) -> tuple[HeaderMatchers, ...]:
    matchers = [matcher for value in values for matcher in member_string_matches(value)]
    if wanted:
        return tuple(({"name": name, "string_match": matcher},) for matcher in matchers)
    # An absent header has no members. Envoy ignores matchers of absent headers unless it is told to take the value
    # as empty, which in turn would be the member "".
    if "" not in values:
        missing = {"treat_missing_header_as_empty": True}
        return (tuple({"name": name, "string_match": m, "invert_match": True, **missing} for m in matchers),)
    return (
        ({"name": name, "present_match": False},),
        tuple({"name": name, "string_match": matcher, "invert_match": True} for matcher in matchers),
    )


def _disjunction(parts: list[tuple[HeaderMatchers, ...]]) -> tuple[HeaderMatchers, ...]:
    return _bounded([alternative for part in parts for alternative in part])


def _conjunction(parts: list[tuple[HeaderMatchers, ...]]) -> tuple[HeaderMatchers, ...]:
    result: tuple[HeaderMatchers, ...] = ((),)
    for part in parts:
        if len(result) * len(part) > ROUTES_AT_MOST:
            raise TooWideError
        result = _bounded([left + right for left in result for right in part])
    return result


def _bounded(alternatives: list[HeaderMatchers]) -> tuple[HeaderMatchers, ...]:
    if len(alternatives) > ROUTES_AT_MOST:
        raise TooWideError
    return tuple(alternatives)


def header_names(condition: Condition | None) -> frozenset[str]:
    """Return the names of the headers that the condition looks at."""
    match condition:
        case None:
            return frozenset()
        case HeaderPresent(name) | HeaderOneOf(name, _):
            return frozenset({name})
        case AllOf(operands) | AnyOf(operands):
            return frozenset().union(*(header_names(operand) for operand in operands))
        case Not(operand):
            return header_names(operand)
        case HeaderMatches(name):
            return frozenset({name})
        case AttributePresent() | AttributeOneOf() | AttributeMatches() | CallerIn():
            return frozenset()
        case _:
            assert_never(condition)
