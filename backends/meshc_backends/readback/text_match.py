"""Matchers of texts, and the members of a header's value (RFC 9110 §5.6.1), as languages.

A line of a header has no blanks at its ends: proxies take them away before anything looks (RFC 9112 §5.1).
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

from meshc_backends.readback.expression import matched_by, tree_of
from meshc_backends.readback.language import (
    ANY_TEXT,
    Language,
    difference,
    intersection,
    language_of,
    only,
    union_of,
)
from meshc_compiler.regex import BEYOND, Characters, Choice, Regex, Repeat, Sequence
from meshc_lang.record import dataclass

_LETTERS = frozenset({*map(chr, range(1, 128)), BEYOND}) - {"\n", "\r"}
_BLANK = Characters(frozenset(" \t"))
_IN_LINE = Repeat(Characters(_LETTERS), 0, None)

LINES = difference(
    language_of(_IN_LINE), language_of(Choice((Sequence((_BLANK, ANY_TEXT)), Sequence((ANY_TEXT, _BLANK)))))
)
"""What a line of a header may be."""

VALUES = language_of(ANY_TEXT)
"""What a parameter, a cookie or a claim may be."""


class Comparison(StrEnum):
    """How a matcher compares a text."""

    EXACT = "exact"
    PREFIX = "prefix"
    SUFFIX = "suffix"
    CONTAINS = "contains"
    EXPRESSION = "expression"


@dataclass(frozen=True, slots=True)
class TextMatcher:
    """One comparison with a text, of each letter exactly; an expression (RE2) must match the whole."""

    comparison: Comparison
    text: str


@lru_cache(maxsize=16384)
def matcher_language(matcher: TextMatcher) -> Language:
    """Return the texts that a matcher accepts."""
    match matcher.comparison:
        case Comparison.EXACT:
            tree: Regex = only(matcher.text)
        case Comparison.PREFIX:
            tree = Sequence((only(matcher.text), ANY_TEXT))
        case Comparison.SUFFIX:
            tree = Sequence((ANY_TEXT, only(matcher.text)))
        case Comparison.CONTAINS:
            tree = Sequence((ANY_TEXT, only(matcher.text), ANY_TEXT))
        case Comparison.EXPRESSION:
            return matched_by(matcher.text)
    return language_of(tree)


@lru_cache(maxsize=16384)
def lines_matched(matchers: frozenset[TextMatcher]) -> Language:
    """Return the lines that one of the matchers accepts."""
    ordered = sorted(matchers, key=lambda one: (one.comparison, one.text))
    return intersection(union_of(matcher_language(matcher) for matcher in ordered), LINES)


@lru_cache(maxsize=16384)
def lines_with_member(values: frozenset[str]) -> Language:
    """Return the lines of which some member is one of the values.

    Members stand between commas; one leading space of a member does not count.
    """
    pieces: list[Regex] = []
    for value in sorted(value for value in values if "," not in value):
        pieces.append(only(" " + value))
        if not value.startswith(" "):
            pieces.append(only(value))
    return _with_piece(Choice(tuple(pieces)))


@lru_cache(maxsize=4096)
def lines_with_member_like(pattern: str) -> Language:
    """Return the lines of which some member is matched as a whole by the expression."""
    tree = tree_of(pattern)
    alone = difference(language_of(tree), language_of(Sequence((only(" "), ANY_TEXT))))
    from_space = _with_piece(Sequence((only(" "), tree)))
    from meshc_backends.readback.paths import as_tree

    return union_of((_with_piece(as_tree(alone)), from_space))


def _with_piece(piece: Regex) -> Language:
    before = Choice((Sequence(()), Sequence((ANY_TEXT, only(",")))))
    behind = Choice((Sequence(()), Sequence((only(","), ANY_TEXT))))
    return intersection(language_of(Sequence((before, piece, behind))), LINES)


def members_meant(matchers: frozenset[TextMatcher]) -> frozenset[str] | None:
    """Return the values of which one must be a member, if that is exactly what one of the matchers accepts.

    Matchers are tried value by value first; letters other than commas and blanks are as good as any others, so that
    one proof serves for all values of one shape.
    """
    groups: dict[str, set[TextMatcher]] = {}
    for matcher in matchers:
        if matcher.comparison is Comparison.EXPRESSION:
            return None
        groups.setdefault(matcher.text.strip(", "), set()).add(matcher)
    values: set[str] = set()
    for core, group in groups.items():
        value = _value_of(core, group)
        if value is None or not _is_member_test(*_renamed(value, frozenset(group))):
            return _members_of_all(matchers)
        values.add(value)
    return frozenset(values)


def _value_of(core: str, group: set[TextMatcher]) -> str | None:
    if any(one.comparison is Comparison.EXACT and one.text == core for one in group):
        return core
    ends = [one.text.removeprefix(", ") for one in group if one.comparison is Comparison.SUFFIX]
    return min(ends, key=len) if ends else None


def _members_of_all(matchers: frozenset[TextMatcher]) -> frozenset[str] | None:
    values = frozenset(one.text for one in matchers if one.comparison is Comparison.EXACT and "," not in one.text)
    return values if values and lines_with_member(values) is lines_matched(matchers) else None


@lru_cache(maxsize=16384)
def _is_member_test(value: str, matchers: frozenset[TextMatcher]) -> bool:
    return lines_with_member(frozenset({value})) is lines_matched(matchers)


def _renamed(value: str, matchers: frozenset[TextMatcher]) -> tuple[str, frozenset[TextMatcher]]:
    """Return both with other letters in place of theirs, the same for texts of one shape.

    Commas, blanks, and what no line holds stay: the languages compared mention no other letter.
    """
    names = {letter: letter for letter in ", \t\n\r\0"}
    free = (chr(number) for number in range(0x61, 0x7B))
    for letter in value:
        if letter not in names:
            replacement = next(free, None)
            if replacement is None or letter >= BEYOND:
                return value, matchers
            names[letter] = replacement
    table = str.maketrans(names)
    if any(letter not in names for one in matchers for letter in one.text):
        return value, matchers
    return value.translate(table), frozenset(TextMatcher(one.comparison, one.text.translate(table)) for one in matchers)
