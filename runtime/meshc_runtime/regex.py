r"""RE2 full matching in time linear in the input: a regular expression run as a lazily built automaton.

Python's own `re` backtracks, so that a path chosen by a caller could hold the proxy for minutes, and reads
some expressions differently from RE2. What is not understood here is refused when the policy is loaded.
Supported: literals, `.`, classes, `[:name:]`, `\d \w \s` and their complements, escapes, groups, `|`,
`* + ? {m,n}` with or without `?`, `^ $ \A \z`, and a leading `(?i)`. Input is ASCII without newline.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import assert_never

_ALL = frozenset(chr(code) for code in range(128))
_DIGITS = frozenset(string.digits)
_WORD = frozenset(string.ascii_letters + string.digits + "_")
_SPACE = frozenset("\t\n\f\r ")
_CLASSES = {"d": _DIGITS, "D": _ALL - _DIGITS, "w": _WORD, "W": _ALL - _WORD, "s": _SPACE, "S": _ALL - _SPACE}
_NAMED = {
    "alnum": frozenset(string.ascii_letters + string.digits),
    "alpha": frozenset(string.ascii_letters),
    "blank": frozenset("\t "),
    "digit": _DIGITS,
    "lower": frozenset(string.ascii_lowercase),
    "punct": frozenset(string.punctuation),
    "space": frozenset("\t\n\v\f\r "),
    "upper": frozenset(string.ascii_uppercase),
    "word": _WORD,
    "xdigit": frozenset(string.hexdigits),
}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_MAX_REPEAT = 1000
_MAX_STATES = 20_000
_MAX_CACHED = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _One:
    characters: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edge:
    """`^` or `$`: the start or the end of the whole text."""

    start: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sequence:
    parts: tuple[_Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    options: tuple[_Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Repeat:
    part: _Node
    least: int
    most: int | None


_Node = _One | _Edge | _Sequence | _Choice | _Repeat


class _Parser:
    """Recursive descent over the RE2 syntax page, as far as the module's docstring says."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.fold_case = False
        if text.startswith("(?i)"):
            self.at = 4
            self.fold_case = True

    def parse(self) -> _Node:
        node = self.choice()
        if self.at != len(self.text):
            raise self.refused("an unmatched `)`")
        return node

    def refused(self, what: str) -> ValueError:
        return ValueError(f"regular expression `{self.text}` has {what}")

    def peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self) -> str:
        if self.at >= len(self.text):
            raise self.refused("an unfinished end")
        self.at += 1
        return self.text[self.at - 1]

    def choice(self) -> _Node:
        options = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            options.append(self.sequence())
        return options[0] if len(options) == 1 else _Choice(options=tuple(options))

    def sequence(self) -> _Node:
        parts: list[_Node] = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.repeated())
        return _Sequence(parts=tuple(parts))

    def repeated(self) -> _Node:
        node = self.atom()
        bounds = self.quantifier()
        if bounds is None:
            return node
        if self.peek() == "?":  # a reluctant quantifier matches the same texts as a whole
            self.at += 1
        if self.quantifier() is not None:
            raise self.refused("a quantifier of a quantifier")
        if isinstance(node, _Edge):
            raise self.refused("a quantifier of `^` or `$`")
        return _Repeat(part=node, least=bounds[0], most=bounds[1])

    def quantifier(self) -> tuple[int, int | None] | None:
        match self.peek():
            case "*":
                self.at += 1
                return 0, None
            case "+":
                self.at += 1
                return 1, None
            case "?":
                self.at += 1
                return 0, 1
            case "{":
                return self.braces()
            case _:
                return None

    def braces(self) -> tuple[int, int | None]:
        close = self.text.find("}", self.at)
        least, comma, most = self.text[self.at + 1 : close].partition(",")
        if close < 0 or not (least.isascii() and least.isdigit()) or (most and not most.isdigit()):
            raise self.refused("a brace that is not a repetition; write `\\{`")
        self.at = close + 1
        low = int(least)
        high = low if not comma else int(most) if most else None
        if low > _MAX_REPEAT or (high is not None and (high > _MAX_REPEAT or high < low)):
            raise self.refused("a repetition out of range")
        return low, high

    def atom(self) -> _Node:
        character = self.take()
        match character:
            case "(":
                return self.group()
            case "[":
                return _One(characters=self.folded(self.character_class()))
            case ".":
                return _One(characters=_ALL - {"\n"})
            case "^" | "$":
                return _Edge(start=character == "^")
            case "\\":
                return self.escape()
            case "*" | "+" | "?" | "{":
                raise self.refused(f"nothing before `{character}`")
            case _:
                return self.literal(character)

    def group(self) -> _Node:
        if self.peek() == "?":
            rest = self.text[self.at :]
            if rest.startswith("?:"):
                self.at += 2
            elif rest.startswith(("?P<", "?<")) and not rest.startswith(("?<=", "?<!")):
                self.at = self.text.find(">", self.at) + 1
                if self.at == 0:
                    raise self.refused("an unfinished group name")
            else:
                raise self.refused("a group of a kind that is not supported")
        node = self.choice()
        if self.take() != ")":
            raise self.refused("an unclosed group")
        return node

    def escape(self) -> _Node:
        character = self.take()
        if character in _CLASSES:
            return _One(characters=_CLASSES[character])
        if character in ("A", "z"):
            return _Edge(start=character == "A")
        return self.literal(self.escaped_character(character))

    def escaped_character(self, character: str) -> str:
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character == "x":
            digits = self.take() + self.take()
            try:
                code = int(digits, 16)
            except ValueError:
                raise self.refused("a malformed `\\x` escape") from None
            if code > 127:
                raise self.refused("a character outside ASCII")
            return chr(code)
        if character.isalnum() or not character.isascii():
            raise self.refused(f"an escape `\\{character}` that is not supported")
        return character

    def literal(self, character: str) -> _One:
        if not character.isascii():
            raise self.refused("a character outside ASCII")
        return _One(characters=self.folded(frozenset(character)))

    def folded(self, characters: frozenset[str]) -> frozenset[str]:
        if not self.fold_case:
            return characters
        return frozenset(other for one in characters for other in (one, one.lower(), one.upper()))

    def character_class(self) -> frozenset[str]:
        negated = self.peek() == "^"
        if negated:
            self.at += 1
        members: set[str] = set()
        first = True
        while first or self.peek() != "]":
            first = False
            low = self.class_member()
            if self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                high = self.class_member()
                if len(low) != 1 or len(high) != 1 or min(low) > min(high):
                    raise self.refused("a malformed range in a class")
                members.update(chr(code) for code in range(ord(min(low)), ord(min(high)) + 1))
            else:
                members.update(low)
        self.at += 1
        chosen = self.folded(frozenset(members))
        return _ALL - chosen if negated else chosen

    def class_member(self) -> frozenset[str]:
        character = self.take()
        if character == "[" and self.peek() == ":":
            end = self.text.find(":]", self.at + 1)
            name = self.text[self.at + 1 : end] if end > 0 else ""
            if name not in _NAMED:
                raise self.refused("an unknown named class")
            self.at = end + 2
            return _NAMED[name]
        if character == "\\":
            character = self.take()
            if character in _CLASSES:
                return _CLASSES[character]
            return frozenset(self.escaped_character(character))
        if not character.isascii():
            raise self.refused("a character outside ASCII")
        return frozenset(character)


class _Automaton:
    """Thompson's construction: states with empty moves, and states that read one character."""

    def __init__(self) -> None:
        self.empty: list[list[int]] = []
        self.reads: list[tuple[frozenset[str], int] | None] = []
        self.edges: list[tuple[bool, int] | None] = []

    def state(self) -> int:
        if len(self.empty) >= _MAX_STATES:
            raise ValueError("the regular expression is too large")
        self.empty.append([])
        self.reads.append(None)
        self.edges.append(None)
        return len(self.empty) - 1

    def build(self, node: _Node, start: int) -> int:
        """Add `node` after `start`; answers the state that follows it."""
        match node:
            case _One():
                end = self.state()
                source = self.state()
                self.empty[start].append(source)
                self.reads[source] = (node.characters, end)
                return end
            case _Edge():
                end = self.state()
                source = self.state()
                self.empty[start].append(source)
                self.edges[source] = (node.start, end)
                return end
            case _Sequence():
                for part in node.parts:
                    start = self.build(part, start)
                return start
            case _Choice():
                end = self.state()
                for option in node.options:
                    entry = self.state()
                    self.empty[start].append(entry)
                    self.empty[self.build(option, entry)].append(end)
                return end
            case _Repeat():
                return self.repeat(node, start)
            case _:
                assert_never(node)

    def repeat(self, node: _Repeat, start: int) -> int:
        # The last copy of an endless part is the one that loops: `((a+)+)+` reads `a` in one place, not in eight.
        for _ in range(node.least - 1 if node.most is None else node.least):
            start = self.build(node.part, start)
        end = self.state()
        if node.most is None:
            loop = self.state()
            self.empty[start].append(loop)
            after = self.build(node.part, loop)
            self.empty[after] += [loop, end]
            if node.least == 0:
                self.empty[start].append(end)
            return end
        for _ in range(node.most - node.least):
            self.empty[start].append(end)
            entry = self.state()
            self.empty[start].append(entry)
            start = self.build(node.part, entry)
        self.empty[start].append(end)
        return end


class LinearRegex:
    """A compiled expression; `matches` is a full match and takes time linear in the text."""

    def __init__(self, pattern: str) -> None:
        """Compile an RE2 expression.

        Raises:
            ValueError: the expression is malformed or uses something not supported.
        """
        self.pattern = pattern
        self._automaton = _Automaton()
        entry = self._automaton.state()
        try:
            self._accepting = self._automaton.build(_Parser(pattern).parse(), entry)
        except RecursionError:
            raise ValueError(f"regular expression `{pattern}` is nested too deeply") from None
        self._start = self._closure({entry}, at_start=True, at_end=False)
        self._accepts_empty = self._accepting in self._closure({entry}, at_start=True, at_end=True)
        self._moves: dict[tuple[frozenset[int], str], frozenset[int]] = {}
        self._accepts: dict[frozenset[int], bool] = {}

    def matches(self, text: str) -> bool:
        """Whether the whole text matches."""
        if not text:
            return self._accepts_empty
        states = self._start
        for character in text:
            following = self._moves.get((states, character))
            if following is None:
                following = self._move(states, character)
            if not following:
                return False
            states = following
        accepted = self._accepts.get(states)
        if accepted is None:
            accepted = self._accepting in self._closure(set(states), at_start=False, at_end=True)
            self._remember()
            self._accepts[states] = accepted
        return accepted

    def _move(self, states: frozenset[int], character: str) -> frozenset[int]:
        reached: set[int] = set()
        for state in states:
            read = self._automaton.reads[state]
            if read is not None and character in read[0]:
                reached.add(read[1])
        following = self._closure(reached, at_start=False, at_end=False)
        self._remember()
        self._moves[(states, character)] = following
        return following

    def _remember(self) -> None:
        if len(self._moves) + len(self._accepts) >= _MAX_CACHED:
            self._moves.clear()
            self._accepts.clear()

    def _closure(self, states: set[int], *, at_start: bool, at_end: bool) -> frozenset[int]:
        todo = list(states)
        reached = set(states)
        while todo:
            state = todo.pop()
            following = list(self._automaton.empty[state])
            edge = self._automaton.edges[state]
            if edge is not None and (at_start if edge[0] else at_end):
                following.append(edge[1])
            for target in following:
                if target not in reached:
                    reached.add(target)
                    todo.append(target)
        return frozenset(reached)
