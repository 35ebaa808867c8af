"""A mesh read back from its text, as `dump.record_text` or `canonical_text` writes it, but for asserts and tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import PathRegex, PathTemplate, Segment, SegmentKind
from meshc_compiler.ir.mesh import Mesh
from meshc_compiler.ir.setting import Setting

_PASSED_OVER = ("assertions", "examples")
"""What a program promises and shows of itself; no request fares otherwise because of it."""

_CLASSES = {f"{{id:{kind}}}": Segment(kind) for kind in (SegmentKind.INT, SegmentKind.UUID, SegmentKind.SLUG)} | {
    "*": Segment(SegmentKind.ANY),
    "**": Segment(SegmentKind.REST),
}

_Read = Callable[[Any], Any]


class UnreadableRecordError(Exception):
    """The text is no mesh that this compiler knows to read."""


def read_record(text: bytes | str) -> Mesh:
    """Return the mesh of a canonical text, without asserts, tests and places.

    Raises:
        UnreadableRecordError: it is the text of no mesh, or of one with parts that are not known here.
    """
    try:
        record = json.loads(text)
        for name in _PASSED_OVER:
            record.pop(name, None)
        mesh = _reader(Mesh)(record)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnreadableRecordError(str(error)) from error
    if not isinstance(mesh, Mesh):
        raise UnreadableRecordError("no mesh")
    return mesh


@cache
def _reader(hint: Any) -> _Read:
    """Return what reads a value of a type; it is made when it is first needed, since types contain each other."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _of_union(get_args(hint))
    if origin is tuple:
        return _of_tuple(get_args(hint))
    if origin is Setting:
        return _of_record(Setting, get_args(hint)[0])
    if hint is SpiffeId:
        return _spiffe_id
    if hint in (PathTemplate, PathRegex):
        return _path
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _of_enum(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return _of_record(hint, None)
    if hint in (int, str, bool):
        return _plain(hint)
    raise TypeError(f"the record has no {hint}")


def _plain(kind: type) -> _Read:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"{value!r} is no {kind.__name__}")
        return value

    return read


def _of_enum(kind: type[Enum]) -> _Read:
    # Texts stand there by their value, all else by its name (`dump._value`).
    members = {one.value if isinstance(one, str) else one.name.lower(): one for one in kind}
    return lambda value: members[value]


def _of_tuple(parts: tuple[Any, ...]) -> _Read:
    if len(parts) == 2 and parts[1] is Ellipsis:
        one = _late(parts[0])
        return lambda value: tuple(map(one, _listed(value)))
    readers = tuple(map(_late, parts))
    return lambda value: tuple(read(item) for read, item in zip(readers, _listed(value), strict=True))


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is no list")
    return value


def _of_union(parts: tuple[Any, ...]) -> _Read:
    members = [part for part in parts if part is not type(None)]
    if len(members) == 1 or all(member in (PathTemplate, PathRegex) for member in members):
        return _late(members[0])
    by_kind = {member.__name__: _late(member) for member in members}
    # One with a `kind` of its own (of a claim, a cookie, a query) is told by its fields.
    by_fields = {frozenset(one.name for one in fields(member)): _late(member) for member in members}

    def read(value: Any) -> Any:
        own = by_kind.get(value["kind"])
        return (by_fields[frozenset(value)] if own is None else own)(value)

    return read


def _late(hint: Any) -> _Read:
    """A condition holds conditions: its reader is looked up once it is called."""
    return lambda value: _reader(hint)(value)


def _of_record(kind: type, argument: Any) -> _Read:
    hints = get_type_hints(kind)
    readers: dict[str, _Read] = {}
    defaults: dict[str, Any] = {}
    bare: list[str] = []
    for one in fields(kind):
        if one.name.endswith("origin") or not one.init:
            continue
        hint = argument if isinstance(hints[one.name], TypeVar) else hints[one.name]
        readers[one.name] = _late(hint)
        # What holds nothing is left out of the text.
        if one.default is MISSING and get_origin(hint) is tuple:
            defaults[one.name] = ()
        elif one.default is MISSING and hint is not argument and type(None) in get_args(hint):
            defaults[one.name] = None
        elif one.default is MISSING and isinstance(hint, type) and is_dataclass(hint):
            bare.append(one.name)

    def read(value: Any) -> Any:
        held = {name: readers[name](item) for name, item in value.items() if name != "kind" or "kind" in readers}
        held.update((name, readers[name]({})) for name in bare if name not in held)
        return kind(**{**defaults, **held})

    return read


def _spiffe_id(value: Any) -> SpiffeId:
    identity = SpiffeId.parse(value)
    if identity is None:
        raise ValueError(f"{value!r} is no SPIFFE ID")
    return identity


@cache
def _path(value: str) -> PathTemplate | PathRegex:
    if value.startswith('~"') and value.endswith('"'):
        return PathRegex(value[2:-1])
    if not value.startswith("/"):
        raise ValueError(f"{value!r} is no path")
    pieces = value[1:].split("/") if value != "/" else []
    return PathTemplate(tuple(_CLASSES.get(piece) or Segment(SegmentKind.LITERAL, piece) for piece in pieces))
