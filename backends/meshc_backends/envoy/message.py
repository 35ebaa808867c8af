"""Envoy's configuration messages as JSON values (the JSON mapping of protobuf 3), keys in reading order."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

Message: TypeAlias = dict[str, Any]
"""One protobuf message: field names to JSON values. The order in which a message is built is the order of its text."""

_NANOSECONDS = 1_000_000_000
UNLIMITED = 4_294_967_295
"""The greatest uint32: how Envoy is told that a bound does not apply."""


def typed(type_name: str, **fields: Any) -> Message:
    """Return the fields as a `google.protobuf.Any` of the message type, for instance `envoy.config.rbac.v3.RBAC`."""
    return {"@type": f"type.googleapis.com/{type_name}", **fields}


def duration(nanoseconds: int) -> str:
    """Return a `google.protobuf.Duration`, exact to the nanosecond, with no more digits than needed."""
    seconds, rest = divmod(nanoseconds, _NANOSECONDS)
    return f"{seconds}.{rest:09d}".rstrip("0") + "s" if rest else f"{seconds}s"


def percent_of_millionths(millionths: int) -> float:
    """Return millionths as a percentage; exact for what a program can write (at most four decimals)."""
    return millionths / 10_000


def encode(message: Message) -> bytes:
    """Return the message's text: the same value gives the same bytes."""
    return (json.dumps(message, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode()
