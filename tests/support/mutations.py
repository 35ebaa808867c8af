"""Every small change of a JSON value: what is left out, put twice, swapped, negated, made greater or other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]
"""Where in a value: keys and places of lists."""


def mutations(value: Any, place: Path = ()) -> Iterator[tuple[Path, str, Any]]:
    """Yield each change: where, what was done, and the changed value as a whole."""
    for path, what, changed in _own(value, place):
        yield path, what, changed
    match value:
        case dict():
            for key, inner in value.items():
                for path, what, changed in mutations(inner, (*place, key)):
                    yield path, what, {**value, key: changed}
        case list():
            for number, inner in enumerate(value):
                for path, what, changed in mutations(inner, (*place, number)):
                    yield path, what, [*value[:number], changed, *value[number + 1 :]]


def _own(value: Any, place: Path) -> Iterator[tuple[Path, str, Any]]:
    match value:
        case dict():
            for key in value:
                yield (*place, key), "left out", {name: inner for name, inner in value.items() if name != key}
        case list():
            for number in range(len(value)):
                yield (*place, number), "left out", [*value[:number], *value[number + 1 :]]
            for number in range(len(value) - 1):
                if value[number] != value[number + 1]:
                    swapped = [*value[:number], value[number + 1], value[number], *value[number + 2 :]]
                    yield (*place, number), "swapped", swapped
        case bool():
            yield place, "negated", not value
        case int():
            yield place, "greater", value + 1
            if value > 1:
                yield place, "less", value - 1
        case str():
            yield place, "other", _other(value)


def _other(text: str) -> str:
    if text.endswith("s") and text[:-1].replace(".", "", 1).isdigit():
        return f"{float(text[:-1]) + 1:g}s"
    return _NAMED.get(text, f"{text}x")


_NAMED = {
    "ALLOW": "DENY",
    "DENY": "ALLOW",
    "ROUND_ROBIN": "RANDOM",
    "RANDOM": "ROUND_ROBIN",
    "LEAST_REQUEST": "ROUND_ROBIN",
    "RING_HASH": "ROUND_ROBIN",
    "MILLION": "HUNDRED",
    "HUNDRED": "MILLION",
    "REJECT_REQUEST": "ALLOW",
    "GET": "POST",
    "URI": "DNS",
    "DNS": "URI",
    "TLSv1_2": "TLSv1_1",
    "TLSv1_3": "TLSv1_2",
    "STRICT_DNS": "STATIC",
    "STATIC": "STRICT_DNS",
    "SANITIZE_SET": "FORWARD_ONLY",
    "SANITIZE": "FORWARD_ONLY",
}
