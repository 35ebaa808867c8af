"""Paths: a template or expression as matchers of Envoy's on the canonical path without its query.

The same alternatives serve authorisation (`envoy.type.matcher.v3.PathMatcher`) and routes (`RouteMatch`), so the two
cannot drift apart.
"""

from __future__ import annotations

import re
from typing import TypeAlias, assert_never

from meshc_backends.envoy.message import Message
from meshc_compiler.ir.match import PathMatch, PathRegex, PathTemplate, Segment, SegmentKind
from meshc_lang.record import dataclass

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_ESCAPED_BY_ENVOY = {ord(char): f"%{ord(char):02X}" for char in '"<>^`{|}'}
"""Characters that no path may hold raw (RFC 3986 §3.3), and that Envoy's normalisation escapes."""

_SAFE_IN_REGEX = re.compile(r"[A-Za-z0-9_/-]")

UUID = "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"


@dataclass(frozen=True, slots=True)
class ExactPath:
    """The path is this text."""

    path: str


@dataclass(frozen=True, slots=True)
class PathPrefix:
    """The path begins with this text, which ends in a slash."""

    prefix: str


@dataclass(frozen=True, slots=True)
class RegexPath:
    """The whole path matches this expression (RE2)."""

    regex: str


PathForm: TypeAlias = ExactPath | PathPrefix | RegexPath
"""A way in which Envoy compares a path. None of them sees the query."""


def path_forms(path: PathMatch | None) -> tuple[PathForm, ...]:
    """Return the forms of which a path has one exactly if it matches; None is every path.

    A template's trailing slash is folded: `/a` is also `/a/`, and `/x/**` is `/x`, `/x/` and all below. Envoy leaves
    the case of the hexadecimal digits of an escape as it was sent, so a literal with an escape becomes an expression.
    """
    match path:
        case None:
            return (PathPrefix("/"),)
        case PathRegex(pattern):
            return (RegexPath(pattern),)
        case PathTemplate(segments):
            return _template_forms(segments)
        case _:
            assert_never(path)


def _template_forms(segments: tuple[Segment, ...]) -> tuple[PathForm, ...]:
    rest = bool(segments) and segments[-1].kind is SegmentKind.REST
    before = tuple(_as_normalised(segment) for segment in (segments[:-1] if rest else segments))
    if all(segment.kind is SegmentKind.LITERAL and not _has_letters_in_escapes(segment.literal) for segment in before):
        text = "".join("/" + segment.literal for segment in before)
        if rest:
            return (ExactPath(text), PathPrefix(text + "/")) if text else (PathPrefix("/"),)
        return (ExactPath(text), ExactPath(text + "/")) if text else (ExactPath("/"),)
    regex = "".join("/" + _segment_regex(segment) for segment in before)
    return (RegexPath(regex + ("(?:/.*)?" if rest else "/?")),)


_LITERAL_START = re.compile(r"/[A-Za-z0-9_/-]*")


def literal_start(path: PathMatch) -> str:
    """Return a text with which every path begins that the template or expression matches, as long as that is plain."""
    match path:
        case PathTemplate(segments):
            text = "/"
            for segment in map(_as_normalised, segments):
                if segment.kind is SegmentKind.REST:
                    break  # what follows may be nothing, not even the slash
                if segment.kind is not SegmentKind.LITERAL or _has_letters_in_escapes(segment.literal):
                    return text
                text += segment.literal + "/"
            return text.removesuffix("/") or "/"
        case PathRegex(pattern):
            start = _LITERAL_START.match(pattern)
            if start is None or "|" in pattern:
                return "/"
            # What follows may say how often the last letter comes, if at all.
            return start[0] if start.end() == len(pattern) else start[0][:-1] or "/"
        case _:
            assert_never(path)


def _as_normalised(segment: Segment) -> Segment:
    return Segment(segment.kind, segment.literal.translate(_ESCAPED_BY_ENVOY))


def _segment_regex(segment: Segment) -> str:
    match segment.kind:
        case SegmentKind.LITERAL:
            return quote_path(segment.literal)
        case SegmentKind.ANY:
            return "[^/]+"
        case SegmentKind.INT:
            return "[0-9]+"
        case SegmentKind.UUID:
            return UUID
        case SegmentKind.SLUG:
            return "[a-z0-9-]+"
        case SegmentKind.REST:
            raise ValueError("`**` stands last in a template: that is a bug of the compiler")
        case _:
            assert_never(segment.kind)


def quote(text: str) -> str:
    """Return an RE2 expression that matches the text and nothing else.

    Every ASCII character that is not a letter, digit, `_`, `/` or `-` is escaped, so that none can mean anything else,
    whatever the expression's surroundings.
    """
    return "".join(char if _SAFE_IN_REGEX.match(char) else _quoted(char) for char in text)


def _quoted(char: str) -> str:
    if not char.isascii():
        return char
    return f"\\{char}" if char.isprintable() and char != " " else f"\\x{ord(char):02x}"


def quote_path(text: str) -> str:
    """Return an expression for the text in which the digits of percent escapes (RFC 3986 §2.1) are of either case."""
    pieces = []
    at = 0
    for escape in _ESCAPE.finditer(text):
        pieces += [quote(text[at : escape.start()]), "%", *(_either_case(digit) for digit in escape.group(1))]
        at = escape.end()
    return "".join([*pieces, quote(text[at:])])


def _either_case(digit: str) -> str:
    return digit if digit.isdigit() else f"[{digit.upper()}{digit.lower()}]"


def _has_letters_in_escapes(text: str) -> bool:
    return any(not escape.group(1).isdigit() for escape in _ESCAPE.finditer(text))


def string_match(form: PathForm) -> Message:
    """Return the form as a `StringMatcher`."""
    match form:
        case ExactPath(path):
            return {"exact": path}
        case PathPrefix(prefix):
            return {"prefix": prefix}
        case RegexPath(regex):
            return {"safe_regex": {"regex": regex}}
        case _:
            assert_never(form)


def route_path_match(form: PathForm) -> Message:
    """Return the form as the path specifier of a `RouteMatch`."""
    match form:
        case ExactPath(path):
            return {"path": path}
        case PathPrefix(prefix):
            return {"prefix": prefix}
        case RegexPath(regex):
            return {"safe_regex": {"regex": regex}}
        case _:
            assert_never(form)
