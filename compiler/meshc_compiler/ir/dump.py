"""The mesh as canonical JSON: for goldens, for digests, for people who want to see it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any

from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import PathRegex, PathTemplate
from meshc_compiler.ir.mesh import Mesh
from meshc_lang.request import Request
from meshc_lang.source import Span

_UNIONS = frozenset(
    {
        "AllOf",
        "Always",
        "AnyCaller",
        "AnyOf",
        "AttributeMatches",
        "AttributeOneOf",
        "AttributePresent",
        "CallerIn",
        "ExpectAllowed",
        "ExpectDenied",
        "ExpectRetries",
        "ExpectRouted",
        "HeaderMatches",
        "ExpectRule",
        "ExpectSettings",
        "HeaderOneOf",
        "HeaderPresent",
        "EdgeAllOf",
        "EdgeAnyOf",
        "EdgeCompare",
        "EdgeNot",
        "EdgePresent",
        "EveryEdge",
        "MetricBound",
        "MutualTls",
        "Never",
        "NeverChain",
        "Not",
        "Only",
        "PlaintextCaller",
        "Redirect",
        "Respond",
        "TheseCallers",
    }
)
"""The members of closed unions: their kind must be said."""


_LINE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True)


def dump_mesh(mesh: Mesh, *, spans: bool = False) -> str:
    """Return the mesh as indented JSON with a line end: equal meshes, equal text.

    Fields that hold nothing are left out. With `spans` each part says where it was written, as `file:line:column`.
    """
    return json.dumps(_value(mesh, spans), indent=2, ensure_ascii=False) + "\n"


def mesh_digest(mesh: Mesh) -> str:
    """Return the SHA-256 (hexadecimal) of what the mesh says; where it was written does not count."""
    return digest_of(mesh)


def digest_of(part: object) -> str:
    """Return the SHA-256 (hexadecimal) of any part of the IR, for example a workload's slice."""
    return hashlib.sha256(canonical_text(part).encode()).hexdigest()


def record_text(mesh: Mesh) -> str:
    """Return the mesh as JSON of which each line is a whole part: a rule, a service, a route. Equal meshes, equal text.

    So what one edit changes can be put in the place of what was there (`record_lines`). `ir.record` reads it.
    """
    lines = []
    for name, held in _record(mesh, False).items():
        if isinstance(held, list):
            parts = ",\n".join([_LINE.encode(one) for one in held])
            lines.append(f'"{name}":[\n{parts}\n]')
        else:
            lines.append(f'"{name}":{_LINE.encode(held)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def canonical_text(part: object) -> str:
    """Return a part of the IR as one line of ASCII: what digests are made of. `ir.record` reads a mesh back from it."""
    return _LINE.encode(_value(part, False))


def _value(value: Any, spans: bool) -> Any:
    kind = type(value)
    if kind is str or kind is int or kind is bool:  # nearly all
        return value
    if kind is tuple:
        return [_value(item, spans) for item in value]
    match value:
        case None | bool() | int() | str() if not isinstance(value, Enum):
            return value
        case Enum():
            return value.value if isinstance(value, str) else value.name.lower()
        case Span():
            return f"{value} ({', '.join(value.notes)})" if value.notes else str(value)
        case SpiffeId() | PathTemplate() | PathRegex():
            return str(value)
        case Request():
            return value.text
        case tuple():
            return [_value(item, spans) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return _record(value, spans)
    raise TypeError(f"the IR has no {type(value).__name__}")


def _record(value: Any, spans: bool) -> dict[str, Any]:
    kind = type(value)
    record: dict[str, Any] = {"kind": kind.__name__} if kind.__name__ in _UNIONS else {}
    for name in _field_names(kind, spans):  # type: ignore[arg-type]
        held = getattr(value, name)
        if held is None or (held == () and name != "segments"):
            continue
        written = _value(held, spans)
        if written != {}:
            record[name] = written
    return record


@cache
def _field_names(kind: type, spans: bool) -> tuple[str, ...]:
    # The place comes first, so that it is read before what stands there.
    return tuple(_origin_first(field.name for field in fields(kind) if spans or not field.name.endswith("origin")))


def _origin_first(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: name != "origin")
