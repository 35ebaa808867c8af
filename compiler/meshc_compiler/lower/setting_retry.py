"""`retry { … }`: how often a call is tried again, on what, and within which bounds."""

from __future__ import annotations

from meshc_compiler.finding import Findings, did_you_mean, one_of
from meshc_compiler.ir.setting import Backoff
from meshc_compiler.lower.condition import header_name
from meshc_compiler.lower.field import Fields, duplicate, wrong_type, wrong_unit
from meshc_compiler.lower.stated import Stated
from meshc_lang.codes import units
from meshc_lang.pattern import pattern
from meshc_lang.source import Span
from meshc_lang.tree.node import Name, Text
from meshc_lang.tree.value import Block, Duration, Integer, Range, Switch, Value

CONDITIONS = (
    "connect-failure",
    "reset",
    "refused-stream",
    "gateway-error",
    "5xx",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
)
"""On what a call may be tried again, besides a status (`s503`)."""

_STATUS = pattern(r"s[1-5][0-9]{2}\Z")

_MOST_TRIES = 100
"""More extra tries than that are a loop, and not a remedy; a deadline ends them long before."""


def lower_retry(value: Value, stated: Stated, findings: Findings) -> None:
    """Note what a `retry` states."""
    match value:
        case Switch(on=False):
            stated.note("retry_limit", 0, "retry")
        case Block():
            _lower_block(stated.inside(Fields(value, "`retry`", "settings.retry", findings)), findings)
        case _:
            wrong_type(findings, "`retry`", "`off` or a block, for example `retry { limit: 1, on: [reset] }`", value)


def _lower_block(stated: Stated, findings: Findings) -> None:
    fields = stated.fields
    stated.note("retry_limit", fields.integer("limit", 0, _MOST_TRIES), "limit")
    stated.note("retry_on", _conditions(fields, findings), "on")
    stated.note("retry_budget", fields.share("budget"), "budget")
    stated.note("retry_backoff", _backoff(fields.get("backoff"), findings), "backoff")
    stated.note("per_try_timeout_ns", fields.duration("per-try"), "per-try")
    stated.note("idempotent", fields.flag("idempotent"), "idempotent")
    stated.note("retry_key_header", _key_header(fields, findings), "key-header")


def _conditions(fields: Fields, findings: Findings) -> tuple[str, ...] | None:
    items = fields.items("on", "[connect-failure, s503]")
    if items is None:
        return None
    seen: dict[str, Span] = {}
    for item in items:
        if not isinstance(item, Name | Text):
            wrong_type(findings, "a retry condition", "a word, for example `connect-failure` or `s503`", item)
            continue
        word = item.text
        if word not in CONDITIONS and not _STATUS.match(word):
            help_line, fixes = did_you_mean(word, CONDITIONS, item.span)
            message = f"there is no retry condition `{word}`"
            help_line = help_line or f"known are {one_of((*CONDITIONS, 's503'))}"
            findings.add(units.UNKNOWN_WORD, message, item.span, help=help_line, fixes=fixes)
        elif word in seen:
            duplicate(findings, f"the retry condition `{word}` is stated twice", item.span, seen[word])
        else:
            seen[word] = item.span
    return tuple(sorted(seen))


def _backoff(value: Value | None, findings: Findings) -> Backoff | None:
    if value is None:
        return None
    if not isinstance(value, Range):
        wrong_type(findings, "`backoff`", "a range of time, for example `25ms..250ms`", value)
        return None
    low, high = value.low, value.high
    if not isinstance(low, Duration) or not isinstance(high, Duration):
        for end in (low, high):
            if isinstance(end, Integer):
                wrong_unit(findings, "`backoff`", end, (f"{end.value}ms", f"{end.value}s"))
        return None
    if not 0 < low.nanoseconds <= high.nanoseconds:
        findings.add(units.OUT_OF_RANGE, "`backoff` runs from a shorter time above zero to a longer one", value.span)
        return None
    return Backoff(low_ns=low.nanoseconds, high_ns=high.nanoseconds)


def _key_header(fields: Fields, findings: Findings) -> str | None:
    value = fields.get("key-header")
    match value:
        case None:
            return None
        case Switch(on=False):
            return ""
        case Name(text=text) | Text(text=text):
            return header_name(text, value.span, findings)
    wrong_type(findings, "`key-header`", 'the name of a header, for example `"idempotency-key"`', value)
    return None
