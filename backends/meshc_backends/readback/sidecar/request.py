"""Which requests the rules and routes of a snapshot are about: callers, methods, path and condition."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from meshc_backends.readback.formula import (
    NEVER,
    Callers,
    Formula,
    Has,
    MemberIn,
    MethodIn,
    all_apart,
    all_of,
    any_of,
    not_,
    path_in,
)
from meshc_backends.readback.paths import Escapes, Matched, meant
from meshc_backends.readback.sidecar.field import members, required, text, texts
from meshc_backends.readback.unread import UnreadError
from meshc_compiler.ir.match import PathTemplate, Segment, SegmentKind

_PARAMETER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_-]*(?::(int|uuid|slug))?\}\Z")
_MEANINGLESS = frozenset("*{}?")

_NOBODY: frozenset[str] = frozenset()
_TEMPLATE = frozenset({"kind", "template"})
_REGEX = frozenset({"kind", "regex"})
_PARTS = frozenset({"kind", "of"})
_PRESENT = frozenset({"kind", "name"})
_EQUALS = frozenset({"kind", "name", "value"})
_ONE_OF = frozenset({"kind", "name", "values"})


def requests_of(fields: dict[str, Any], place: str, callers: Callers | None = None) -> Formula:
    """Return the requests that methods, path and condition leave, of the callers if some are given; null leaves all."""
    parts: list[Formula] = []
    if callers is not None and (callers.named or not callers.others):
        parts.append(callers)
    if fields.get("methods") is not None:
        parts.append(MethodIn(texts(fields, "methods", place)))
    if (path := fields.get("path")) is not None:
        parts.append(_paths(path, place))
    if (condition := fields.get("condition")) is not None:
        parts.append(_condition(condition, place))
        return all_of(parts)
    return all_apart(parts)


def callers_of(fields: dict[str, Any], place: str) -> Callers:
    """Return whom `callers` names; null is every identity of the trust domain but those in `except_callers`."""
    besides = _NOBODY if fields.get("except_callers") is None else texts(fields, "except_callers", place)
    if fields.get("callers") is None:
        return Callers(besides, others=True)
    return Callers(texts(fields, "callers", place) - besides)


def _paths(value: Any, place: str) -> Formula:
    kind = value.get("kind") if type(value) is dict else None
    if kind == "template":
        return _by_template(text(members(value, _TEMPLATE, place), "template", place), place)
    if kind == "regex":
        return path_in(frozenset({Matched(text(members(value, _REGEX, place), "regex", place))}))
    raise UnreadError(f"{place}.path", f"the kind `{kind}`")


@lru_cache(maxsize=65536)
def _by_template(template: str, place: str) -> Formula:
    return path_in(meant(_template(template, place), Escapes.UPPER))


def _template(template: str, place: str) -> PathTemplate:
    pieces = template.split("/")
    if pieces[0] or len(pieces) == 1:
        raise UnreadError(place, f"the template `{template}`")
    if pieces[-1] == "":
        pieces.pop()
    segments: list[Segment] = []
    for at, piece in enumerate(pieces[1:], 2):
        if piece == "**" and at == len(pieces):
            segments.append(Segment(SegmentKind.REST))
        elif piece == "*":
            segments.append(Segment(SegmentKind.ANY))
        elif parameter := _PARAMETER.match(piece):
            segments.append(Segment(SegmentKind(parameter[1]) if parameter[1] else SegmentKind.ANY))
        elif not piece or not _MEANINGLESS.isdisjoint(piece):
            raise UnreadError(place, f"the template `{template}`")
        else:
            segments.append(Segment(SegmentKind.LITERAL, piece))
    return PathTemplate(tuple(segments))


def _condition(value: Any, place: str) -> Formula:
    kind = value.get("kind") if type(value) is dict else None
    match kind:
        case "all":
            return all_of(_condition(part, place) for part in required(members(value, _PARTS, place), "of", place))
        case "any":
            return any_of(_condition(part, place) for part in required(members(value, _PARTS, place), "of", place))
        case "not":
            return not_(_condition(members(value, _PARTS, place).get("of"), place))
        case "header-present":
            return Has(None, text(members(value, _PRESENT, place), "name", place))
        case "header-equals":
            members(value, _EQUALS, place)
            return MemberIn(text(value, "name", place), frozenset({text(value, "value", place)}))
        case "header-one-of":
            members(value, _ONE_OF, place)
            values = texts(value, "values", place)
            return MemberIn(text(value, "name", place), values) if values else NEVER
        case _:
            raise UnreadError(f"{place}.condition", f"the kind `{kind}`")
