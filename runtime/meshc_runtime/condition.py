"""Conditions on headers, compiled from the snapshot to functions of a request's headers.

A header's members are its lines split at commas, each without one leading space at most; names fold case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import assert_never

from meshc_runtime.snapshot import (
    AllConditions,
    AnyCondition,
    Condition,
    HeaderEquals,
    HeaderOneOf,
    HeaderPresent,
    NotCondition,
)

Headers = Mapping[str, Sequence[bytes]]
"""Lower-case header name to the values of its lines, in order, without surrounding blanks."""

Predicate = Callable[[Headers], bool]


def header_members(lines: Sequence[bytes]) -> list[bytes]:
    """The members of a header from its lines."""
    return [member.removeprefix(b" ") for line in lines for member in line.split(b",")]


def compile_condition(condition: Condition) -> Predicate:
    """The function that says whether a request's headers satisfy the condition."""
    match condition:
        case AllConditions():
            parts = tuple(compile_condition(part) for part in condition.of)
            return lambda headers: all(part(headers) for part in parts)
        case AnyCondition():
            options = tuple(compile_condition(part) for part in condition.of)
            return lambda headers: any(option(headers) for option in options)
        case NotCondition():
            inner = compile_condition(condition.of)
            return lambda headers: not inner(headers)
        case HeaderPresent():
            present = condition.name
            return lambda headers: present in headers
        case HeaderEquals():
            return _has_member(condition.name, frozenset((condition.value.encode(),)))
        case HeaderOneOf():
            return _has_member(condition.name, frozenset(value.encode() for value in condition.values))
        case _:
            assert_never(condition)


def _has_member(name: str, wanted: frozenset[bytes]) -> Predicate:
    def test(headers: Headers) -> bool:
        lines = headers.get(name)
        return lines is not None and not wanted.isdisjoint(header_members(lines))

    return test
