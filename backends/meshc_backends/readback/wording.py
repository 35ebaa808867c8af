"""Values of policies as people read them, and the fields in which two differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import Any

from meshc_backends.readback.formula import Callers
from meshc_lang.units import print_duration


def unequal_fields(before: Any, after: Any, name: str) -> Iterator[tuple[str, str, str]]:
    """Yield the fields in which two values differ: name, and both as text."""
    if is_dataclass(before) and type(before) is type(after):
        for one in fields(before):
            if one.compare:
                left, right = getattr(before, one.name), getattr(after, one.name)
                if left != right:
                    yield from unequal_fields(left, right, f"{name}.{one.name}" if name else one.name)
    else:
        yield name, show(before, name), show(after, name)


def show(value: object, name: str = "") -> str:
    """Return a value as people read it."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int() if name.endswith("_ns"):
            return print_duration(value)
        case Fraction():
            return f"{float(value * 100):g}%"
        case frozenset():
            return ", ".join(sorted(show(one) for one in value)) or "none"
        case tuple():
            if name.endswith("_ns"):
                return " to ".join(show(one, "_ns") for one in value)
            return ":".join(show(one) for one in value) or "none"
        case Callers(named, others):
            return ("all but " if others else "") + (", ".join(sorted(named)) or "nobody")
        case _ if is_dataclass(value):
            parts = (f"{one.name} {show(getattr(value, one.name), one.name)}" for one in fields(value) if one.compare)
            return " ".join(parts)
        case _:
            return str(value)
