"""Header conditions as Envoy's matchers, read back by Envoy's own rules and compared with what the program means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshc_backends.envoy.header_match import (
    ROUTES_AT_MOST,
    TooWideError,
    condition_permission,
    header_names,
    route_header_matches,
)
from meshc_compiler.ir.match import AllOf, AnyOf, Condition, HeaderOneOf, HeaderPresent, Not

unhurried = settings(deadline=None)

Headers = dict[str, list[str]]

NAMES = ("x-a", "x-b")
values = st.sampled_from(["", "v", "w", "vw", " v", "v v"])
lines = st.lists(st.sampled_from([*"vw, ", "vw", ", "]), max_size=6).map(lambda pieces: "".join(pieces).strip(" "))
headers = st.dictionaries(st.sampled_from(NAMES), st.lists(lines, min_size=1, max_size=3))
leaves = st.one_of(
    st.builds(HeaderPresent, st.sampled_from(NAMES)),
    st.builds(HeaderOneOf, st.sampled_from(NAMES), st.lists(values, min_size=1, max_size=2, unique=True).map(tuple)),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(AllOf, st.lists(inner, min_size=1, max_size=2).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=1, max_size=2).map(tuple)),
    ),
    max_leaves=3,
)


def holds(condition: Condition, sent: Headers) -> bool:
    """The meaning, word by word."""
    match condition:
        case HeaderPresent(name):
            return name in sent
        case HeaderOneOf(name, wanted):
            members = [piece.removeprefix(" ") for line in sent.get(name, []) for piece in line.split(",")]
            return any(member in wanted for member in members)
        case AllOf(operands):
            return all(holds(operand, sent) for operand in operands)
        case AnyOf(operands):
            return any(holds(operand, sent) for operand in operands)
        case Not(operand):
            return not holds(operand, sent)
    raise AssertionError(condition)


def string_matches(matcher: dict[str, Any], text: str) -> bool:
    [(kind, value)] = matcher.items()
    assert value or kind == "exact", "Envoy takes no empty prefix, suffix or part"
    tests: dict[str, Callable[[str], bool]] = {
        "exact": lambda wanted: text == wanted,
        "prefix": text.startswith,
        "suffix": text.endswith,
        "contains": lambda wanted: wanted in text,
    }
    return tests[kind](value)


def permission_holds(permission: dict[str, Any], sent: Headers) -> bool:
    """RBAC looks at each line of a header."""
    match permission:
        case {"and_rules": {"rules": rules}}:
            return all(permission_holds(rule, sent) for rule in rules)
        case {"or_rules": {"rules": rules}}:
            return any(permission_holds(rule, sent) for rule in rules)
        case {"not_rule": rule}:
            return not permission_holds(rule, sent)
        case {"header": {"name": name, "present_match": True}}:
            return name in sent
        case {"header": {"name": name, "string_match": matcher}}:
            return any(string_matches(matcher, line) for line in sent.get(name, []))
    raise AssertionError(permission)


def route_header_holds(matcher: dict[str, Any], sent: Headers) -> bool:
    """Routes look at the lines joined by commas, and take an absent header for no match unless told otherwise."""
    name = matcher["name"]
    if "present_match" in matcher:
        return (name in sent) is bool(matcher["present_match"])
    if name not in sent and not matcher.get("treat_missing_header_as_empty", False):
        return False
    text = ",".join(sent.get(name, []))
    return string_matches(matcher["string_match"], text) != bool(matcher.get("invert_match", False))


@unhurried
@given(conditions, headers)
def test_rules_mean_the_condition(condition: Condition, sent: Headers) -> None:
    assert permission_holds(condition_permission(condition), sent) == holds(condition, sent)


@unhurried
@given(conditions, headers)
def test_routes_mean_the_condition(condition: Condition, sent: Headers) -> None:
    try:
        alternatives = route_header_matches(condition)
    except TooWideError:
        return
    assert any(all(route_header_holds(m, sent) for m in matchers) for matchers in alternatives) == holds(
        condition, sent
    )


@unhurried
@given(conditions)
def test_no_expressions(condition: Condition) -> None:
    assert "regex" not in str(condition_permission(condition))


def test_no_condition_is_one_alternative_without_matchers() -> None:
    assert route_header_matches(None) == ((),)


def test_a_condition_that_would_take_too_many_routes_is_not_cut() -> None:
    wide = AllOf(tuple(HeaderOneOf(f"x-{number}", ("a", "b", "c")) for number in range(4)))
    with pytest.raises(TooWideError):
        route_header_matches(wide)
    assert len(route_header_matches(Not(wide))) <= ROUTES_AT_MOST


def test_names() -> None:
    condition = AllOf((HeaderPresent("x-a"), Not(AnyOf((HeaderOneOf("x-b", ("1",)), HeaderPresent("x-c"))))))
    assert header_names(condition) == {"x-a", "x-b", "x-c"}
    assert header_names(None) == frozenset()
