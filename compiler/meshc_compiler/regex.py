r"""Regular expressions of paths and values: the part of RE2 in which RE2 and Python's `re` say the same.

Taken are: literals of visible ASCII (and spaces, where values may hold them), escaped punctuation, `.`, the classes
`\d \D \w \W \s \S` and `[…]` of characters, ranges and those classes, groups `(…)`, `(?:…)` and `(?P<name>…)`,
alternation, and the repetitions `* + ? {n} {n,} {n,m}` up to 1000, each perhaps lazy. The whole must match, so anchors
say nothing and are refused. Refused is what RE2 lacks (look-around, back-references, possessive and atomic groups) and
what engines read differently (inline flags, `\b`, POSIX classes, a bare `{`, nested sets).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from itertools import islice, product
from typing import TypeAlias, assert_never

from meshc_lang.record import dataclass

LONGEST = 1000
"""The most characters of an expression, and the most repetitions of a part: RE2 takes no more repetitions."""

_DEEPEST = 50
_MOST_PARTS = 5000
_VISIBLE = frozenset(map(chr, range(0x21, 0x7F)))
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS = frozenset("0123456789")
_WORD = frozenset(_LETTERS + "0123456789_")
_SPACES = frozenset(" \t\n\f\r")

BEYOND = "\x80"
"""What stands for every character outside ASCII: expressions do not tell one from another."""

_ASCII_AND_BEYOND = frozenset({*map(chr, range(128)), BEYOND})


@dataclass(frozen=True, slots=True)
class _Alphabet:
    """The characters of a kind of text: all, those that `.` takes, those that may be written as they are."""

    all: frozenset[str]
    dot: frozenset[str]
    literals: frozenset[str]
    what: str
    no_literal: str

    def escape(self, letter: str) -> frozenset[str] | None:
        """Return the class that a letter behind a backslash stands for."""
        named = {"d": _DIGITS, "w": _WORD, "s": _SPACES}.get(letter.lower())
        if named is None:
            return None
        return named & self.all if letter.islower() else self.all - named


class Subject(Enum):
    """What an expression is about: canonical paths, which are visible ASCII, or values, which are any text."""

    PATH = _Alphabet(_VISIBLE, _VISIBLE, _VISIBLE, "path", "no path holds a space, a control or a non-ASCII character")
    VALUE = _Alphabet(
        _ASCII_AND_BEYOND,
        _ASCII_AND_BEYOND - {"\n"},
        _VISIBLE | {" "},
        "value",
        "an expression is written in visible ASCII characters and spaces: `.` stands for others too",
    )


PREFERRED = "a0A-_." + "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""The characters that look plainest in an example, plainest first."""


@dataclass(frozen=True, slots=True)
class Characters:
    """One character out of a set; the set may be empty, since no path holds a space."""

    accepted: frozenset[str]


@dataclass(frozen=True, slots=True)
class Sequence:
    """Parts one after the other."""

    parts: tuple[Regex, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several."""

    options: tuple[Regex, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part again and again; `most` None means without end."""

    part: Regex
    least: int
    most: int | None


Regex: TypeAlias = Characters | Sequence | Choice | Repeat
"""An expression as a tree."""


@dataclass(frozen=True, slots=True)
class RegexProblem:
    """Why an expression is refused, and where in it (an offset in characters)."""

    message: str
    offset: int


def parse_regex(pattern: str, subject: Subject = Subject.PATH) -> Regex | RegexProblem:
    """Read an expression, or say why it is refused."""
    if len(pattern) > LONGEST:
        return RegexProblem(f"an expression has at most {LONGEST} characters", LONGEST)
    reader = _Reader(pattern, subject.value)
    try:
        tree = reader.choice(0)
        if reader.at < len(pattern):
            raise _RefusedError("a `)` without its `(`", reader.at)
    except _RefusedError as error:
        return RegexProblem(error.message, error.offset)
    if _size(tree) > LONGEST:
        return RegexProblem(f"the repetitions add up to more than {LONGEST} characters", 0)
    if _parts(tree) > _MOST_PARTS:
        return RegexProblem(f"groups and repetitions within repetitions add up to more than {_MOST_PARTS} parts", 0)
    return tree


class _RefusedError(Exception):
    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class _Reader:
    """Recursive descent over the characters of a pattern."""

    def __init__(self, pattern: str, alphabet: _Alphabet) -> None:
        self.pattern = pattern
        self.alphabet = alphabet
        self.at = 0

    def peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def take(self) -> str:
        character = self.peek()
        if not character:
            raise _RefusedError("the expression ends too early", self.at)
        self.at += 1
        return character

    def choice(self, depth: int) -> Regex:
        if depth > _DEEPEST:
            raise _RefusedError(f"groups nest at most {_DEEPEST} deep", self.at)
        options = [self.sequence(depth)]
        while self.peek() == "|":
            self.at += 1
            options.append(self.sequence(depth))
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def sequence(self, depth: int) -> Regex:
        parts: list[Regex] = []
        while self.peek() and self.peek() not in "|)":
            parts.append(self.repeated(depth))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def repeated(self, depth: int) -> Regex:
        part = self.atom(depth)
        start = self.at
        mark = self.peek()
        if not mark or mark not in "*+?{":
            return part
        self.at += 1
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(mark) or self.bounds(start)
        if self.peek() == "?":  # lazy: no difference where the whole must match
            self.at += 1
        if self.peek() and self.peek() in "*+?{":
            raise _RefusedError("a repetition of a repetition (RE2 has no possessive ones)", self.at)
        return Repeat(part, least, most)

    def bounds(self, start: int) -> tuple[int, int | None]:
        end = self.pattern.find("}", start)
        low, comma, high = self.pattern[start + 1 : max(end, start + 1)].partition(",")
        numbers = [low] if not high else [low, high]
        if end == -1 or not all(text.isascii() and text.isdigit() and len(text) <= 4 for text in numbers):
            raise _RefusedError("a `{` that begins no repetition: write `\\{`", start)
        least = int(low)
        most = int(high) if high else (None if comma else least)
        if max(least, most or 0) > LONGEST or (most is not None and most < least):
            raise _RefusedError(f"a repetition runs from a smaller to a greater number, at most {LONGEST}", start)
        self.at = end + 1
        return least, most

    def atom(self, depth: int) -> Regex:
        start = self.at
        character = self.take()
        match character:
            case "(":
                return self.group(start, depth)
            case "[":
                return self.character_class(start)
            case ".":
                return Characters(self.alphabet.dot)
            case "\\":
                return Characters(self.escape(start))
            case "^" | "$":
                raise _RefusedError(f"`{character}` is not needed: the whole {self.alphabet.what} must match", start)
            case "*" | "+" | "?" | "{":
                raise _RefusedError(f"`{character}` repeats nothing", start)
        return Characters(frozenset({self.literal(character, start)}))

    def literal(self, character: str, offset: int) -> str:
        if character not in self.alphabet.literals:
            raise _RefusedError(self.alphabet.no_literal, offset)
        return character

    def group(self, start: int, depth: int) -> Regex:
        if self.peek() == "?":
            if self.pattern.startswith("?:", self.at):
                self.at += 2
            elif self.pattern.startswith("?P<", self.at):
                end = self.pattern.find(">", self.at)
                name = self.pattern[self.at + 3 : max(end, self.at + 3)]
                if end == -1 or not name.isidentifier() or not name.isascii():
                    raise _RefusedError("a group's name is a word", self.at)
                self.at = end + 1
            else:
                raise _RefusedError(self._unknown_group(), start)
        inner = self.choice(depth + 1)
        if self.peek() != ")":
            raise _RefusedError("a `(` without its `)`", start)
        self.at += 1
        return inner

    def _unknown_group(self) -> str:
        ahead = self.pattern[self.at : self.at + 3]
        if ahead.startswith(("?=", "?!", "?<=", "?<!")):
            return "RE2 has no look-around"
        if ahead.startswith("?>"):
            return "RE2 has no atomic groups"
        if ahead.startswith(("?P=", "?(")):
            return "RE2 has no back-references and no conditions"
        return f"inline flags are not taken: {self.alphabet.what}s are compared exactly"

    def escape(self, start: int) -> frozenset[str]:
        character = self.take()
        named = self.alphabet.escape(character)
        if named is not None:
            return named
        if character in _DIGITS:
            raise _RefusedError("RE2 has no back-references", start)
        if "!" <= character <= "~" and not character.isalnum():
            return frozenset({character})
        if character in "bBAzZG":
            raise _RefusedError(f"`\\{character}` is not taken: the whole {self.alphabet.what} must match", start)
        raise _RefusedError(f"`\\{character}` does not mean the same in every engine", start)

    def character_class(self, start: int) -> Regex:
        negated = self.peek() == "^"
        self.at += negated
        accepted: set[str] = set()
        first = True
        while first or self.peek() != "]":
            at = self.at
            low = self.class_member(start, first)
            first = False
            if self.peek() == "-" and self.pattern[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                high = self.class_member(start, first=False)
                if len(low) != 1 or len(high) != 1 or min(low) > min(high):
                    raise _RefusedError("a range runs from one character to a later one", at)
                low = frozenset(map(chr, range(ord(min(low)), ord(min(high)) + 1)))
            accepted |= low
        self.at += 1
        return Characters(self.alphabet.all - accepted if negated else frozenset(accepted))

    def class_member(self, start: int, first: bool) -> frozenset[str]:
        at = self.at
        if not self.peek():
            raise _RefusedError("a `[` without its `]`", start)
        character = self.take()
        if character == "\\":
            return self.escape(at)
        if character == "[" or (character == "]" and first):
            raise _RefusedError(f"write `\\{character}`: engines read a bare `{character}` in a class differently", at)
        if character in "&~|-" and self.peek() == character:
            raise _RefusedError(f"write `\\{character}`: a doubled `{character}` is a set operation elsewhere", at)
        return frozenset({self.literal(character, at)})


def _size(tree: Regex) -> int:
    """The characters that the tree stands for, repetitions multiplied."""
    match tree:
        case Characters():
            return 1
        case Sequence():
            return sum(_size(part) for part in tree.parts)
        case Choice():
            return sum(_size(option) for option in tree.options)
        case Repeat():
            return _size(tree.part) * max(tree.least, tree.most or 1, 1)
        case _:
            assert_never(tree)


def _parts(tree: Regex) -> int:
    """Everything that the tree stands for, characters or not, repetitions multiplied: bounds an automaton's states."""
    match tree:
        case Characters():
            return 1
        case Sequence():
            return max(1, sum(_parts(part) for part in tree.parts))
        case Choice():
            return sum(_parts(option) + 1 for option in tree.options)
        case Repeat():
            return (_parts(tree.part) + 1) * max(tree.least, tree.most or 1, 1)
        case _:
            assert_never(tree)


@lru_cache(maxsize=4096)
def compiled(pattern: str, subject: Subject = Subject.PATH) -> Regex:
    """Return the tree of an expression that is known to be taken."""
    tree = parse_regex(pattern, subject)
    if isinstance(tree, RegexProblem):
        raise ValueError(f"{pattern!r} is not taken: {tree.message}")
    return tree


def full_match(pattern: str, path: str) -> bool:
    """Tell whether an expression matches the whole path, in time that no pattern can blow up (as RE2 does it)."""
    return len(path) in _ends(compiled(pattern), path, {0})


def value_matches(pattern: str, value: str) -> bool:
    """Tell whether an expression matches the whole of a value: a header's member, a parameter, a cookie, a claim."""
    if not value.isascii():
        value = "".join(character if character.isascii() else BEYOND for character in value)
    return len(value) in _ends(compiled(pattern, Subject.VALUE), value, {0})


def _ends(tree: Regex, text: str, starts: set[int]) -> set[int]:
    """Return where matches of the tree can end that begin at any of the starts."""
    match tree:
        case Characters(accepted):
            return {at + 1 for at in starts if at < len(text) and text[at] in accepted}
        case Sequence(parts):
            for part in parts:
                starts = _ends(part, text, starts)
            return starts
        case Choice(options):
            return {end for option in options for end in _ends(option, text, starts)}
        case Repeat(part, least, most):
            for _ in range(least):
                if not starts:
                    return starts
                starts = _ends(part, text, starts)
            reached, new, count = set(starts), starts, least
            while new and (most is None or count < most):
                new = _ends(part, text, new) - reached
                reached |= new
                count += 1
            return reached
        case _:
            assert_never(tree)


def cover(tree: Regex) -> tuple[tuple[str, ...], ...]:
    """Return beginnings of paths, as whole segments, of which every path that the expression matches has one.

    `/v1/users/[a-m]+` begins with the segments `v1`, `users`; an expression that begins with no literal is covered by
    the empty beginning, which all paths have.
    """
    options = tree.options if isinstance(tree, Choice) else (tree,)
    beginnings = []
    for option in options:
        parts = option.parts if isinstance(option, Sequence) else (option,)
        literal = ""
        for part in parts:
            if not isinstance(part, Characters) or len(part.accepted) != 1:
                break
            literal += min(part.accepted)
        # What stands behind the last slash may be a part of a segment only.
        beginnings.append(tuple(literal.split("/")[1:-1]))
    return tuple(dict.fromkeys(beginnings))


def samples(tree: Regex, most: int) -> tuple[str, ...]:
    """Return a few different texts that the expression matches, plain ones first."""
    return tuple(islice(dict.fromkeys(islice(_texts(tree, most), most * 8)), most))


def _texts(tree: Regex, most: int) -> Iterator[str]:
    match tree:
        case Characters():
            ordered = sorted(tree.accepted, key=lambda c: (PREFERRED.find(c) % 1000, c))
            yield from ordered[: max(most, 2)]
        case Sequence():
            yield from _joined(tree.parts, most)
        case Choice():
            for option in tree.options:
                yield from islice(_texts(option, most), most)
        case Repeat():
            counts = dict.fromkeys((max(tree.least, min(1, tree.most or 1)), tree.least, tree.least + 1))
            for count in counts:
                if tree.most is None or count <= tree.most:
                    yield from _joined((tree.part,) * count, most)
        case _:
            assert_never(tree)


def _joined(parts: tuple[Regex, ...], most: int) -> Iterator[str]:
    """Texts of a sequence: each part plain first, then every part varied in turn, then some combinations."""
    choices = [tuple(islice(_texts(part, most), most)) for part in parts]
    if not all(choices):
        return
    plain = [choice[0] for choice in choices]
    yield "".join(plain)
    for position, choice in enumerate(choices):
        for text in choice[1:]:
            yield "".join((*plain[:position], text, *plain[position + 1 :]))
    if len(parts) <= 8:
        for combination in islice(product(*(choice[:3] for choice in choices)), most):
            yield "".join(combination)
