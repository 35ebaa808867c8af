"""Canonical paths and path templates: one spelling for each path, matched by segment.

The canonical path is what rules are matched against and what is forwarded, so that no proxy or application
behind this one sees a spelling that was not judged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

# Segments that are not empty and do not start with a dot, without escapes: canonical as they are.
_PLAIN = re.compile(r"(?:/[!$&-\-0-;=@-\[\]_a-z~][!$&-.0-;=@-\[\]_a-z~]*+)*+/?")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_REFUSED_ESCAPES = re.compile(r"%(?:2[Ff]|5[Cc]|00)")
_FOREIGN = re.compile(r"[\"<>^`{|}]")
_NOT_VISIBLE = re.compile(r"[^\x21-\x7e]")
_SLASHES = re.compile(r"/{2,}")
_DOTS_THEN_PARAMETER = re.compile(r"/\.\.?;")


class RefusedPathError(ValueError):
    """A spelling of a path that proxies and applications are known to read differently."""


def canonical_path(path: str) -> str:
    r"""The one spelling of a request path (without query).

    Escapes of unreserved characters are decoded and the others written in upper case (RFC 3986 section 6.2.2),
    characters that no path may hold are escaped (section 3.3), dot segments resolved (section 5.2.4), never
    above the root, and slashes merged: in Envoy's order.

    Raises:
        RefusedPathError: not absolute, an escaped slash, backslash or NUL, a malformed escape, a byte outside
            visible ASCII, `\`, `#`, or a dot segment with a `;` parameter.
    """
    if path.startswith("/") and _PLAIN.fullmatch(path):
        return path
    if not path.startswith("/"):
        raise RefusedPathError("the path does not start with a slash")
    if _NOT_VISIBLE.search(path):
        raise RefusedPathError("the path has a byte outside visible ASCII")
    if "\\" in path or "#" in path:
        raise RefusedPathError("the path has a backslash or a fragment")
    if "%" in path:
        if _BAD_ESCAPE.search(path):
            raise RefusedPathError("the path has a malformed percent escape")
        if _REFUSED_ESCAPES.search(path):
            raise RefusedPathError("the path escapes a slash, a backslash or NUL")
        path = _ESCAPE.sub(_normal_escape, path)
    path = _FOREIGN.sub(_escape, path)
    if "/." in path:
        if _DOTS_THEN_PARAMETER.search(path):
            raise RefusedPathError("the path has a dot segment with a parameter")
        path = _resolve_dots(path)
    return _SLASHES.sub("/", path)


def _normal_escape(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def _escape(character: re.Match[str]) -> str:
    return f"%{ord(character[0]):02X}"


def _resolve_dots(path: str) -> str:
    """RFC 3986 section 5.2.4: a final dot segment leaves its slash."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


class SegmentKind(Enum):
    """What one segment of a template accepts."""

    LITERAL = "literal"
    ANY = "any"
    INT = "int"
    UUID = "uuid"
    SLUG = "slug"


_SEGMENT_SHAPE = {
    SegmentKind.INT: re.compile(r"[0-9]+"),
    SegmentKind.UUID: re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"),
    SegmentKind.SLUG: re.compile(r"[a-z0-9-]+"),
}
_PARAMETER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_-]*(?::(int|uuid|slug))?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment of a template; `text` is empty but for a literal."""

    kind: SegmentKind
    text: str = ""

    def accepts(self, segment: str) -> bool:
        """Whether this one segment of a canonical path fits."""
        match self.kind:
            case SegmentKind.LITERAL:
                return segment == self.text
            case SegmentKind.ANY:
                return segment != ""
            case SegmentKind.INT | SegmentKind.UUID | SegmentKind.SLUG:
                return _SEGMENT_SHAPE[self.kind].fullmatch(segment) is not None
            case _:
                assert_never(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A path template; with `open_end` (a final `**`) any further segments may follow."""

    segments: tuple[Segment, ...]
    open_end: bool

    def matches(self, path: str) -> bool:
        """Whether a canonical path fits; `/a` and `/a/` are the same path."""
        given = path_segments(path)
        if len(given) < len(self.segments) or (len(given) > len(self.segments) and not self.open_end):
            return False
        return all(wanted.accepts(segment) for wanted, segment in zip(self.segments, given, strict=False))


def path_segments(path: str) -> list[str]:
    """The segments of a canonical path without one trailing empty segment; `/` has none."""
    segments = path.split("/")[1:]
    if segments[-1] == "":
        segments.pop()
    return segments


def parse_template(text: str) -> Template:
    """Read a template such as `/v1/orders/{id:int}/**`.

    Raises:
        ValueError: a `**` that is not last, an unknown placeholder, or a literal no canonical path can have.
    """
    segments: list[Segment] = []
    open_end = False
    given = path_segments(text) if text.startswith("/") else [""]
    for index, segment in enumerate(given):
        if segment == "**" and index == len(given) - 1:
            open_end = True
        else:
            segments.append(_parse_segment(segment, text))
    return Template(segments=tuple(segments), open_end=open_end)


def _parse_segment(segment: str, template: str) -> Segment:
    if segment == "*":
        return Segment(kind=SegmentKind.ANY)
    if parameter := _PARAMETER.fullmatch(segment):
        return Segment(kind=SegmentKind(parameter[1]) if parameter[1] else SegmentKind.ANY)
    if not segment or any(character in segment for character in "*{}?"):
        raise ValueError(f"template `{template}` has a segment `{segment}` that means nothing")
    try:
        reachable = canonical_path("/" + segment) == "/" + segment
    except RefusedPathError:
        reachable = False
    if not reachable:
        raise ValueError(f"template `{template}` has a segment `{segment}` that no canonical path has")
    return Segment(kind=SegmentKind.LITERAL, text=segment)
