"""Paths as texts: templates, and what is canonical about a path, as expressions that automata can compare."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from meshc_compiler.automaton import Found, NoText, find_text
from meshc_compiler.ir.match import PathTemplate, Segment, SegmentKind
from meshc_compiler.path import canonical_path
from meshc_compiler.regex import Characters, Choice, Regex, Repeat, Sequence, Subject, compiled, parse_regex

_VISIBLE = Subject.PATH.value.all
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ESCAPED = frozenset('"<>^`{|}')
"""What a canonical path holds only as an escape, besides what it never holds."""

_REFUSED_BYTES = frozenset(b"/\\\0")
_HEXADECIMAL = "0123456789ABCDEF"

_ANYTHING = Repeat(Characters(_VISIBLE), 0, None)
_SLASH = Characters(frozenset("/"))
_IN_SEGMENT = Repeat(Characters(_VISIBLE - {"/"}), 1, None)
_END = Repeat(_SLASH, 0, 1)


@cache
def _canonical() -> tuple[Regex, Regex]:
    """Return what every canonical path matches, and what none does (`meshc_compiler.path.canonical_path`)."""
    escapes = []
    for high in range(16):
        low = {
            _HEXADECIMAL[number]
            for number in range(16)
            if chr(high * 16 + number) not in _UNRESERVED and high * 16 + number not in _REFUSED_BYTES
        }
        escapes.append(Sequence((Characters(frozenset(_HEXADECIMAL[high])), Characters(frozenset(low)))))
    plain = Characters(_VISIBLE - _ESCAPED - frozenset("/\\#%?"))
    escape = Sequence((Characters(frozenset("%")), Choice(tuple(escapes))))
    segment = Repeat(Choice((plain, escape)), 1, None)
    path = Choice((_SLASH, Sequence((Repeat(Sequence((_SLASH, segment)), 1, None), _END))))
    # A segment `.` or `..`, also with a parameter behind a semicolon.
    dot = Characters(frozenset("."))
    behind = Choice((Sequence(()), Sequence((Characters(frozenset("/;")), _ANYTHING))))
    return path, Sequence((_ANYTHING, _SLASH, dot, Repeat(dot, 0, 1), behind))


_SHAPES = {
    SegmentKind.ANY: _IN_SEGMENT,
    SegmentKind.INT: Repeat(Characters(frozenset("0123456789")), 1, None),
    SegmentKind.SLUG: Repeat(Characters(frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")), 1, None),
}


@cache
def _uuid() -> Regex:
    tree = parse_regex("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
    if not isinstance(tree, Characters | Choice | Repeat | Sequence):
        raise AssertionError(tree.message)
    return tree


def template_language(template: PathTemplate) -> Regex:
    """Return the expression that matches a canonical path exactly if the template does."""
    parts: list[Regex] = []
    for segment in template.segments:
        if segment.kind is SegmentKind.REST:
            return Sequence((*parts, Choice((Sequence(()), Sequence((_SLASH, _ANYTHING))))))
        parts += [_SLASH, _shape(segment)]
    return Sequence((*parts, _END))


def _shape(segment: Segment) -> Regex:
    if segment.kind is SegmentKind.LITERAL:
        return Sequence(tuple(Characters(frozenset({character})) for character in segment.literal))
    return _uuid() if segment.kind is SegmentKind.UUID else _SHAPES[segment.kind]


def find_path(
    inside: Iterable[PathTemplate], outside: Iterable[PathTemplate], matched: Iterable[str], unmatched: Iterable[str]
) -> Found:
    """Return a canonical path that all templates `inside` match and none `outside`, and expressions likewise."""
    always, never = _canonical()
    wanted = [always, *map(template_language, inside), *map(compiled, matched)]
    unwanted = [never, *map(template_language, outside), *map(compiled, unmatched)]
    path = find_text(wanted, unwanted, _VISIBLE)
    if isinstance(path, str) and canonical_path(path) != path:
        return NoText.UNKNOWN
    return path
