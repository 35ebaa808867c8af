"""What a request bears as yes-or-no questions: is a header there, has it a member, does an expression match one.

A header, a parameter, a cookie and a claim may have several values, so that any two members may be there at once; what
one answer says about others is "closed" over: a member that is there makes the header present, and true each expression
that matches it. Then a box contradicts itself only where a value must be there that is all of these: matched by one
expression, not by others, and none of the texts ruled out. Whether there is such a value is decided by automata.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from itertools import count
from typing import TypeAlias, assert_never

from meshc_compiler.automaton import MOST_GIVEN_UP, MOST_STATES, NoText, find_text, matched_together, one_of_texts
from meshc_compiler.evaluate import View, attribute_values, members
from meshc_compiler.ir.condition import Question, questions
from meshc_compiler.ir.match import (
    AttributeKind,
    AttributeMatches,
    AttributeOneOf,
    AttributePresent,
    CallerIn,
    HeaderMatches,
    HeaderOneOf,
    HeaderPresent,
    PathRegex,
    RequestMatch,
)
from meshc_compiler.regex import (
    BEYOND,
    Characters,
    Choice,
    Regex,
    Repeat,
    Sequence,
    Subject,
    compiled,
    full_match,
    value_matches,
)
from meshc_compiler.space.diagram import FULL, Diagrams, each_bit
from meshc_lang.record import dataclass, field

HEADER = "header"

_ANY = Subject.VALUE.value.all
_NEVER_IN_HEADERS = frozenset("\r\n\0")
"""RFC 9110 §5.5."""
_PRINTABLE = frozenset(map(chr, range(0x20, 0x7F)))
_COOKIE_OCTETS = _PRINTABLE - frozenset(' ",;\\')
"""RFC 6265 §4.1.1."""
_BEYOND_ASCII = ord("é")

_NO_SPACE = Characters(_ANY - {" ", "\t"})
_TRIMMED: Regex = Choice((Sequence(()), _NO_SPACE, Sequence((_NO_SPACE, Repeat(Characters(_ANY), 0, None), _NO_SPACE))))
"""A text without white space at its ends."""

_QUOTED: Regex = Sequence((Characters(frozenset('"')), Repeat(Characters(_ANY), 0, None)))
"""A text that begins as one in quotes does."""

_SOMETHING: Regex = Repeat(Characters(_ANY), 1, None)

_POSSIBLE = {
    HEADER: _ANY - _NEVER_IN_HEADERS - {","},
    AttributeKind.QUERY: _ANY,
    AttributeKind.COOKIE: _ANY - _NEVER_IN_HEADERS - {";"},
    AttributeKind.CLAIM: _ANY,
}
"""The letters of which a value of each kind can consist at all: what cannot be found among them is not there."""

_PLAIN = {
    HEADER: (_PRINTABLE | {BEYOND}) - {","},
    AttributeKind.QUERY: _ANY,
    AttributeKind.COOKIE: _COOKIE_OCTETS,
    AttributeKind.CLAIM: _ANY,
}
"""The letters of values that can be written down in any place."""

Pairs: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a request bears that answers the questions of a box as the box does, and no more than needed."""

    headers: Pairs = ()
    query: str = ""
    claims: Pairs = ()


@dataclass(slots=True, kw_only=True)
class _Attribute:
    """The questions about one header, parameter, cookie or claim, each with its bit."""

    present: int
    values: dict[str, int] = field(default_factory=dict)
    patterns: dict[str, int] = field(default_factory=dict)
    bits: int = 0
    """All its questions; set when all are known, as `asked` is."""
    asked: dict[int, str] = field(default_factory=dict)
    """The values by the numbers of their bits."""


class Literals:
    """The questions that some matches ask, as bits; `up` and `down` are what follows from a yes and from a no."""

    def __init__(self, matches: Iterable[RequestMatch]) -> None:
        self.path_patterns: dict[str, int] = {}
        self._attributes: dict[tuple[str, str], _Attribute] = {}
        self._bits = 0
        self._known: dict[tuple[int, int, int], list[str] | NoText] = {}
        self._given_up = 0
        self._doubtful: dict[str, None] = {}
        self.is_exact = True
        """Whether diagrams know all that follows from answers; set when there are any."""
        for match in matches:
            if isinstance(match.path, PathRegex) and match.path.pattern not in self.path_patterns:
                self.path_patterns[match.path.pattern] = self._new_bit()
            if match.condition is not None:
                for question in questions(match.condition):
                    self._declare(question)
        self.up: dict[int, int] = {bit: bit for bit in self.path_patterns.values()}
        self.down: dict[int, int] = dict(self.up)
        for attribute in self._attributes.values():
            self._close(attribute)
        self._in_order = sorted(self._attributes.items(), key=lambda item: item[0])

    def _new_bit(self) -> int:
        self._bits += 1
        return 1 << (self._bits - 1)

    def _declare(self, question: Question) -> None:
        if isinstance(question, CallerIn):
            return
        key = _key(question)
        attribute = self._attributes.get(key)
        if attribute is None:
            attribute = self._attributes[key] = _Attribute(present=self._new_bit())
        match question:
            case HeaderPresent() | AttributePresent():
                pass
            case HeaderOneOf(values=values) | AttributeOneOf(values=values):
                for value in values:
                    if value not in attribute.values:
                        attribute.values[value] = self._new_bit()
            case HeaderMatches(pattern=pattern) | AttributeMatches(pattern=pattern):
                if pattern not in attribute.patterns:
                    attribute.patterns[pattern] = self._new_bit()
            case _:
                assert_never(question)

    def _close(self, attribute: _Attribute) -> None:
        present = attribute.present
        attribute.bits = present | sum(attribute.values.values()) | sum(attribute.patterns.values())
        attribute.asked = {bit.bit_length() - 1: value for value, bit in attribute.values.items()}
        self.up[present] = self.down[present] = present
        for pattern, bit in attribute.patterns.items():
            self.up[bit] = bit | present
            self.down[bit] = bit
            self.down[present] |= bit
            for value, value_bit in attribute.values.items():
                if value_matches(pattern, value):
                    self.up[value_bit] = self.up.get(value_bit, value_bit) | bit
                    self.down[bit] |= value_bit
        for bit in attribute.values.values():
            self.up[bit] = self.up.get(bit, bit) | present
            self.down[bit] = bit
            self.down[present] |= bit

    @property
    def claims_absent(self) -> int:
        """The literals that do not hold where no claim is borne."""
        absent = 0
        for (kind, _), attribute in self._attributes.items():
            if kind == AttributeKind.CLAIM:
                absent |= self.down[attribute.present]
        return absent

    def alternatives(self, question: Question, wanted: bool) -> list[tuple[int, int]]:
        """Return the ways (what holds, what does not) in which a question about what is borne is answered as wanted."""
        match question:
            case HeaderPresent() | AttributePresent():
                bits = [self._attributes[_key(question)].present]
            case HeaderOneOf(values=values) | AttributeOneOf(values=values):
                known = self._attributes[_key(question)].values
                bits = [known[value] for value in values]
            case HeaderMatches(pattern=pattern) | AttributeMatches(pattern=pattern):
                bits = [self._attributes[_key(question)].patterns[pattern]]
            case CallerIn():
                raise ValueError("who calls is not what a request bears")
            case _:
                assert_never(question)
        if wanted:
            return [(self.up[bit], 0) for bit in bits]
        none = 0
        for bit in bits:
            none |= self.down[bit]
        return [(0, none)]

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why it was not found out of some values whether there are any."""
        if not self._doubtful:
            return ()
        what = ", ".join(f'`~ "{pattern}"`' for pattern in self._doubtful)
        return (f"no value was found that fits {what}, and none ruled out within {MOST_STATES:,} states of automata",)

    # ---- what answers go together

    @property
    def order(self) -> dict[int, int]:
        """The places of the questions (by their bits' numbers) in a diagram: those about one thing stand together."""
        bits = list(self.path_patterns.values())
        for attribute in self._attributes.values():
            bits += [attribute.present, *attribute.patterns.values(), *attribute.values.values()]
        return {bit.bit_length() - 1: place for place, bit in enumerate(bits)}

    def consistent(self, diagrams: Diagrams) -> int:
        """Return the answers that some request gives, as far as it is known: about paths, any.

        Of an attribute whose expressions grow beyond the bound of automata only the simple consequences are known.
        """
        node = FULL
        for (kind, _), attribute in self._attributes.items():
            own, exact = _consistent(kind, attribute, diagrams)
            node = diagrams.both_literals(node, own)
            self.is_exact &= exact
        return node

    def answers(self, path: str, view: View) -> int:
        """Return the questions (bits) of which the answer is yes for a request: its path, and what it bears."""
        yes = sum(bit for pattern, bit in self.path_patterns.items() if full_match(pattern, path))
        for (kind, name), attribute in self._attributes.items():
            if kind == HEADER:
                values = members(view.headers, name)
            else:
                values = attribute_values(view, AttributeKind(kind), name)
            if values:
                yes |= attribute.present
                for value in values:
                    yes |= attribute.values.get(value, 0)
                    for pattern, bit in attribute.patterns.items():
                        if not yes & bit and value_matches(pattern, value):
                            yes |= bit
        return yes

    # ---- what a request may bear that answers as a box does

    def shown(self, pos: int, neg: int) -> Shown | NoText:
        """Return what a request bears that is so and not otherwise; or that none can, or that it was not found out."""
        found: dict[tuple[str, str], list[str]] = {}
        unknown = False
        for (kind, name), attribute in self._in_order:
            if not pos & attribute.present:
                continue
            values = self._values(kind, attribute, pos, neg)
            if values is NoText.NONE:
                return NoText.NONE
            if isinstance(values, NoText):
                unknown = True
            else:
                found[kind, name] = values
        return NoText.UNKNOWN if unknown else _written(found)

    def _values(self, kind: str, attribute: _Attribute, pos: int, neg: int) -> list[str] | NoText:
        """Return values of one attribute that answer its questions; each case is worked out once."""
        own = attribute.bits
        key = (attribute.present, pos & own, neg & own)
        if key not in self._known:
            values = NoText.UNKNOWN if self._given_up >= MOST_GIVEN_UP else _values(kind, attribute, pos, neg)
            if values is NoText.UNKNOWN:
                self._given_up += 1
                self._doubtful.update(
                    (pattern, None) for pattern, bit in attribute.patterns.items() if bit & (pos | neg)
                )
            self._known[key] = values
        return self._known[key]


def _key(question: Question) -> tuple[str, str]:
    match question:
        case HeaderPresent() | HeaderOneOf() | HeaderMatches():
            return (HEADER, question.name)
        case AttributePresent() | AttributeOneOf() | AttributeMatches():
            return (question.kind, question.name)
        case CallerIn():
            raise ValueError("who calls is not what a request bears")
        case _:
            assert_never(question)


def _consistent(kind: str, attribute: _Attribute, diagrams: Diagrams) -> tuple[int, bool]:
    """Return the answers about one attribute that go together, and whether all the others are known to contradict.

    A value that is there makes it present, and true the expressions that match it. The other way round, an expression
    holds because of a value that is asked for, or of some other text; that matches none of those that do not hold.
    """
    present, patterns = attribute.present, attribute.patterns
    matched = {value: [bit for one, bit in patterns.items() if value_matches(one, value)] for value in attribute.values}
    # It is there, or nothing of it holds: so no chain of all values has to be made for each of them.
    parts = [diagrams.any_of((diagrams.cube(present, 0), diagrams.cube(0, attribute.bits)))]
    for value, bit in reversed(attribute.values.items()):
        if matched[value]:
            implied = sum(matched[value])
            parts.append(diagrams.any_of((diagrams.cube(0, bit), diagrams.cube(implied, 0))))
    exact = True
    if patterns:
        trees = [compiled(pattern, Subject.VALUE) for pattern in patterns]
        excluded = [one_of_texts(attribute.values)] if attribute.values else []
        texts = matched_together(trees, excluded, _POSSIBLE[kind])
        exact = texts is not None
        if texts is not None:
            bits = list(patterns.values())
            others = [sum(bit for at, bit in enumerate(bits) if text >> at & 1) for text in sorted(texts)]
            for bit in bits:
                because = [diagrams.cube(other, 0) for other in others if other & bit]
                because += [diagrams.cube(attribute.values[value], 0) for value in matched if bit in matched[value]]
                parts.append(diagrams.any_of((diagrams.cube(0, bit), *because)))
            because = [diagrams.cube(other, 0) for other in others]
            because += [diagrams.cube(bit, 0) for bit in attribute.values.values()]
            parts.append(diagrams.any_of((diagrams.cube(0, present), *because)))
    return reduce(diagrams.both_literals, parts, FULL), exact


def _values(kind: str, attribute: _Attribute, pos: int, neg: int) -> list[str] | NoText:
    """Return values of one header, parameter, cookie or claim that answer its questions."""
    values = attribute.bits - attribute.present - sum(attribute.patterns.values())
    chosen = sorted(attribute.asked[number] for number in each_bit(pos & values))
    refused = [pattern for pattern, bit in attribute.patterns.items() if neg & bit]
    excluded = [attribute.asked[number] for number in each_bit(neg & values)]
    for pattern, bit in attribute.patterns.items():
        if pos & bit and not any(value_matches(pattern, value) for value in chosen):
            text = _value(kind, [compiled(pattern, Subject.VALUE)], refused, excluded)
            if isinstance(text, NoText):
                return text
            chosen.append(text)
    if not chosen:
        if not refused:
            return [next(text for text in ("x" * length for length in count(1)) if text not in attribute.values)]
        text = _value(kind, [], refused, excluded)
        if isinstance(text, NoText):
            return text
        chosen.append(text)
    return chosen


def _value(kind: str, wanted: list[Regex], refused: list[str], excluded: list[str]) -> str | NoText:
    """Return a text that is wanted, preferably not empty, and that can be written as a value of this kind."""
    unwanted = [compiled(pattern, Subject.VALUE) for pattern in refused]
    if excluded:
        unwanted.append(one_of_texts(excluded))
    plain = [*wanted, _TRIMMED] if kind == HEADER else wanted
    for shape in ([*plain, _SOMETHING], plain):
        text = find_text(shape, unwanted, _PLAIN[kind])
        if isinstance(text, str):
            # Outside ASCII a letter is as good as another, but for the texts that are ruled out.
            spelt = (text.replace(BEYOND, chr(_BEYOND_ASCII + number)) for number in count())
            return next(choice for choice in spelt if BEYOND not in text or choice not in excluded)
    if kind == AttributeKind.COOKIE:
        # What no user agent would set, a client may send all the same.
        text = find_text([*wanted, _TRIMMED], [*unwanted, _QUOTED], _PRINTABLE - {";"})
        if isinstance(text, str):
            return text
    possible = find_text(wanted, unwanted, _POSSIBLE[kind])
    return NoText.NONE if possible is NoText.NONE else NoText.UNKNOWN


def _written(found: dict[tuple[str, str], list[str]]) -> Shown:
    headers: list[tuple[str, str]] = []
    cookies: list[str] = []
    parameters: list[tuple[str, str]] = []
    claims: list[tuple[str, str]] = []
    for (kind, name), values in found.items():
        match kind:
            case AttributeKind.QUERY:
                parameters += [(name, value) for value in values]
            case AttributeKind.COOKIE:
                cookies += [f"{name}={value}" for value in values]
            case AttributeKind.CLAIM:
                claims += [(name, value) for value in values]
            case _:
                headers.append((name, ", ".join(values)))
    if cookies:
        headers.append(("cookie", "; ".join(cookies)))
    return Shown(headers=tuple(sorted(headers)), query=_query(parameters), claims=tuple(claims))


def _query(pairs: list[tuple[str, str]]) -> str:
    if not pairs:
        return ""
    from urllib.parse import quote  # only few programs ask

    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
