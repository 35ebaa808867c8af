"""Blocks of settings: `timeout` and `retry`, with where each value was stated."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import fields as fields_of
from dataclasses import replace
from typing import Any, Generic, TypeVar

from meshc_compiler.finding import Findings, did_you_mean, one_of
from meshc_compiler.ir.setting import NOTHING_STATED, Backoff, Scope, Setting, Settings
from meshc_compiler.lower.field import Fields, as_percent, duplicate, wrong_type, wrong_unit
from meshc_lang.codes import routing, units
from meshc_lang.diagnostic import Label
from meshc_lang.source import Span
from meshc_lang.tree.node import Name, Text
from meshc_lang.tree.value import Block, Duration, Integer, Range, Switch, Value
from meshc_lang.units import print_duration, print_percent

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

_STATUS = re.compile(r"s[1-5][0-9]{2}\Z")
_FIELDS = ("timeout", "retry")
_LATER = {
    "breaker": "circuit breaking and outlier ejection",
    "balance": "load balancing",
    "hedge": "hedged requests",
    "mirror": "shadow traffic",
}
_RETRY_FIELDS = ("limit", "on", "budget", "backoff", "per-try", "idempotent")
_RETRY_LATER = {"key-header": "idempotency keys"}
_MOST_TRIES = 100
_WHOLE = 1_000_000

K = TypeVar("K", bound=Hashable)


def lower_settings(block: Block, owner: str, scope: Scope, findings: Findings) -> Settings:
    """Return what a block states. A field with an error is left out, so that nothing depends on it."""
    fields = Fields(block, owner, _FIELDS, findings, _LATER)
    settings = NOTHING_STATED
    timeout = fields.duration("timeout")
    if timeout is not None:
        settings = replace(settings, timeout_ns=Setting(value=timeout, scope=scope, origin=fields.span("timeout")))
    retry = fields.get("retry")
    match retry:
        case None:
            pass
        case Switch(on=False):
            settings = replace(settings, retry_limit=Setting(value=0, scope=scope, origin=fields.span("retry")))
        case Block():
            settings = settings.under(_lower_retry(retry, scope, findings))
        case _:
            wrong_type(findings, "`retry`", "`off` or a block, for example `retry { limit: 1, on: [reset] }`", retry)
    return settings


def _lower_retry(block: Block, scope: Scope, findings: Findings) -> Settings:
    fields = Fields(block, "`retry`", _RETRY_FIELDS, findings, _RETRY_LATER)
    stated: dict[str, Any] = {}

    def state(name: str, key: str, value: object) -> None:
        if value is not None:
            stated[name] = Setting(value=value, scope=scope, origin=fields.span(key))

    state("retry_limit", "limit", fields.integer("limit", 0, _MOST_TRIES))
    state("retry_on", "on", _conditions(fields, findings))
    state("retry_budget", "budget", _budget(fields, findings))
    state("retry_backoff", "backoff", _backoff(fields.get("backoff"), findings))
    state("per_try_timeout_ns", "per-try", fields.duration("per-try"))
    state("idempotent", "idempotent", _truth(fields.get("idempotent"), findings))
    return Settings(**stated)


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


def _budget(fields: Fields, findings: Findings) -> int | None:
    value = fields.get("budget")
    budget = None if value is None else as_percent(value, "`budget`", findings)
    if value is None or budget is None:
        return None
    if not 0 < budget <= _WHOLE:
        findings.add(units.OUT_OF_RANGE, "`budget` is above 0% and at most 100%", value.span)
        return None
    return budget


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


def _truth(value: Value | None, findings: Findings) -> bool | None:
    match value:
        case None:
            return None
        case Switch(on=on):
            return on
        case Name(text="true" | "false" as word):
            return word == "true"
    wrong_type(findings, "`idempotent`", "`true` or `false`", value)
    return None


class SettingsTable(Generic[K]):
    """The settings of one scope by what they are about; two statements may add up and must not contradict."""

    def __init__(self, scope_name: str, findings: Findings) -> None:
        self._scope_name = scope_name
        self._findings = findings
        self._settings: dict[K, Settings] = {}
        self._told: set[tuple[Span | None, Span | None]] = set()

    def add(self, key: K, stated: Settings, what: str) -> None:
        """Put a statement's settings beside those already there. `what` names the key to the user."""
        known = self._settings.get(key)
        if known is None:
            self._settings[key] = stated
            return
        changes: dict[str, Any] = {}
        for field in fields_of(stated):
            old, new = getattr(known, field.name), getattr(stated, field.name)
            if new is None:
                continue
            if old is None:
                changes[field.name] = new
            elif old.value != new.value:
                self._conflict(field.name, old, new, what)
        if changes:
            self._settings[key] = replace(known, **changes)

    def get(self, key: K) -> Settings:
        """Return the settings about one thing."""
        return self._settings.get(key, NOTHING_STATED)

    def items(self) -> tuple[tuple[K, Settings], ...]:
        """Return all that is stated, sorted."""
        return tuple((key, self._settings[key]) for key in sorted(self._settings))  # type: ignore[type-var]

    def _conflict(self, name: str, old: Setting[Any], new: Setting[Any], what: str) -> None:
        pair = (old.origin, new.origin)
        if pair in self._told or old.origin is None or new.origin is None:
            return
        self._told.add(pair)
        self._findings.add(
            routing.CONFLICTING_SETTINGS,
            f"{what} has two values of `{SETTING_NAMES[name]}` at the same scope ({self._scope_name})",
            new.origin,
            label="and another here",
            related=(Label(old.origin, "one here …"),),
            help="keep one of them, or state one at a more specific scope",
            subject=f"settings {what}",
        )


SETTING_NAMES = {
    "timeout_ns": "timeout",
    "retry_limit": "retry limit",
    "retry_on": "retry on",
    "retry_budget": "retry budget",
    "retry_backoff": "retry backoff",
    "per_try_timeout_ns": "retry per-try",
    "idempotent": "retry idempotent",
}
"""The fields of `Settings` as the language spells them."""


def setting_text(name: str, value: object) -> str:
    """Return the value of a field of `Settings` as the language spells it."""
    match value:
        case bool():
            return "true" if value else "false"
        case Backoff():
            return f"{print_duration(value.low_ns)}..{print_duration(value.high_ns)}"
        case tuple():
            return f"[{', '.join(map(str, value))}]"
        case int() if name.endswith("_ns"):
            return print_duration(value) if value else "off"
        case int() if name == "retry_budget":
            return print_percent(value)
    return str(value)
