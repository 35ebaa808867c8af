"""Sets of texts as minimal automata, each of which exists once: equal sets are the same object.

The letters are the ASCII characters and one that stands for all others. A state's moves are pairs of a set of letters
(a bit mask) and the next state; together they cover every letter. States are numbered in the order of first use, so
that a language has one form only (Myhill and Nerode).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import cache
from typing import TypeAlias, TypeVar

from meshc_compiler.regex import BEYOND, PREFERRED, Characters, Choice, Regex, Repeat, Sequence
from meshc_lang.record import dataclass

LETTERS = 129
EVERY_LETTER = (1 << LETTERS) - 1
_BEYOND_BIT = 1 << 128

MOST_STATES = 20_000
"""The most states that one automaton may have before it is made minimal."""

Row: TypeAlias = tuple[tuple[int, int], ...]
"""The moves of a state: letters and where they lead, by the lowest letter."""


State = TypeVar("State", bound=Hashable)


class TooLargeError(Exception):
    """A language would need more than `MOST_STATES` states."""


@dataclass(frozen=True, eq=False, slots=True)
class Language:
    """A set of texts; two are equal exactly if they are the same object. `accepting` is a mask of states, 0 begins."""

    rows: tuple[Row, ...]
    accepting: int

    @property
    def is_empty(self) -> bool:
        """Whether no text is in it."""
        return not self.accepting

    def holds(self, text: str) -> bool:
        """Tell whether a text is in it."""
        state = 0
        for character in text:
            bit = letter_bit(character)
            state = next(target for letters, target in self.rows[state] if letters & bit)
        return bool(self.accepting >> state & 1)

    def example(self) -> str | None:
        """Return a shortest text of the language, of plain characters where there is a choice; None if it is empty."""
        came: dict[int, tuple[int, int] | None] = {0: None}
        queue = [0]
        for state in queue:
            if self.accepting >> state & 1:
                letters: list[str] = []
                step = came[state]
                while step is not None:
                    state, mask = step
                    letters.append(plainest(mask))
                    step = came[state]
                return "".join(reversed(letters))
            for mask, target in sorted(self.rows[state], key=lambda move: _oddness(plainest(move[0]))):
                if target not in came:
                    came[target] = (state, mask)
                    queue.append(target)
        return None


def letter_bit(character: str) -> int:
    """Return the bit of a character."""
    return 1 << ord(character) if character < BEYOND else _BEYOND_BIT


@cache
def plainest(mask: int) -> str:
    """Return the plainest letter of a set that is not empty."""
    letters = (chr(number) for number in range(LETTERS) if mask >> number & 1)
    return min(letters, key=_oddness)


def _oddness(character: str) -> tuple[int, str]:
    place = PREFERRED.find(character)
    visible = "!" <= character <= "~"
    return (place if place >= 0 else 100 if visible else 200, character)


def letters_of(characters: Iterable[str]) -> int:
    """Return characters as a bit mask."""
    mask = 0
    for character in characters:
        mask |= letter_bit(character)
    return mask


_interned: dict[tuple[tuple[Row, ...], int], Language] = {}


def _minimal(rows: list[Row], accepting: int) -> Language:
    """Return the language of a complete automaton whose states are all reachable from 0 (Moore's refinement).

    It begins with the blocks of states from which an accepting one is equally far: such an expression's states are a
    row of characters, which would else be told apart one by one from its end.
    """
    count = len(rows)
    block = _distances(rows, accepting)
    blocks = len(set(block))
    while blocks < count:
        signatures: dict[tuple[int, frozenset[tuple[int, int]]], int] = {}
        block = [
            signatures.setdefault((block[state], _by_block(rows[state], block)), len(signatures))
            for state in range(count)
        ]
        if len(signatures) == blocks:
            break
        blocks = len(signatures)
    member = {block[state]: state for state in range(count - 1, -1, -1)}
    number = {block[0]: 0}
    order = [block[0]]
    final: list[Row] = []
    for one in order:
        merged = _merged(rows[member[one]], block)
        for _, target in merged:
            if target not in number:
                number[target] = len(order)
                order.append(target)
        final.append(tuple((mask, number[target]) for mask, target in merged))
    mask = 0
    for position, one in enumerate(order):
        mask |= (accepting >> member[one] & 1) << position
    key = (tuple(final), mask)
    found = _interned.get(key)
    if found is None:
        found = _interned[key] = Language(key[0], mask)
    return found


def _distances(rows: list[Row], accepting: int) -> list[int]:
    """Return of each state how many letters lead at least from it to an accepting one; -1 if none do."""
    before: list[list[int]] = [[] for _ in rows]
    for state, row in enumerate(rows):
        for _, target in row:
            before[target].append(state)
    queue = [state for state in range(len(rows)) if accepting >> state & 1]
    distances = [-1] * len(rows)
    for state in queue:
        distances[state] = 0
    for state in queue:
        for other in before[state]:
            if distances[other] < 0:
                distances[other] = distances[state] + 1
                queue.append(other)
    return distances


def _by_block(row: Row, block: list[int]) -> frozenset[tuple[int, int]]:
    """Return the moves by block, in no order."""
    masks: dict[int, int] = {}
    for mask, target in row:
        masks[block[target]] = masks.get(block[target], 0) | mask
    return frozenset(masks.items())


def _merged(row: Row, block: list[int]) -> Row:
    """Return the moves by block, in the order of their lowest letter."""
    masks: dict[int, int] = {}
    for mask, target in row:
        masks[block[target]] = masks.get(block[target], 0) | mask
    return tuple(sorted(((mask, target) for target, mask in masks.items()), key=lambda move: move[0] & -move[0]))


def _explored(
    start: State, moves: Callable[[State], list[tuple[int, State]]], accepts: Callable[[State], bool]
) -> Language:
    number = {start: 0}
    order = [start]
    rows: list[Row] = []
    accepting = 0
    for position, state in enumerate(order):
        if accepts(state):
            accepting |= 1 << position
        row = []
        for mask, target in moves(state):
            if target not in number:
                if len(order) >= MOST_STATES:
                    raise TooLargeError
                number[target] = len(order)
                order.append(target)
            row.append((mask, number[target]))
        rows.append(tuple(row))
    return _minimal(rows, accepting)


# ---- from expressions


class _Positions:
    """An automaton without empty moves: one state for each character of an expression (Glushkov)."""

    def __init__(self) -> None:
        self.letters: list[int] = [0]
        self.following: list[set[int]] = [set()]

    def part(self, tree: Regex) -> tuple[set[int], set[int], bool]:
        """Return where texts of a part begin and end, and whether it may be empty."""
        match tree:
            case Characters(accepted):
                self.letters.append(_mask_of(accepted))
                self.following.append(set())
                if len(self.letters) > MOST_STATES:
                    raise TooLargeError
                here = len(self.letters) - 1
                return {here}, {here}, False
            case Sequence(parts):
                whole: tuple[set[int], set[int], bool] = (set(), set(), True)
                for part in parts:
                    whole = self._behind(whole, self.part(part))
                return whole
            case Choice(options):
                first: set[int] = set()
                last: set[int] = set()
                empty = False
                for option in options:
                    begins, ends, may_be_empty = self.part(option)
                    first |= begins
                    last |= ends
                    empty |= may_be_empty
                return first, last, empty
            case Repeat(part, least, most):
                whole = (set(), set(), True)
                for _ in range(least if most is not None else max(least, 1)):
                    own = self.part(part)
                    whole = self._behind(whole, own)
                if most is None:
                    for end in own[1]:
                        self.following[end] |= own[0]
                    return (whole[0], whole[1], whole[2] or least == 0)
                for _ in range(most - least):
                    first, last, _empty = self.part(part)
                    whole = self._behind(whole, (first, last, True))
                return whole

    def _behind(
        self, left: tuple[set[int], set[int], bool], right: tuple[set[int], set[int], bool]
    ) -> tuple[set[int], set[int], bool]:
        for end in left[1]:
            self.following[end] |= right[0]
        return (
            left[0] | right[0] if left[2] else left[0],
            right[1] | left[1] if right[2] else right[1],
            left[2] and right[2],
        )


@cache
def _mask_of(accepted: frozenset[str]) -> int:
    return letters_of(accepted)


@cache
def language_of(tree: Regex) -> Language:
    """Return the texts that an expression matches as a whole."""
    positions = _Positions()
    first, last, empty = positions.part(tree)
    positions.following[0] = first
    ends = last | {0} if empty else last
    letters, following = positions.letters, positions.following

    def moves(state: frozenset[int]) -> list[tuple[int, frozenset[int]]]:
        split: list[tuple[int, frozenset[int]]] = [(EVERY_LETTER, frozenset())]
        reached: set[int] = set()
        for position in state:
            reached |= following[position]
        by_letters: dict[int, set[int]] = {}
        for position in reached:
            by_letters.setdefault(letters[position], set()).add(position)
        for mask, targets in by_letters.items():
            pieces = []
            for letters_left, into in split:
                inside, outside = letters_left & mask, letters_left & ~mask
                if inside:
                    pieces.append((inside, into | targets))
                if outside:
                    pieces.append((outside, into))
            split = pieces
        return list(split)

    return _explored(frozenset({0}), moves, lambda state: not ends.isdisjoint(state))


# ---- operations


@cache
def intersection(left: Language, right: Language) -> Language:
    """Return the texts in both."""
    return _product(left, right, lambda one, other: one and other)


@cache
def union(left: Language, right: Language) -> Language:
    """Return the texts in either."""
    return _product(left, right, lambda one, other: one or other)


@cache
def difference(left: Language, right: Language) -> Language:
    """Return the texts in the first alone."""
    return _product(left, right, lambda one, other: one and not other)


def union_of(languages: Iterable[Language]) -> Language:
    """Return the texts in any."""
    whole = NOTHING
    for language in languages:
        whole = union(whole, language)
    return whole


def _product(left: Language, right: Language, accept: Callable[[bool, bool], bool]) -> Language:
    def moves(state: tuple[int, int]) -> list[tuple[int, tuple[int, int]]]:
        one, other = state
        return [
            (mask & other_mask, (target, other_target))
            for mask, target in left.rows[one]
            for other_mask, other_target in right.rows[other]
            if mask & other_mask
        ]

    def accepts(state: tuple[int, int]) -> bool:
        one, other = state
        return accept(bool(left.accepting >> one & 1), bool(right.accepting >> other & 1))

    return _explored((0, 0), moves, accepts)


def classes(languages: tuple[Language, ...], within: Language, most: int) -> list[tuple[int, str]]:
    """Return, for each way in which texts of `within` lie in or out of the languages, its mask and such a text.

    Raises:
        TooLargeError: more than `most` combinations of states would be visited.
    """
    every = (within, *languages)
    start = (0,) * len(every)
    came: dict[tuple[int, ...], tuple[tuple[int, ...], int] | None] = {start: None}
    queue = [start]
    found: dict[int, tuple[int, ...]] = {}
    for states in queue:
        if within.accepting >> states[0] & 1:
            mask = 0
            for position, (language, state) in enumerate(zip(languages, states[1:], strict=True)):
                mask |= (language.accepting >> state & 1) << position
            found.setdefault(mask, states)
        moves: list[tuple[int, tuple[int, ...]]] = [(EVERY_LETTER, ())]
        for language, state in zip(every, states, strict=True):
            moves = [
                (letters & own, (*targets, target))
                for letters, targets in moves
                for own, target in language.rows[state]
                if letters & own
            ]
        for letters, targets in sorted(moves, key=lambda move: _oddness(plainest(move[0]))):
            if targets not in came and not _is_dead(within, targets[0]):
                if len(came) >= most:
                    raise TooLargeError
                came[targets] = (states, letters)
                queue.append(targets)
    result = []
    for mask, states in found.items():
        letters_back: list[str] = []
        step = came[states]
        while step is not None:
            states, letters = step
            letters_back.append(plainest(letters))
            step = came[states]
        result.append((mask, "".join(reversed(letters_back))))
    return result


def _is_dead(language: Language, state: int) -> bool:
    row = language.rows[state]
    return len(row) == 1 and row[0][1] == state and not language.accepting >> state & 1


def following(language: Language, beginning: str) -> Language:
    """Return the texts that, behind the beginning, are in the language."""
    state = 0
    for character in beginning:
        bit = letter_bit(character)
        state = next(target for letters, target in language.rows[state] if letters & bit)
    accepting, rows = language.accepting, language.rows
    return _explored(
        state,
        lambda one: [(mask, target) for mask, target in rows[one]],
        lambda one: bool(accepting >> one & 1),
    )


def only(text: str) -> Regex:
    """Return the expression of one text alone."""
    return Sequence(tuple(Characters(frozenset({character if character < BEYOND else BEYOND})) for character in text))


ANY_LETTER = Characters(frozenset({*map(chr, range(128)), BEYOND}))
ANY_TEXT = Repeat(ANY_LETTER, 0, None)
NOTHING = language_of(Choice(()))
EVERYTHING = language_of(ANY_TEXT)
