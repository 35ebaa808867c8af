"""The fields of a block: which there are, which are missing, and that each holds the kind of value it takes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import assert_never

from meshc_compiler.finding import Findings, did_you_mean, one_of, replacement
from meshc_compiler.reference.field import FIELDS
from meshc_lang.codes import Code, names, units
from meshc_lang.diagnostic import Applicability, Fix, Label
from meshc_lang.pattern import pattern
from meshc_lang.source import Span
from meshc_lang.tree.node import Name, Text
from meshc_lang.tree.value import (
    Block,
    Decimal,
    Duration,
    Integer,
    ListValue,
    Pair,
    Path,
    Percent,
    PortLiteral,
    Range,
    Rate,
    Size,
    Switch,
    Value,
)
from meshc_lang.units import DURATION_UNITS, RATE_UNITS, SIZE_UNITS

_DNS_LABEL = pattern(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\Z")
_WHOLE = 1_000_000

HOMES = {key: block for block in ("retry", "breaker", "balance", "telemetry") for key in FIELDS[f"settings.{block}"]}
"""The block of settings in which each of its fields stands, for those who look for it elsewhere."""

_QUANTITIES = (
    rf"[0-9]+(\.[0-9]+)?({'|'.join(DURATION_UNITS)})",
    rf"[0-9]+(\.[0-9]+)?({'|'.join(SIZE_UNITS)})",
    rf"[0-9]+/({'|'.join(RATE_UNITS)})",
    r"[0-9]+(\.[0-9]+)?%",
    r"[0-9]+/(http|http2|grpc|tcp|tls)",
    r"[0-9]+",
    r"on|off|true|false",
)
"""How quantities of one kind are written, as far as it takes to tell the kinds apart."""

LONGEST_LABEL = 63
"""The most characters of a DNS label (RFC 1035 §2.3.4)."""


class Fields:
    """The entries of one block. `owner` is the block as the user would name it, for example "the service `api`".

    `kind` is the block's name in the reference (`reference.field`), which has the fields that it takes.
    """

    def __init__(self, block: Block, owner: str, kind: str, findings: Findings) -> None:
        accepted = tuple(FIELDS[kind])
        self.block = block
        self.owner = owner
        self.findings = findings
        self._pairs: dict[str, Pair] = {}
        for pair in block.pairs:
            key = pair.key.text
            if key not in accepted:
                self._unknown(pair, accepted)
            elif (first := self._pairs.get(key)) is not None:
                duplicate(findings, f"`{key}` is stated twice in {owner}", pair.key.span, first.key.span)
            else:
                self._pairs[key] = pair

    def _unknown(self, pair: Pair, accepted: tuple[str, ...]) -> None:
        key = pair.key.text
        help_line, fixes = did_you_mean(key, accepted, pair.key.span)
        home = HOMES.get(key)
        if not help_line and home in accepted:
            help_line = f"`{key}` stands in `{home} {{ … }}`"
        help_line = help_line or f"it takes {one_of(accepted).replace(' or ', ' and ')}"
        message = f"{self.owner} has no field `{key}`"
        self.findings.add(names.UNKNOWN_FIELD, message, pair.key.span, help=help_line, fixes=fixes)

    def get(self, key: str) -> Value | None:
        """Return a field's value, if it is stated."""
        pair = self._pairs.get(key)
        return None if pair is None else pair.value

    def span(self, key: str) -> Span:
        """Return where a field stands, or the block if it is not stated."""
        pair = self._pairs.get(key)
        return self.block.span if pair is None else pair.span

    def missing(self, key: str, help_line: str, span: Span) -> None:
        """Tell that a field is needed."""
        article = "an" if key[0] in "aeiou" else "a"
        message = f"{self.owner} needs {article} `{key}`"
        self.findings.add(names.MISSING_FIELD, message, span, help=help_line)

    # ---- kinds of values

    def word(self, key: str) -> str | None:
        """Return a name or a text."""
        value = self.get(key)
        return None if value is None else as_word(value, f"`{key}`", self.findings)

    def label(self, key: str, room_for_suffix: int = 0) -> str | None:
        """Return a name that can be a DNS label, with room for a suffix of so many characters."""
        value = self.get(key)
        word = None if value is None else as_word(value, f"`{key}`", self.findings)
        if value is None or word is None:
            return None
        return word if check_label(word, f"`{key}`", value.span, self.findings, room_for_suffix) else None

    def integer(self, key: str, least: int, most: int, *, off: bool = False) -> int | None:
        """Return a whole number within bounds; with `off` the field may be switched off, which is 0."""
        value = self.get(key)
        if value is None:
            return None
        if off and isinstance(value, Switch) and not value.on:
            return 0
        if not isinstance(value, Integer):
            wrong_type(self.findings, f"`{key}`", "a whole number, for example `2`", value)
            return None
        if not least <= value.value <= most:
            message = f"`{key}` is from {least} to {most:,}, and this is {value.value:,}"
            self.findings.add(units.OUT_OF_RANGE, message, value.span)
            return None
        return value.value

    def duration(self, key: str) -> int | None:
        """Return a length of time above zero, in nanoseconds; `off` is 0."""
        value = self.get(key)
        if value is None:
            return None
        if isinstance(value, Switch) and not value.on:
            return 0
        return as_duration(value, f"`{key}`", self.findings)

    def time(self, key: str) -> int | None:
        """Return a length of time above zero, in nanoseconds, that cannot be switched off."""
        value = self.get(key)
        if isinstance(value, Switch):
            wrong_type(self.findings, f"`{key}`", "a length of time, for example `5s`", value)
            return None
        if isinstance(value, Duration) and value.nanoseconds == 0:
            self.findings.add(units.OUT_OF_RANGE, f"`{key}` is longer than nothing", value.span)
            return None
        return self.duration(key)

    def share(self, key: str, *, off: bool = False) -> int | None:
        """Return a share above zero, in millionths; with `off` the field may be switched off, which is 0."""
        value = self.get(key)
        if value is None:
            return None
        if off and isinstance(value, Switch) and not value.on:
            return 0
        share = as_percent(value, f"`{key}`", self.findings)
        if share is None or 0 < share <= _WHOLE or (off and share == 0):
            return share
        bounds = "from 0% to 100%" if off else "above 0% and at most 100%"
        self.findings.add(units.OUT_OF_RANGE, f"`{key}` is {bounds}", value.span)
        return None

    def flag(self, key: str, words: str = "`true` or `false`") -> bool | None:
        """Return `true` or `false`; `on` and `off` say the same. `words` are those that the user is told."""
        value = self.get(key)
        match value:
            case None:
                return None
            case Switch(on=on):
                return on
            case Name(text="true" | "false" as word):
                return word == "true"
        wrong_type(self.findings, f"`{key}`", words, value)
        return None

    def block_of(self, key: str, example: str) -> Block | None:
        """Return a nested block."""
        value = self.get(key)
        if value is None or isinstance(value, Block):
            return value
        wrong_type(self.findings, f"`{key}`", f"a block, for example `{example}`", value)
        return None

    def items(self, key: str, example: str) -> tuple[Value, ...] | None:
        """Return the items of a list."""
        value = self.get(key)
        if value is None:
            return None
        if not isinstance(value, ListValue):
            wrong_type(self.findings, f"`{key}`", f"a list, for example `{example}`", value)
            return None
        return value.items

    def labels(self, key: str) -> tuple[tuple[str, str], ...] | None:
        """Return a block of texts as sorted pairs."""
        block = self.block_of(key, f'{key}: {{app: "api"}}')
        if block is None:
            return None
        pairs: dict[str, tuple[str, Span]] = {}
        for pair in block.pairs:
            text = as_word(pair.value, f"the label `{pair.key}`", self.findings)
            if pair.key.text in pairs:
                message = f"the label `{pair.key}` is stated twice"
                duplicate(self.findings, message, pair.key.span, pairs[pair.key.text][1])
            elif text is not None:
                pairs[pair.key.text] = (text, pair.key.span)
        return tuple(sorted((name, text) for name, (text, _) in pairs.items()))


def as_word(value: Value, what: str, findings: Findings) -> str | None:
    """Return the text of a name or a text."""
    if isinstance(value, Name | Text):
        return value.text
    wrong_type(findings, what, "a name or a text", value)
    return None


def as_one_of(value: Value, what: str, words: Iterable[str], findings: Findings) -> str | None:
    """Return the word that a value is, one of a few."""
    known = tuple(words)
    match value:
        case Name(text=text) | Text(text=text):
            word = text
        case Switch(on=on):
            word = "on" if on else "off"
        case _:
            wrong_type(findings, what, one_of(known), value)
            return None
    if word in known:
        return word
    help_line, fixes = did_you_mean(word, known, value.span)
    message = f"{what} is {one_of(known)}, not `{word}`"
    findings.add(units.UNKNOWN_WORD, message, value.span, help=help_line, fixes=fixes)
    return None


def as_duration(value: Value, what: str, findings: Findings) -> int | None:
    """Return the nanoseconds of a length of time, which is above zero."""
    if isinstance(value, Duration):
        if value.nanoseconds > 0:
            return value.nanoseconds
        findings.add(units.OUT_OF_RANGE, f"{what} is longer than nothing; `off` switches it off", value.span)
        return None
    if isinstance(value, Integer | Decimal):
        number = value.value if isinstance(value, Integer) else value.text
        wrong_unit(findings, what, value, (f"{number}s", f"{number}ms"))
    else:
        wrong_type(findings, what, "a length of time, for example `5s`", value)
    return None


def as_percent(value: Value, what: str, findings: Findings) -> int | None:
    """Return the millionths of a share."""
    if isinstance(value, Percent):
        return value.millionths
    if isinstance(value, Integer | Decimal):
        number = value.value if isinstance(value, Integer) else value.text
        wrong_unit(findings, what, value, (f"{number}%",))
    else:
        wrong_type(findings, what, "a share, for example `20%`", value)
    return None


def wrong_unit(findings: Findings, what: str, value: Value, choices: tuple[str, ...]) -> None:
    """Tell that a bare number lacks its unit."""
    applicability = Applicability.UNSAFE if len(choices) == 1 else Applicability.CHOOSE_ONE
    fixes: tuple[Fix, ...] = tuple(replacement(f"write `{text}`", value.span, text, applicability) for text in choices)
    message = f"{what} needs a unit, for example `{choices[0]}`"
    findings.add(units.WRONG_UNIT, message, value.span, label="a bare number", fixes=fixes)


def wrong_type(findings: Findings, what: str, wanted: str, value: Value) -> None:
    """Tell that a value is of another kind than the field takes; quantities of the wrong kind have a wrong unit."""
    quantity = isinstance(value, Duration | Percent | Size | Rate)
    code: Code = units.WRONG_UNIT if quantity else units.WRONG_TYPE
    fixes = _unquoted(value, wanted) if isinstance(value, Text) else ()
    findings.add(code, f"{what} takes {wanted}, and this is {describe(value)}", value.span, fixes=fixes)


def _unquoted(value: Text, wanted: str) -> tuple[Fix, ...]:
    """Return the fix that takes the quotes off a quantity, if it is then of the same kind as the example."""
    example = re.search(r"`([^`]+)`", wanted)
    if example is None or not any(
        re.fullmatch(kind, example[1]) and re.fullmatch(kind, value.text) for kind in _QUANTITIES
    ):
        return ()
    return (replacement(f"write `{value.text}` without quotes", value.span, value.text, Applicability.SAFE),)


def duplicate(findings: Findings, message: str, span: Span, first: Span) -> None:
    """Tell that something is stated twice."""
    findings.add(
        names.DUPLICATE_FIELD, message, span, label="stated again here", related=(Label(first, "first stated here"),)
    )


def is_label(text: str, room: int = 0) -> bool:
    """Tell whether a text can be a DNS label to which `room` more characters are added."""
    return _DNS_LABEL.match(text) is not None and len(text) <= LONGEST_LABEL - room


def check_label(text: str, what: str, span: Span, findings: Findings, room: int = 0) -> bool:
    """Tell whether a text can be a DNS label to which `room` more characters are added; if not, say why."""
    longest = LONGEST_LABEL - room
    if not _DNS_LABEL.match(text):
        message = f"{what} becomes a host name, so `{text}` must be of lower-case letters, digits and inner hyphens"
        proposal = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
        help_line = f"for example `{proposal}`" if proposal and proposal != text else ""
        findings.add(names.INVALID_NAME, message, span, help=help_line)
        return False
    if len(text) > longest:
        findings.add(names.INVALID_NAME, f"{what} has at most {longest} characters, and `{text}` has {len(text)}", span)
        return False
    return True


def describe(value: Value) -> str:
    """Return what kind of value it is, with an article."""
    match value:
        case Name():
            return f"the word `{value.text}`"
        case Text():
            return "a text in quotes"
        case Integer() | Decimal():
            return "a bare number"
        case Duration():
            return "a length of time"
        case Percent():
            return "a share"
        case Size():
            return "a number of bytes"
        case Rate():
            return "a rate"
        case PortLiteral():
            return "a port"
        case Path():
            return "a path"
        case Switch():
            return "`on`" if value.on else "`off`"
        case Range():
            return "a range"
        case ListValue():
            return "a list"
        case Block():
            return "a block"
        case _:
            assert_never(value)
