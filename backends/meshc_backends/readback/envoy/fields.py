"""Fields of Envoy's messages: a field that a reader does not name is an error, never passed over."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from meshc_backends.readback.unread import UnreadError

Message: TypeAlias = dict[str, Any]
"""One message in the JSON mapping of protobuf 3."""

_DURATION = re.compile(r"([0-9]+)(?:\.([0-9]{1,9}))?s\Z")
_PARTS = {"HUNDRED": 100, "TEN_THOUSAND": 10_000, "MILLION": 1_000_000}
_TYPES = "type.googleapis.com/"


def known(message: object, place: str, fields: frozenset[str]) -> Message:
    """Return a message of which every field is among those that the reader knows."""
    if not isinstance(message, dict):
        raise UnreadError(place, f"`{message}` where a message should stand")
    if not message.keys() <= fields:
        raise UnreadError(place, f"the field `{min(message.keys() - fields)}`")
    return message


def items(message: Message, field: str, place: str) -> list[Any]:
    """Return a repeated field; nothing where it is left out."""
    value = message.get(field, [])
    if not isinstance(value, list):
        raise UnreadError(place, f"`{field}` that is no list")
    return value


def type_of(message: object, place: str) -> str:
    """Return the type of an `Any` without the address before it."""
    if not isinstance(message, dict) or not isinstance(named := message.get("@type"), str):
        raise UnreadError(place, "a message without a type")
    return named.removeprefix(_TYPES)


def typed(message: object, name: str, place: str, fields: frozenset[str]) -> Message:
    """Return an `Any` of the type."""
    found = type_of(message, place)
    if found != name:
        raise UnreadError(place, f"a message of the type `{found}`")
    return known(message, place, fields)


def fixed(message: Message, place: str, **values: object) -> None:
    """Fail unless each field, where it is there, has the one value that the reader knows the meaning of."""
    for field, value in values.items():
        if field in message and message[field] != value:
            raise UnreadError(place, f"`{field}` of {message[field]!r}")


def text(message: Message, field: str, place: str) -> str:
    """Return a field that must be there as a text."""
    value = message.get(field)
    if not isinstance(value, str):
        raise UnreadError(place, f"`{field}` of {value!r}")
    return value


def whole(message: Message, field: str, place: str, default: int) -> int:
    """Return a field as a number, or what Envoy takes where it is left out."""
    value = message.get(field, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UnreadError(place, f"`{field}` of {value!r}")
    return value


def flag(message: Message, field: str, place: str, *, default: bool = False) -> bool:
    """Return a field as yes or no, or what Envoy takes where it is left out."""
    value = message.get(field, default)
    if not isinstance(value, bool):
        raise UnreadError(place, f"`{field}` of {value!r}")
    return value


def nanoseconds(message: Message, field: str, place: str, default: int | None) -> int | None:
    """Return a `google.protobuf.Duration`; 0, by which Envoy sets no bound, is None."""
    value = message.get(field)
    if value is None:
        return default
    found = _DURATION.match(value) if isinstance(value, str) else None
    if found is None:
        raise UnreadError(place, f"`{field}` of {value!r}")
    return int(found[1]) * 1_000_000_000 + int((found[2] or "").ljust(9, "0")) or None


def millionths(message: object, place: str) -> int:
    """Return an `envoy.type.v3.FractionalPercent` as millionths; a hundredth is its unit where it says none."""
    fraction = known(message, place, frozenset({"numerator", "denominator"}))
    whole_ = _PARTS.get(fraction.get("denominator", "HUNDRED"))
    if whole_ is None:
        raise UnreadError(place, f"a denominator of {fraction['denominator']!r}")
    return min(whole(fraction, "numerator", place, 0) * (1_000_000 // whole_), 1_000_000)


def only_field(message: object, place: str) -> tuple[str, Any]:
    """Return the one field of a message of which exactly one is there."""
    if not isinstance(message, dict) or len(message) != 1:
        raise UnreadError(place, f"not one field but {sorted(message) if isinstance(message, dict) else message!r}")
    return next(iter(message.items()))
