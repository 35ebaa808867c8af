"""Conditions as formulas: what they ask, and what is left of one when some of its questions are answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias, assert_never

from meshc_compiler.ir.caller import AnyCaller, Callers, PlaintextCaller, TheseCallers, includes
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import (
    AllOf,
    AnyOf,
    AttributeKind,
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

Question: TypeAlias = (
    HeaderPresent | HeaderOneOf | HeaderMatches | AttributePresent | AttributeOneOf | AttributeMatches | CallerIn
)
"""A condition that is not made of others."""


def questions(condition: Condition | None) -> Iterator[Question]:
    """Yield the questions that a condition asks, in the order written."""
    match condition:
        case None:
            return
        case AllOf(operands) | AnyOf(operands):
            for operand in operands:
                yield from questions(operand)
        case Not(operand):
            yield from questions(operand)
        case _:
            yield condition


def is_about_requests(condition: Condition | None) -> bool:
    """Tell whether a condition asks anything but who calls: what only a request can show."""
    return any(not isinstance(question, CallerIn) for question in questions(condition))


def is_about_callers(condition: Condition | None) -> bool:
    """Tell whether a condition asks who calls."""
    return any(isinstance(question, CallerIn) for question in questions(condition))


def is_about_claims(condition: Condition | None) -> bool:
    """Tell whether a condition asks for claims of a token."""
    return any(is_claim(question) for question in questions(condition))


def is_claim(question: Question) -> bool:
    """Tell whether a question is one about a claim."""
    return (
        isinstance(question, AttributePresent | AttributeOneOf | AttributeMatches)
        and question.kind is AttributeKind.CLAIM
    )


def settled(condition: Condition, answer: Callable[[Question], bool | None]) -> Condition | bool:
    """Return what is left of a condition when some questions are answered (None: this one is not), or its truth."""
    match condition:
        case AllOf(operands) | AnyOf(operands):
            deciding = isinstance(condition, AnyOf)
            left: list[Condition] = []
            for operand in operands:
                part = settled(operand, answer)
                if part is deciding:
                    return deciding
                if not isinstance(part, bool):
                    left.append(part)
            if not left:
                return not deciding
            if len(left) == 1:
                return left[0]
            return condition if tuple(left) == operands else type(condition)(tuple(left))
        case Not(operand):
            inner = settled(operand, answer)
            return not inner if isinstance(inner, bool) else condition if inner is operand else Not(inner)
        case _:
            known = answer(condition)
            return condition if known is None else known


def settled_for(condition: Condition, caller: SpiffeId | None) -> Condition | bool:
    """Return what is left of a condition when it is known who calls; None stands for a call without an identity."""
    return settled(condition, lambda asked: includes(asked.callers, caller) if isinstance(asked, CallerIn) else None)


def split_by_caller(callers: Callers, condition: Condition) -> tuple[tuple[Callers, Condition | None], ...]:
    """Return callers and a condition as parts of which no condition asks who calls; together they say the same.

    No two parts have a caller in common. Parts that never hold are left out.
    """
    if not is_about_callers(condition):
        return ((callers, condition),)
    match callers:
        case PlaintextCaller():
            left = settled_for(condition, None)
            return () if left is False else ((callers, None if left is True else left),)
        case TheseCallers(ids):
            return tuple((TheseCallers(part), left) for left, part in _by_rest(ids, condition).items())
        case AnyCaller(besides):
            named = {
                identity
                for asked in questions(condition)
                if isinstance(asked, CallerIn) and isinstance(asked.callers, TheseCallers)
                for identity in asked.callers.ids
            }
            parts = _by_rest(tuple(sorted(named.difference(besides))), condition)
            others = settled(condition, _for_others)
            split: list[tuple[Callers, Condition | None]] = []
            if others is not False:
                rest = None if others is True else others
                same = parts.pop(rest, ())
                apart = tuple(sorted(named.union(besides).difference(same)))
                split.append((AnyCaller(apart), rest))
            split += [(TheseCallers(part), left) for left, part in parts.items()]
            return tuple(split)
        case _:
            assert_never(callers)


def _by_rest(ids: tuple[SpiffeId, ...], condition: Condition) -> dict[Condition | None, tuple[SpiffeId, ...]]:
    """Return the identities by what is left of the condition for each; those of whom it never holds are left out."""
    parts: dict[Condition | None, tuple[SpiffeId, ...]] = {}
    for identity in ids:
        left = settled_for(condition, identity)
        if left is not False:
            key = None if left is True else left
            parts[key] = (*parts.get(key, ()), identity)
    return parts


def _for_others(asked: Question) -> bool | None:
    """Answer who calls for an identity that no condition names."""
    return isinstance(asked.callers, AnyCaller) if isinstance(asked, CallerIn) else None
