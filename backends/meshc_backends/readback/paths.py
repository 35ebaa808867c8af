"""Sets of paths: what a template means, and what a target's matchers mean, in forms that can be compared.

A set is a frozenset of forms, of which a path must have one. Equal frozensets are equal sets, which settles nearly all
cases; the others are settled by automata over the paths that a target carries at all. A proxy may leave the case of an
escape's digits as it was sent: `Escapes.EITHER` reads the program so that `%C3` means `%c3` too (RFC 3986 §6.2.2.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from typing import TypeAlias

from meshc_backends.readback.expression import matched_by
from meshc_backends.readback.language import ANY_TEXT, Language, intersection, language_of, only, union_of
from meshc_compiler.ir.match import PathMatch, PathRegex, PathTemplate, Segment, SegmentKind
from meshc_compiler.regex import Characters, Choice, Regex, Repeat, Sequence
from meshc_lang.record import dataclass

Piece: TypeAlias = str | Language
"""A segment of a path: this text, or any text of a language that holds no slash."""


@dataclass(frozen=True, slots=True)
class Exact:
    """This path and no other."""

    text: str


@dataclass(frozen=True, slots=True)
class Begins:
    """Every path that begins with these bytes."""

    text: str


@dataclass(frozen=True, slots=True)
class Pieces:
    """Segment by segment; then perhaps one slash, or with `rest` nothing, or a slash and anything."""

    pieces: tuple[Piece, ...]
    rest: bool


@dataclass(frozen=True, slots=True)
class Matched:
    """Every path that the expression (RE2) matches as a whole."""

    pattern: str


PathForm: TypeAlias = Exact | Begins | Pieces | Matched
PathSet: TypeAlias = frozenset[PathForm]
"""A set of paths: those that have one of the forms."""

EVERY_PATH: PathSet = frozenset({Begins("/")})
"""All paths."""


class Escapes(Enum):
    """What a target knows of the digits of percent escapes."""

    UPPER = "upper case only"
    EITHER = "as they were sent"


_FOREIGN = re.compile(r"[\"<>^`{|}]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")


# ---- what the program means


@lru_cache(maxsize=65536)
def meant(path: PathMatch, escapes: Escapes) -> PathSet:
    """Return the canonical paths that the program's template or expression matches (`meshc_compiler.path`)."""
    if isinstance(path, PathRegex):
        return frozenset({Matched(path.pattern)})
    rest = bool(path.segments) and path.segments[-1].kind is SegmentKind.REST
    pieces = tuple(_piece(segment, escapes) for segment in (path.segments[:-1] if rest else path.segments))
    return _of_pieces(pieces, rest)


def template_of_pieces(template: PathTemplate) -> PathSet:
    """Return the canonical paths of a template, escapes in upper case."""
    return meant(template, Escapes.UPPER)


def _of_pieces(pieces: tuple[Piece, ...], rest: bool) -> PathSet:
    if all(isinstance(piece, str) for piece in pieces):
        text = "".join(f"/{piece}" for piece in pieces)
        if not text:
            return EVERY_PATH if rest else frozenset({Exact("/")})
        return frozenset({Exact(text), Begins(text + "/")}) if rest else frozenset({Exact(text), Exact(text + "/")})
    return frozenset({Pieces(pieces, rest)})


def _piece(segment: Segment, escapes: Escapes) -> Piece:
    match segment.kind:
        case SegmentKind.LITERAL:
            text = _FOREIGN.sub(lambda found: f"%{ord(found[0]):02X}", segment.literal)
            if escapes is Escapes.EITHER and any(not digits.isdigit() for digits in _ESCAPE.findall(text)):
                return language_of(_in_either_case(text))
            return text
        case SegmentKind.ANY:
            return _ANY
        case SegmentKind.INT:
            return _INT
        case SegmentKind.UUID:
            return _UUID
        case SegmentKind.SLUG:
            return _SLUG
        case SegmentKind.REST:
            raise ValueError("`**` stands last in a template")


def _in_either_case(text: str) -> Regex:
    parts: list[Regex] = []
    at = 0
    for escape in _ESCAPE.finditer(text):
        parts += [only(text[at : escape.start() + 1])]
        parts += [Characters(frozenset({digit.lower(), digit.upper()})) for digit in escape[1]]
        at = escape.end()
    return Sequence((*parts, only(text[at:])))


_VISIBLE = frozenset(map(chr, range(0x21, 0x7F)))
_DIGIT = Characters(frozenset("0123456789"))
_HEX = Characters(frozenset("0123456789abcdefABCDEF"))
_DASH = only("-")
_IN_SEGMENT = Characters(_VISIBLE - frozenset("/?"))
_ANY = language_of(Repeat(_IN_SEGMENT, 1, None))
_INT = language_of(Repeat(_DIGIT, 1, None))
_SLUG = language_of(Repeat(Characters(frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")), 1, None))
_UUID = language_of(
    Sequence(
        (
            Repeat(_HEX, 8, 8),
            *(Sequence((_DASH, Repeat(_HEX, 4, 4))) for _ in range(3)),
            _DASH,
            Repeat(_HEX, 12, 12),
        )
    )
)


# ---- what a target's expression means


_TAILS = (("(?:/.*)?", True), ("(?:/[^?]*)?", True), ("/?", False))
_SEGMENT = re.compile(r"/((?:[^/\\\[\]()|]|\\.|\[\^?(?:[^\]\\]|\\.)+\])*)")


@lru_cache(maxsize=65536)
def expression_paths(pattern: str) -> PathSet:
    """Return the paths that an expression (RE2) matches as a whole, segment by segment where it is built so.

    A path holds no `?`, so a class without it is as good as one with it.
    """
    segments = _segments_of(pattern)
    if segments is None:
        return frozenset({Matched(pattern)})
    return _of_pieces(tuple(map(_read_piece, segments[0])), segments[1])


def _segments_of(pattern: str) -> tuple[tuple[str, ...], bool] | None:
    """Return the expressions of the segments, and whether anything may follow; None if it is not built so."""
    for tail, rest in _TAILS:
        if pattern.endswith(tail):
            body = pattern[: -len(tail)]
            texts = _SEGMENT.findall(body)
            if texts and "".join(f"/{text}" for text in texts) == body:
                return tuple(texts), rest
    return None


def ends_before_queries(pattern: str) -> bool:
    """Tell whether an expression built segment by segment takes no question mark in any of them.

    Then what it matches, with a query behind it or not, ends where the path does. A tail that takes anything behind a
    slash takes the query too, and the slash is the path's.
    """
    segments = _segments_of(pattern)
    return segments is not None and all(_holds_no_query(text) for text in segments[0])


@lru_cache(maxsize=65536)
def _holds_no_query(text: str) -> bool:
    return bool(_PLAIN.match(text)) or intersection(matched_by(text), _WITH_QUERY).is_empty


_PLAIN = re.compile(r"[A-Za-z0-9_~-]*\Z")
_WITH_QUERY = language_of(Sequence((ANY_TEXT, only("?"), ANY_TEXT)))
_WITHIN_SEGMENT = language_of(Repeat(_IN_SEGMENT, 0, None))


@lru_cache(maxsize=65536)
def _read_piece(text: str) -> Piece:
    """Return what one segment of an expression matches.

    A class that leaves out the slash takes letters that no path holds; what no path holds does not count.
    """
    if _PLAIN.match(text):
        return text
    language = intersection(matched_by(text), _WITHIN_SEGMENT)
    example = language.example()
    if example is not None and language is language_of(only(example)):
        return example
    return language


# ---- as automata


def path_language(paths: PathSet) -> Language:
    """Return a set of paths as a language."""
    return union_of(_form_language(form) for form in paths)


@lru_cache(maxsize=16384)
def _form_language(form: PathForm) -> Language:
    match form:
        case Exact(text):
            return language_of(only(text))
        case Begins(text):
            return language_of(Sequence((only(text), ANY_TEXT)))
        case Matched(pattern):
            return matched_by(pattern)
        case Pieces(pieces, rest):
            parts: list[Regex] = []
            for piece in pieces:
                parts += [only("/"), only(piece) if isinstance(piece, str) else as_tree(piece)]
            tail = Choice((Sequence(()), Sequence((only("/"), ANY_TEXT)))) if rest else Repeat(only("/"), 0, 1)
            return language_of(Sequence((*parts, tail)))


def as_tree(language: Language) -> Regex:
    """Return an expression of a language (Kleene's construction by taking states out one by one)."""
    count = len(language.rows)
    start, end = count, count + 1
    edges: dict[tuple[int, int], Regex] = {(start, 0): Sequence(())}
    for state, row in enumerate(language.rows):
        for mask, target in row:
            letters = Characters(frozenset(chr(number) for number in range(129) if mask >> number & 1))
            edges[state, target] = letters
        if language.accepting >> state & 1:
            edges[state, end] = Sequence(())
    for gone in range(count):
        loop = edges.pop((gone, gone), None)
        into = {one: tree for (one, other), tree in edges.items() if other == gone}
        out = {other: tree for (one, other), tree in edges.items() if one == gone}
        edges = {key: tree for key, tree in edges.items() if gone not in key}
        middle: tuple[Regex, ...] = () if loop is None else (Repeat(loop, 0, None),)
        for one, before in into.items():
            for other, behind in out.items():
                way = Sequence((before, *middle, behind))
                known = edges.get((one, other))
                edges[one, other] = way if known is None else Choice((known, way))
    return edges.get((start, end), Choice(()))


@lru_cache(maxsize=4096)
def same_paths(left: PathSet, right: PathSet, carried: Language) -> bool:
    """Tell whether two sets hold the same of the paths that a target carries."""
    return left == right or intersection(path_language(left), carried) is intersection(path_language(right), carried)


def any_path(forms: Iterable[PathSet]) -> PathSet:
    """Return the paths of any of the sets."""
    return frozenset().union(*forms)
