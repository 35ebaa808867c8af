"""Reads a text by the tables that Lark made of the grammar: one loop that finds tokens, and shifts and reduces them.

It does what Lark's contextual lexer and LALR(1) parser do with the same tables, and a test holds the two against each
other. It takes a third of their time and nothing of Lark's import: words are looked up instead of matched one by one,
a token that no builder is given is never made, and an expression is compiled when a text first needs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from meshc_lang.tables import AnyBucket, RuleRow, Tables

if TYPE_CHECKING:
    from meshc_lang.source import SourceText

__all__ = ["MOST_NESTED", "Builder", "Reader", "Stop", "Token"]

MOST_NESTED = 64
"""How deep braces, brackets and parentheses may nest: far beyond use, well within what recursion carries."""

_END = "$END"

_UNKNOWN, _PLAIN, _KEPT, _IGNORED, _COMMENT, _NEWLINE, _OPEN, _CLOSE = range(8)
"""What a token means to the loop: its type will tell, nothing but its type, something to a builder, nothing at all …"""

_MEANINGS = {
    "COMMENT": _COMMENT,
    "_NL": _NEWLINE,
    **dict.fromkeys(("LBRACE", "LSQB", "LPAR"), _OPEN),
    **dict.fromkeys(("RBRACE", "RSQB", "RPAR"), _CLOSE),
}

_UNIT, _WHOLE, _ONE, _PICKED, _SPREAD = range(5)
"""How a rule's value comes from those of its symbols: the only one; all; one; some; some of which are lists, joined."""

_Match: TypeAlias = Callable[[str, int], re.Match[str] | None]
_Children: TypeAlias = list[Any]
_ReadyBucket: TypeAlias = tuple[_Match | None, dict[str, str] | None, str, int]
_Reduction: TypeAlias = tuple[int, str, int, Any, Callable[[_Children], Any]]


class Token:
    """A piece of text that a rule is made of; offsets count from the beginning of the text that is read."""

    __slots__ = ("end_pos", "start_pos", "type", "value")

    def __init__(self, type_: str, value: str, start_pos: int, end_pos: int) -> None:
        self.type = type_
        self.value = value
        self.start_pos = start_pos
        self.end_pos = end_pos


class Builder(Protocol):
    """Makes values of rules: it has a method for each rule, named as the rule is, that takes the list of children."""

    def begin(self, source: SourceText, base: int) -> None:
        """Get ready to read a text that stands at offset `base` of `source`."""
        ...

    def on_comment(self, start: int, end: int) -> None:
        """Be told of a comment."""
        ...

    def on_newline(self, value: str, start: int, end: int) -> None:
        """Be told of line breaks, with the comments among them."""
        ...


class Stop(NamedTuple):
    """Where reading stopped, and what was read until then.

    `accepts` holds the terminals that could have followed the last token, and `too_deep` tells that one more brace was
    not the grammar's to refuse.
    """

    offset: int
    tokens: list[Token]
    accepts: frozenset[str]
    too_deep: bool


class _Lexer(dict[str, _ReadyBucket]):
    """How to tell which terminal stands at a character, in a state; made ready for a character at its first use."""

    def __init__(self, buckets: dict[str, AnyBucket], meanings: dict[str, int]) -> None:
        super().__init__()
        self._buckets = buckets
        self._meanings = meanings

    def __missing__(self, character: str) -> _ReadyBucket:
        raw = self._buckets.get(character)
        if raw is None:
            return (_nowhere, None, "", _PLAIN)  # not kept: a text may hold any number of characters
        if isinstance(raw, str):
            ready: _ReadyBucket = (None, None, raw, self._meanings.get(raw, _PLAIN))
        else:
            pattern, words, name = raw
            meaning = _UNKNOWN if words or not name else self._meanings.get(name, _PLAIN)
            ready = (re.compile(pattern).match, words, name, meaning)
        self[character] = ready
        return ready


class Reader:
    """Reads texts with one builder; not to be used by two threads at once."""

    def __init__(self, tables: Tables, builder: Any) -> None:
        self._starts = tables.starts
        self._ends = frozenset(end for _, end in tables.starts.values())
        self._actions = tables.actions
        self._gotos = tables.gotos
        self._meanings = dict.fromkeys(tables.kept, _KEPT) | dict.fromkeys(tables.ignored, _IGNORED) | _MEANINGS
        lexers = tuple(_Lexer(buckets, self._meanings) for buckets in tables.lexers)
        self._lexers = tuple(lexers[number] for number in tables.lexer_of)
        self._kept = frozenset(tables.kept)
        self._reductions = tuple(_reduction(row, builder) for row in tables.rules)
        self._builder: Builder = builder

    def read(self, source: SourceText, base: int, text: str, start: str) -> Any | None:
        """Read `text`, which stands at `base` of `source`, as a rule; None where it is none (`stop` says why)."""
        builder = self._builder
        builder.begin(source, base)
        on_comment, on_newline = builder.on_comment, builder.on_newline
        actions, gotos, lexers, reductions = self._actions, self._gotos, self._lexers, self._reductions
        kept, meaning_of = self._kept, self._meanings.get
        state, end_state = self._starts[start]
        states: list[int] = [state]
        values: list[Any] = [None]
        at, length, depth = 0, len(text), 0
        value: Any
        while True:
            if at < length:
                character = text[at]
                if character == " ":
                    at += 1
                    continue
                match, words, name, meaning = lexers[state][character]
                if match is None:
                    end = at + 1
                else:
                    found = match(text, at)
                    if found is None:
                        return None
                    end = found.end()
                    if words is not None:
                        name = words.get(text[at:end], name)
                    elif not name:
                        name = found.lastgroup or ""
                    if not name:
                        return None
                    if meaning == _UNKNOWN:
                        meaning = meaning_of(name, _PLAIN)
                value = None
                if meaning == _KEPT:
                    value = Token(name, text[at:end], at, end)
                elif meaning > _KEPT:
                    if meaning == _NEWLINE:
                        on_newline(text[at:end], at, end)
                    elif meaning == _OPEN:
                        depth += 1
                        if depth > MOST_NESTED:
                            return None
                    elif meaning == _CLOSE:
                        depth -= 1
                    else:
                        if meaning == _COMMENT:
                            on_comment(at, end)
                        at = end
                        continue
                    if name in kept:
                        value = Token(name, text[at:end], at, end)
                at = end
            else:
                name, value = _END, None
            while True:
                action = actions[state].get(name)
                if action is None:
                    return None
                if action >= 0:
                    state = action
                    states.append(state)
                    values.append(value)
                    break
                size, origin, kind, picks, build = reductions[~action]
                if kind == _UNIT:
                    states[-1] = state = gotos[states[-2]][origin]
                else:
                    if kind == _ONE:
                        children = [values[picks]]
                    elif kind == _PICKED:
                        children = list(picks(values))
                    else:
                        children = values[-size:] if size else []
                        if kind == _SPREAD:
                            children = _spread(picks, children)
                    if size:
                        del values[-size:]
                        del states[-size:]
                    values.append(build(children))
                    state = gotos[states[-1]][origin]
                    states.append(state)
                if name is _END and state == end_state:
                    return values[-1]

    def stop(self, text: str, start: str) -> Stop:
        """Say where reading a text stops that `read` refused: read it again, without building anything."""
        tokens: list[Token] = []
        names: list[str] = []
        states = [self._starts[start][0]]
        depth = 0
        offset = len(text)
        for token in self._tokens(text, states):
            meaning = self._meanings.get(token.type, _PLAIN)
            depth += (meaning == _OPEN) - (meaning == _CLOSE)
            if depth > MOST_NESTED:
                return Stop(token.start_pos, tokens, frozenset(), too_deep=True)
            if not token.type or not self._advance(states, token.type):
                offset = token.start_pos
                break
            tokens.append(token)
            names.append(token.type)
        # Rules may have been reduced before a token was refused, so what follows is asked of a stack that stops short.
        states = [self._starts[start][0]]
        for name in names:
            self._advance(states, name)
        accepts = frozenset(name for name in self._actions[states[-1]] if self._advance(list(states), name))
        return Stop(offset, tokens, accepts, too_deep=False)

    def _tokens(self, text: str, states: list[int]) -> Iterator[Token]:
        """The tokens of a text, each found in the state on top of the stack; one without a type where there is none."""
        at = 0
        while at < len(text):
            match, words, name, _ = self._lexers[states[-1]][text[at]]
            end = at + 1
            if match is not None:
                found = match(text, at)
                if found is None:
                    yield Token("", text[at], at, end)
                    return
                end = found.end()
                if words is not None:
                    name = words.get(text[at:end], name)
                elif not name:
                    name = found.lastgroup or ""
            if self._meanings.get(name, _PLAIN) not in (_IGNORED, _COMMENT):
                yield Token(name, text[at:end], at, end)
            at = end

    def _advance(self, states: list[int], name: str) -> bool:
        """Reduce and shift until a terminal is read; False where it may not stand."""
        while True:
            action = self._actions[states[-1]].get(name)
            if action is None:
                return False
            if action >= 0:
                states.append(action)
                return True
            size, origin, *_ = self._reductions[~action]
            if size:
                del states[-size:]
            state = self._gotos[states[-1]][origin]
            states.append(state)
            if name == _END and state in self._ends:
                return True


def _nowhere(text: str, at: int) -> None:
    """Match nothing: no terminal begins with this character here."""
    del text, at


def _reduction(row: RuleRow, builder: Any) -> _Reduction:
    origin, size, name, single, picks = row
    build = getattr(builder, name, None)
    if build is None:
        # Rules whose names begin with `_` stand for their children; the others have one child, which stands for them.
        build = _same if name.startswith("_") else _no_builder(name)
    spreads = any(spread for _, spread in picks)
    if single and (spreads or len(picks) == 1):
        if size == 1 and not spreads:
            return (size, origin, _UNIT, None, build)
        build = _only_child_or(build)
    if spreads:
        return (size, origin, _SPREAD, picks, build)
    if [place for place, _ in picks] == list(range(size)):
        return (size, origin, _WHOLE, None, build)
    if all(place is None for place, _ in picks):
        return (size, origin, _SPREAD, picks, build)
    # A child left out of the text is the None at the bottom of the stack, others are counted from its top.
    places = [0 if place is None else place - size for place, _ in picks]
    if len(places) == 1:
        return (size, origin, _ONE, places[0], build)
    return (size, origin, _PICKED, itemgetter(*places), build)


def _spread(picks: tuple[tuple[int | None, bool], ...], values: _Children) -> _Children:
    """Pick children of which some are lists whose members are meant; the first list is the one that grows."""
    children: _Children = []
    for place, spread in picks:
        if place is None:
            children.append(None)
        elif not spread:
            children.append(values[place])
        elif children:
            children += values[place]
        else:
            children = values[place]
    return children


def _same(children: _Children) -> _Children:
    return children


def _only_child_or(build: Callable[[_Children], Any]) -> Callable[[_Children], Any]:
    return lambda children: children[0] if len(children) == 1 else build(children)


def _no_builder(name: str) -> Callable[[_Children], Any]:
    def missing(children: _Children) -> Any:
        raise NotImplementedError(f"no method builds the rule `{name}` of {len(children)} children")

    return missing
