"""Makes the tables by which texts are read: Lark compiles the grammar, and what it found is written down as plain data.

It runs once for each version of the grammar (see `tables`): Lark takes 20 ms to import and 0.2 s to compile a grammar.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lark import Lark
from lark.grammar import Terminal
from lark.lexer import ContextualLexer
from lark.parse_tree_builder import maybe_create_child_filter

from meshc_lang.pattern import pattern
from meshc_lang.tables import AnyBucket, Pick, RuleRow, Tables

if TYPE_CHECKING:
    from lark.common import LexerConf
    from lark.grammar import Rule
    from lark.lexer import TerminalDef

__all__ = ["GrammarMistakeError", "make_tables"]

_WORD_END = "(?!-*[A-Za-z0-9_])"
_WORDS = pattern(r"(?:([A-Za-z][A-Za-z0-9_]*)|\(\?:([A-Za-z]+(?:\|[A-Za-z]+)*)\))" + re.escape(_WORD_END))
"""A terminal that is a word, or one of several: it ends where a name of the same letters would."""

_NAME = r"[A-Za-z_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
"""A name; words end as it does, so matching it once tells which word, if any, stands there."""


class GrammarMistakeError(Exception):
    """Raised for a grammar that Lark can read and the reader can't."""


class _Unchecked(ContextualLexer):
    """Does not look for terminals that collide, as a test does: where `interegular` is installed that takes seconds."""

    def __init__(self, conf: LexerConf, *rest: Any, **more: Any) -> None:
        conf.skip_validation = True
        super().__init__(conf, *rest, **more)


def make_tables(grammar: str, starts: tuple[str, ...]) -> Tables:
    """Compile a grammar.

    Raises:
        GrammarMistakeError: Two terminals would need to be told apart in a way that the reader does not know.
    """
    plugins = {"ContextualLexer": _Unchecked}
    lark = Lark(grammar, parser="lalr", lexer="contextual", start=list(starts), _plugins=plugins)
    table: Any = lark.parser.parser.parser.parse_table
    contextual: Any = lark.parser.lexer
    numbers = _numbers(table, starts)
    rules: dict[Rule, int] = {}
    actions: list[dict[str, int]] = []
    gotos: list[dict[str, int]] = []
    lexers: dict[int, tuple[int, dict[str, AnyBucket]]] = {}
    lexer_of: list[int] = []
    for state in numbers:
        row: dict[str, int] = {}
        goto: dict[str, int] = {}
        for name, (kind, argument) in sorted(table.states[state].items()):
            symbol = str(name)
            if kind.name == "Reduce":
                row[symbol] = ~rules.setdefault(argument, len(rules))
            elif symbol.isupper() or symbol == "$END":
                row[symbol] = numbers[argument]
            else:
                goto[symbol] = numbers[argument]
        actions.append(row)
        gotos.append(goto)
        lexer = contextual.lexers[state]
        if id(lexer) not in lexers:
            lexers[id(lexer)] = (len(lexers), _buckets(lexer))
        lexer_of.append(lexers[id(lexer)][0])
    kept = {str(s.name) for rule in rules for s in rule.expansion if isinstance(s, Terminal) and not s.filter_out}
    return Tables(
        starts={name: (numbers[table.start_states[name]], numbers[table.end_states[name]]) for name in starts},
        actions=tuple(actions),
        gotos=tuple(gotos),
        rules=tuple(_row(rule) for rule in rules),
        lexer_of=tuple(lexer_of),
        lexers=tuple(buckets for _, buckets in lexers.values()),
        kept=tuple(sorted(kept)),
        ignored=tuple(sorted(str(name) for name in lark.ignore_tokens)),
    )


def _numbers(table: Any, starts: tuple[str, ...]) -> dict[int, int]:
    """Number the states in the order in which they are reached: Lark's numbers differ from run to run."""
    numbers: dict[int, int] = {}
    todo = [table.start_states[name] for name in starts]
    while todo:
        state = todo.pop()
        if state not in numbers:
            numbers[state] = len(numbers)
            actions = sorted(table.states[state].items(), key=lambda item: str(item[0]))
            todo += [argument for _, (kind, argument) in actions if kind.name == "Shift"]
    return numbers


def _row(rule: Rule) -> RuleRow:
    """Say which children of a rule its builder is given: what Lark's own filters of children do."""
    options = rule.options
    name = str(rule.alias or options.template_source or rule.origin.name)
    size = len(rule.expansion)
    single = bool(options.expand1) and not rule.alias
    made: Any = maybe_create_child_filter(rule.expansion, options.keep_all_tokens, False, list(options.empty_indices))
    picks: list[Pick] = []
    if made is None:
        picks += [(index, False) for index in range(size)]
    else:
        chosen, *more = made.args
        for one in chosen:
            index, expand, missing = (*one, 0)[:3]
            picks += [(None, False)] * missing
            picks.append((index, expand))
        picks += [(None, False)] * (more[0] if more else 0)
    return (str(rule.origin.name), size, name, single, tuple(picks))


def _buckets(lexer: Any) -> dict[str, AnyBucket]:
    """For each character with which a token may begin, say how to tell which it is."""
    terminals: list[TerminalDef] = lexer.terminals  # in the order in which they win
    for mark in terminals:
        for other in terminals:
            rivals = mark.pattern.type == "str" and other.pattern.type == "re" and mark.priority == other.priority
            if rivals and re.fullmatch(other.pattern.to_regexp(), mark.pattern.value):
                raise GrammarMistakeError(f"{mark.name} needs an expression that ends as its word does")
    candidates: dict[str, list[TerminalDef]] = {}
    anywhere: list[TerminalDef] = []
    firsts = {terminal.name: _first_characters(terminal.pattern.to_regexp()) for terminal in terminals}
    for characters in firsts.values():
        candidates.update((character, []) for character in characters or ())
    for terminal in terminals:
        characters = firsts[terminal.name]
        for character, found in candidates.items():
            if characters is None or character in characters:
                found.append(terminal)
        if characters is None:
            anywhere.append(terminal)
    blank = [terminal.name for terminal in candidates.get(" ", anywhere)]
    if len(blank) != 1 or blank[0] not in lexer.ignore_types:
        raise GrammarMistakeError(f"a blank must be nothing but a blank everywhere, and may be {blank}")
    buckets = {character: _bucket(found) for character, found in sorted(candidates.items())}
    if anywhere:
        buckets[""] = _bucket(anywhere)
    return buckets


def _bucket(terminals: list[TerminalDef]) -> AnyBucket:
    """Say how to tell these terminals apart, the first of which wins where several match."""
    first = terminals[0]
    if len(terminals) == 1 and first.pattern.type == "str" and len(first.pattern.value) == 1:
        return str(first.name)
    words: dict[str, str] = {}
    rest: list[TerminalDef] = []
    for terminal in terminals:
        found = _WORDS.fullmatch(terminal.pattern.value) if terminal.pattern.type == "re" else None
        if found is None:
            rest.append(terminal)
        elif rest:
            break
        else:
            for word in (found[1] or found[2]).split("|"):
                words.setdefault(word, str(terminal.name))
    else:
        if words and not rest:
            return (_NAME, words, "")
        if len(rest) == 1 and rest[0].pattern.value == _NAME:
            return (_NAME, words, str(rest[0].name))
    if len(terminals) == 1:
        return (first.pattern.to_regexp(), None, str(first.name))
    pattern = "|".join(f"(?P<{terminal.name}>{terminal.pattern.to_regexp()})" for terminal in terminals)
    return (pattern, None, "")


def _first_characters(pattern: str) -> frozenset[str] | None:
    """Return the characters with which a match may begin; None where that can't be told."""
    from re import _parser  # nothing public takes an expression apart

    found, empty = _first(_parser.parse(pattern))
    return None if found is None or empty else frozenset(found)


def _first(items: Any) -> tuple[set[str] | None, bool]:
    """Return the first characters of a sequence, and whether it can be empty."""
    found: set[str] = set()
    for operation, argument in items:
        here: set[str] | None
        empty = False
        match str(operation):
            case "LITERAL":
                here = {chr(argument)}
            case "IN":
                here = _members(argument)
            case "BRANCH":
                parts = [_first(branch) for branch in argument[1]]
                here = None if any(part is None for part, _ in parts) else {c for part, _ in parts for c in part or ()}
                empty = any(can for _, can in parts)
            case "SUBPATTERN":
                here, empty = _first(argument[-1])
            case "ATOMIC_GROUP":
                here, empty = _first(argument)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                here, empty = _first(argument[2])
                empty = empty or argument[0] == 0
            case "ASSERT" | "ASSERT_NOT" | "AT":
                continue
            case _:
                here = None
        if here is None:
            return None, False
        found |= here
        if not empty:
            return found, False
    return found, True


def _members(items: Any) -> set[str] | None:
    """Return the characters of a set; None for one that leaves out a few."""
    found: set[str] = set()
    for operation, argument in items:
        match str(operation):
            case "LITERAL":
                found.add(chr(argument))
            case "RANGE":
                found |= {chr(code) for code in range(argument[0], argument[1] + 1)}
            case _:
                return None
    return found
