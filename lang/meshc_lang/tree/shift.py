"""A tree, comment or diagnostic as it stands elsewhere: the same, with its spans moved into another text."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from meshc_lang.codes.code import Code
from meshc_lang.source import SourceText, Span

__all__ = ["shifted"]

T = TypeVar("T")

_FIELDS: dict[type, tuple[str, ...]] = {}
"""The fields of each class that is copied; a class without any is taken as it is."""


def shifted(value: T, source: SourceText, by: int) -> T:
    """Return a value with all its spans, however deep, moved by so many characters and into `source`."""
    moved: T = _shifted(value, source, by)
    return moved


def _shifted(value: Any, source: SourceText, by: int) -> Any:
    kind = type(value)
    if kind is Span:
        return Span(source, value.start + by, value.end + by)
    if kind is tuple:
        return tuple([_shifted(item, source, by) for item in value]) if value else value
    names = _FIELDS.get(kind)
    if names is None:
        names = _FIELDS[kind] = _fields(kind)
    if not names:
        return value
    copy = object.__new__(kind)
    for name in names:
        # Nodes are frozen once they are made, and this one is being made.
        object.__setattr__(copy, name, _shifted(getattr(value, name), source, by))
    return copy


def _fields(kind: type) -> tuple[str, ...]:
    """Return the fields of a class of values that have a place, or hold some that have; codes and texts have none."""
    if kind in (Code, SourceText) or not dataclasses.is_dataclass(kind):
        return ()
    return tuple(field.name for field in dataclasses.fields(kind))
