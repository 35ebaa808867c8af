"""Paths of requests: the one canonical form, and what a template or a regular expression makes of it."""

from __future__ import annotations

import re
from typing import assert_never

from meshc_compiler.ir.match import PathMatch, PathRegex, PathTemplate, Segment, SegmentKind
from meshc_compiler.regex import full_match
from meshc_lang.pattern import pattern

_VISIBLE = pattern(r"[\x21-\x7e]*\Z")
_REFUSED = pattern(r"[\\#]|%(?![0-9A-Fa-f]{2})|%2[Ff]|%5[Cc]|%00")
_ESCAPE = pattern(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_FOREIGN = pattern(r"[\"<>^`{|}]")
_DOTS_WITH_PARAMETER = pattern(r"\.\.?;")
_SLASHES = pattern(r"/{2,}")

_INT = pattern(r"[0-9]+\Z")
_UUID = pattern(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z")
_SLUG = pattern(r"[a-z0-9-]+\Z")


def canonical_path(target: str) -> str | None:
    """Return the canonical path of a request target (up to `?`), or None where the request is refused with 400.

    Refused are what proxies and applications are known to read differently: escaped slashes, backslashes and NULs, a
    backslash, a fragment, malformed escapes, anything outside visible ASCII, and `.` or `..` with a `;` parameter.
    Then escapes of unreserved characters are decoded and the others written in upper case (RFC 3986 §6.2.2),
    characters that no path may hold are escaped (`"<>^`{|}`, RFC 3986 §3.3), dot segments resolved (RFC 3986 §5.2.4),
    never above the root, and slashes merged, in this order: it is Envoy's.
    """
    path = target.partition("?")[0]
    if not path.startswith("/") or not _VISIBLE.match(path) or _REFUSED.search(path):
        return None
    path = _FOREIGN.sub(_escape, _ESCAPE.sub(_decode_unreserved, path))
    segments = path.split("/")
    if any(_DOTS_WITH_PARAMETER.match(segment) for segment in segments):
        return None
    return _SLASHES.sub("/", _resolve_dots(path))


def _decode_unreserved(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def _escape(character: re.Match[str]) -> str:
    return f"%{ord(character[0]):02X}"


def _resolve_dots(path: str) -> str:
    segments = path.split("/")[1:]
    resolved: list[str] = []
    for segment in segments:
        if segment == "..":
            del resolved[-1:]
        elif segment != ".":
            resolved.append(segment)
    if segments[-1] in {".", ".."}:
        resolved.append("")
    return "/" + "/".join(resolved)


def path_segments(canonical: str) -> tuple[str, ...]:
    """Return the segments of a canonical path, without one empty segment at the end: `/a` and `/a/` are the same."""
    segments = canonical.split("/")[1:]
    if segments[-1] == "":
        segments.pop()
    return tuple(segments)


def path_matches(match: PathMatch, canonical: str) -> bool:
    """Tell whether a canonical path is what the template or regular expression describes."""
    match match:
        case PathTemplate():
            return template_matches(match, path_segments(canonical))
        case PathRegex():
            return full_match(match.pattern, canonical)
        case _:
            assert_never(match)


def template_matches(template: PathTemplate, segments: tuple[str, ...]) -> bool:
    """Tell whether the segments of a path are those of the template, one by one; `**` takes all that are left."""
    for position, wanted in enumerate(template.segments):
        if wanted.kind is SegmentKind.REST:
            return True
        if position >= len(segments) or not segment_matches(wanted, segments[position]):
            return False
    return len(segments) == len(template.segments)


def segment_kinds(segment: str) -> frozenset[SegmentKind]:
    """Return the kinds, besides literals and `**`, of template segments that accept a segment."""
    kinds = {SegmentKind.ANY} if segment else set()
    if _SLUG.match(segment) is not None:
        kinds.add(SegmentKind.SLUG)
        if _INT.match(segment) is not None:
            kinds.add(SegmentKind.INT)
    if len(segment) == 36 and _UUID.match(segment) is not None:
        kinds.add(SegmentKind.UUID)
    return frozenset(kinds)


def segment_matches(wanted: Segment, segment: str) -> bool:
    """Tell whether one segment, which is not empty, is what the template's segment accepts."""
    match wanted.kind:
        case SegmentKind.LITERAL:
            return segment == wanted.literal
        case SegmentKind.ANY | SegmentKind.REST:
            return segment != ""
        case SegmentKind.INT:
            return _INT.match(segment) is not None
        case SegmentKind.UUID:
            return _UUID.match(segment) is not None
        case SegmentKind.SLUG:
            return _SLUG.match(segment) is not None
        case _:
            assert_never(wanted.kind)
