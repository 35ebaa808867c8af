"""The terms of calls in a snapshot: limits, faults, retries, bounds, ejection and what chooses an instance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from meshc_backends.readback.policy import Ejection, Limited, Mishap, Retry, Upstream
from meshc_backends.readback.sidecar.field import members, number, text, texts
from meshc_backends.readback.sidecar.request import callers_of
from meshc_backends.readback.unread import UnreadError

_MS = 1_000_000
_MILLIONTHS_OF_PERCENT = 10_000

_LIMIT = frozenset({"id", "callers", "amount", "per_seconds", "burst", "per_header", "per_query", "per_cookie"})
_FAULT = frozenset({"name", "callers", "except_callers", "delay_ms", "abort_status", "share"})
_LIMIT_KEYS = (("header", "per_header"), ("query", "per_query"), ("cookie", "per_cookie"))
_RETRY = frozenset(
    {
        "limit", "on", "budget_percent", "budget_min_concurrency", "backoff_base_ms", "backoff_max_ms",
        "per_try_timeout_ms", "key_header",
    }
)  # fmt: skip
_BREAKER = frozenset({"max_requests", "max_pending", "max_connections"})
_EJECTION = frozenset({"consecutive_5xx", "eject_ms", "interval_ms", "max_percent"})
_HASH_KEY = frozenset({"kind", "name"})


def limit_of(value: Any, place: str) -> Limited:
    """Return the buckets of a limit."""
    fields = members(value, _LIMIT, place)
    keys = [(kind, text(fields, name, place)) for kind, name in _LIMIT_KEYS if fields.get(name) is not None]
    if len(keys) > 1:
        raise UnreadError(place, "several keys of one limit")
    return Limited(
        callers=callers_of(fields, place),
        per=keys[0] if keys else None,
        amount=number(fields, "amount", place),
        seconds=number(fields, "per_seconds", place),
        burst=number(fields, "burst", place),
    )


def mishap_of(value: Any, place: str) -> Mishap:
    """Return a fault."""
    fields = members(value, _FAULT, place)
    return Mishap(
        callers=callers_of(fields, place),
        delay_ns=time_of(fields, "delay_ms", place),
        abort_status=None if fields.get("abort_status") is None else number(fields, "abort_status", place),
        share=number(fields, "share", place),
    )


def retry_of(value: Any, place: str) -> tuple[Retry | None, tuple[int, int] | None]:
    """Return when calls are tried again, and what share of calls tries may be (millionths, and how many at least)."""
    if value is None:
        return None, None
    fields = members(value, _RETRY, place)
    low, high = number(fields, "backoff_base_ms", place) * _MS, number(fields, "backoff_max_ms", place) * _MS
    retry = Retry(
        on=texts(fields, "on", place),
        limit=number(fields, "limit", place),
        per_try_ns=time_of(fields, "per_try_timeout_ms", place),
        pause_ns=(low, max(low, high)),
        key_header=None if fields.get("key_header") is None else text(fields, "key_header", place),
    )
    least, percent = number(fields, "budget_min_concurrency", place), fields.get("budget_percent")
    if percent is None:
        return retry, None
    if type(percent) not in (int, float):
        raise UnreadError(f"{place}.budget_percent", "something that is no number")
    return retry, (round(percent * _MILLIONTHS_OF_PERCENT), least)


def bounded(upstream: Upstream, value: Any, place: str) -> Upstream:
    """Return the upstream with the bounds of what is under way to it."""
    if value is None:
        return upstream
    fields = members(value, _BREAKER, place)
    bounds = {name: None if fields.get(name) is None else number(fields, name, place) for name in _BREAKER}
    return replace(
        upstream,
        max_requests=bounds["max_requests"],
        max_pending=bounds["max_pending"],
        max_connections=bounds["max_connections"],
    )


def ejection_of(value: Any, place: str) -> Ejection | None:
    """Return when an instance is left alone, where that is stated."""
    if value is None:
        return None
    fields = members(value, _EJECTION, place)
    return Ejection(
        in_a_row=number(fields, "consecutive_5xx", place),
        eject_ns=number(fields, "eject_ms", place) * _MS,
        interval_ns=number(fields, "interval_ms", place) * _MS,
        at_most=number(fields, "max_percent", place) * _MILLIONTHS_OF_PERCENT,
    )


def hashed_by(value: Any, place: str) -> tuple[str, str] | None:
    """Return what of a call chooses its instance."""
    if value is None:
        return None
    fields = members(value, _HASH_KEY, f"{place}.hash_key")
    return text(fields, "kind", place), text(fields, "name", place)


def time_of(fields: dict[str, Any], name: str, place: str) -> int | None:
    """Return a time in nanoseconds, where it is stated."""
    return None if fields.get(name) is None else number(fields, name, place) * _MS
