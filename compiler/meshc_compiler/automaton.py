"""A text that some expressions match and others do not: sought, shortest first, in the product of their automata.

An expression becomes an automaton without empty moves, one state for each character that it may read (Glushkov). A set
of states is a bit mask, so that expressions are followed all at once and none has to be made deterministic beforehand.
The search ends with a text, with the proof that there is none, or at its bound.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from typing import TypeAlias, assert_never

from meshc_compiler.regex import PREFERRED, Characters, Choice, Regex, Repeat, Sequence
from meshc_lang.record import dataclass, field

MOST_STATES = 16_384
"""The most combinations of states that one search visits."""

MOST_GIVEN_UP = 16
"""How many searches of one space may end at that bound; further ones are not begun."""


class NoText(Enum):
    """Why a search found no text."""

    NONE = "there is none"
    UNKNOWN = "the search was given up at its bound"


Found: TypeAlias = str | NoText
"""What came of a search."""


@dataclass(frozen=True, slots=True)
class _Automaton:
    """The states of an expression as bits; bit 0 is the start. A state is entered by reading one of its characters."""

    following: tuple[int, ...]
    entered_by: dict[str, int]
    accepting: int
    known: dict[int, int] = field(default_factory=dict, compare=False, repr=False)

    def ahead(self, states: int) -> int:
        """Return the states that some character leads to: which of them depends on the character."""
        reached = self.known.get(states)
        if reached is None:
            reached, left = 0, states
            while left:
                bit = left & -left
                reached |= self.following[bit.bit_length() - 1]
                left ^= bit
            self.known[states] = reached
        return reached


class _Builder:
    """Numbers the characters of an expression and notes which may follow which."""

    def __init__(self) -> None:
        self.accepted: list[frozenset[str]] = [frozenset()]
        self.following: list[int] = [0]

    def part(self, tree: Regex) -> tuple[int, int, bool]:
        """Return the states in which a text of the part may begin, and end, and whether it may be empty."""
        match tree:
            case Characters(accepted):
                self.accepted.append(accepted)
                self.following.append(0)
                bit = 1 << (len(self.accepted) - 1)
                return bit, bit, False
            case Sequence(parts):
                whole = (0, 0, True)
                for part in parts:
                    whole = self._behind(whole, self.part(part))
                return whole
            case Choice(options):
                first, last, empty = 0, 0, False
                for option in options:
                    begins, ends, may_be_empty = self.part(option)
                    first, last, empty = first | begins, last | ends, empty or may_be_empty
                return first, last, empty
            case Repeat(part, least, most):
                whole = (0, 0, True)
                for _ in range(least if most is not None else max(least, 1)):
                    own = self.part(part)
                    whole = self._behind(whole, own)
                if most is None:
                    self._link(own[1], own[0])
                    return (whole[0], whole[1], whole[2] or least == 0)
                for _ in range(most - least):
                    first, last, _empty = self.part(part)
                    whole = self._behind(whole, (first, last, True))
                return whole
            case _:
                assert_never(tree)

    def _behind(self, left: tuple[int, int, bool], right: tuple[int, int, bool]) -> tuple[int, int, bool]:
        self._link(left[1], right[0])
        return (
            left[0] | (right[0] if left[2] else 0),
            right[1] | (left[1] if right[2] else 0),
            left[2] and right[2],
        )

    def _link(self, ends: int, begins: int) -> None:
        while ends:
            bit = ends & -ends
            self.following[bit.bit_length() - 1] |= begins
            ends ^= bit


@lru_cache(maxsize=1024)
def _automaton(tree: Regex) -> _Automaton:
    builder = _Builder()
    first, last, empty = builder.part(tree)
    builder.following[0] = first
    entered_by: dict[str, int] = {}
    for number, accepted in enumerate(builder.accepted):
        for character in accepted:
            entered_by[character] = entered_by.get(character, 0) | 1 << number
    return _Automaton(tuple(builder.following), entered_by, last | 1 if empty else last)


def find_text(wanted: Iterable[Regex], unwanted: Iterable[Regex], alphabet: frozenset[str]) -> Found:
    """Return a shortest text, in letters of the alphabet, that all of the wanted match and none of the unwanted."""
    ours = tuple(_automaton(tree) for tree in dict.fromkeys(wanted))
    theirs = tuple(_automaton(tree) for tree in dict.fromkeys(unwanted))
    every = (*ours, *theirs)
    letters = _letters(every, alphabet)
    start = (1,) * len(every)
    came_from: dict[tuple[int, ...], tuple[tuple[int, ...], str] | None] = {start: None}
    level = [start]
    while level:
        following: list[tuple[int, ...]] = []
        for states in level:
            if all(own & automaton.accepting for own, automaton in zip(states, ours, strict=False)) and not any(
                own & automaton.accepting for own, automaton in zip(states[len(ours) :], theirs, strict=True)
            ):
                return _way(came_from, states)
            ahead = [automaton.ahead(own) for own, automaton in zip(states, every, strict=True)]
            for entered, letter in letters.items():
                reached = tuple([own & mask for own, mask in zip(ahead, entered, strict=True)])
                if reached not in came_from and all(reached[: len(ours)]):
                    if len(came_from) >= MOST_STATES:
                        return NoText.UNKNOWN
                    came_from[reached] = (states, letter)
                    following.append(reached)
        level = following
    return NoText.NONE


def matched_together(trees: Iterable[Regex], unwanted: Iterable[Regex], alphabet: frozenset[str]) -> set[int] | None:
    """Return which sets of expressions (bits, by their order) some text matches, and no others; None at the bound.

    Only texts count that none of the unwanted matches.
    """
    ours = tuple(_automaton(tree) for tree in trees)
    every = (*ours, *(_automaton(tree) for tree in dict.fromkeys(unwanted)))
    letters = _letters(every, alphabet)
    start = (1,) * len(every)
    seen = {start}
    level = [start]
    found: set[int] = set()
    while level:
        following: list[tuple[int, ...]] = []
        for states in level:
            matched = sum(
                1 << number
                for number, (own, automaton) in enumerate(zip(states, every, strict=True))
                if own & automaton.accepting
            )
            if not matched >> len(ours):
                found.add(matched)
            ahead = [automaton.ahead(own) for own, automaton in zip(states, every, strict=True)]
            for entered in letters:
                reached = tuple([own & mask for own, mask in zip(ahead, entered, strict=True)])
                if reached not in seen:
                    if len(seen) >= MOST_STATES:
                        return None
                    seen.add(reached)
                    following.append(reached)
        level = following
    return found


def _letters(automata: tuple[_Automaton, ...], alphabet: frozenset[str]) -> dict[tuple[int, ...], str]:
    """Return one letter of each class of letters that no automaton tells apart, plain ones first.

    A class is known by the states of each automaton that its letters enter.
    """
    classes: dict[tuple[int, ...], str] = {}
    for letter in _in_order(alphabet):
        classes.setdefault(tuple([automaton.entered_by.get(letter, 0) for automaton in automata]), letter)
    return classes


@lru_cache(maxsize=64)
def _in_order(alphabet: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(alphabet, key=preference))


def _way(came_from: dict[tuple[int, ...], tuple[tuple[int, ...], str] | None], states: tuple[int, ...]) -> str:
    letters = []
    while (step := came_from[states]) is not None:
        states, letter = step
        letters.append(letter)
    return "".join(reversed(letters))


def preference(character: str) -> tuple[int, str]:
    """Return how odd a character looks in an example, least first."""
    place = PREFERRED.find(character)
    return (place if place >= 0 else len(PREFERRED), character)


def literal(text: str) -> Regex:
    """Return the expression that matches this text alone."""
    return Sequence(tuple(Characters(frozenset({character})) for character in text))


def one_of_texts(texts: Iterable[str]) -> Regex:
    """Return the expression that matches these texts."""
    return Choice(tuple(literal(text) for text in texts))
