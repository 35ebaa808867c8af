"""Which paths there are: the canonical ones, by `meshc_compiler.path` and RFC 3986, as a language."""

from __future__ import annotations

from functools import cache

from meshc_backends.readback.language import Language, difference, intersection, language_of, only
from meshc_backends.readback.paths import Escapes
from meshc_compiler.regex import Characters, Choice, Regex, Repeat, Sequence

_VISIBLE = frozenset(map(chr, range(0x21, 0x7F)))
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_FOREIGN = frozenset('"<>^`{|}')
_ANYTHING = Repeat(Characters(_VISIBLE), 0, None)
_SLASH = only("/")


@cache
def canonical_paths(escapes: Escapes) -> Language:
    """Return the paths that `canonical_path` leaves as they are; with `EITHER`, but for the case of escapes' digits."""
    path = Choice((_SLASH, Sequence((Repeat(Sequence((_SLASH, _segment(escapes))), 1, None), Repeat(_SLASH, 0, 1)))))
    return difference(language_of(path), _dotted())


def _segment(escapes: Escapes) -> Regex:
    plain = Characters(_VISIBLE - _FOREIGN - frozenset("/\\#%?"))
    return Repeat(Choice((plain, *_escapes(escapes))), 1, None)


def _escapes(escapes: Escapes) -> tuple[Regex, ...]:
    return tuple(
        Sequence((only("%"), *(_digit(digit, escapes) for digit in f"{number:02X}")))
        for number in range(256)
        if chr(number) not in _UNRESERVED and number not in b"/\\\0"
    )


def _digit(digit: str, escapes: Escapes) -> Characters:
    return Characters(frozenset({digit, digit.lower()} if escapes is Escapes.EITHER else {digit}))


def _dotted() -> Language:
    """Return paths with a segment `.` or `..`, also with a parameter behind a semicolon."""
    dot = only(".")
    behind = Choice((Sequence(()), Sequence((Characters(frozenset("/;")), _ANYTHING))))
    return language_of(Sequence((_ANYTHING, _SLASH, dot, Repeat(dot, 0, 1), behind)))


@cache
def lower_case_escapes() -> Language:
    """Return the paths whose escapes are not all in upper case."""
    return difference(canonical_paths(Escapes.EITHER), canonical_paths(Escapes.UPPER))


def within(language: Language, escapes: Escapes) -> Language:
    """Return the paths of a language that are canonical."""
    return intersection(language, canonical_paths(escapes))
