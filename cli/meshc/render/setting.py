"""Settings as JSON: the fields of `settings` in an answer of `meshc why`, which are extended and never renamed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from meshc.render.json import Json
from meshc_compiler.ir.setting import Backoff, Balance, HashKeyKind, Setting, Settings
from meshc_lang.source import Span

_MILLISECOND = 1_000_000
_PERCENT = 10_000

Place = Callable[[Span | None], Json | None]
"""How a span is written."""


def settings_json(stated: Settings, place: Place) -> Json:
    """Return what is stated, each value with its scope and place; times in milliseconds, shares in percent."""

    def one(setting: Setting[Any] | None, shown: Callable[[Any], object] = lambda value: value) -> Json | None:
        if setting is None:
            return None
        return {"value": shown(setting.value), "span": place(setting.origin), "scope": setting.scope.word}

    return {
        "timeout_ms": one(stated.timeout_ns, _milliseconds),
        "connect_timeout_ms": one(stated.connect_timeout_ns, _milliseconds),
        "idle_timeout_ms": one(stated.idle_timeout_ns, _milliseconds),
        "retry": {
            "limit": one(stated.retry_limit),
            "on": one(stated.retry_on),
            "budget_percent": one(stated.retry_budget, _percent),
            "backoff_ms": one(stated.retry_backoff, _backoff),
            "per_try_ms": one(stated.per_try_timeout_ns, _milliseconds),
            "idempotent": one(stated.idempotent),
            "key_header": one(stated.retry_key_header, _or_off),
        },
        "breaker": {
            "max_requests": one(stated.breaker_max_requests, _or_off),
            "max_pending": one(stated.breaker_max_pending, _or_off),
            "max_connections": one(stated.breaker_max_connections, _or_off),
            "consecutive_5xx": one(stated.outlier_consecutive_5xx, _or_off),
            "eject_ms": one(stated.outlier_eject_ns, _milliseconds),
            "interval_ms": one(stated.outlier_interval_ns, _milliseconds),
            "max_ejected_percent": one(stated.outlier_max_ejected, _percent),
        },
        "balance": one(stated.balance, _balance),
        "telemetry": {
            "sampling_percent": one(stated.trace_sampling, _percent),
            "propagation": one(stated.trace_propagation),
            "access_log": one(stated.access_log),
            "metrics": one(stated.metrics),
            "otlp": one(stated.trace_endpoint, _or_off),
        },
    }


def number(value: float) -> int | float:
    """Return a number as JSON writes it best: whole ones without a fraction."""
    return int(value) if value == int(value) else value


def _milliseconds(nanoseconds: int) -> int | float | None:
    """A time of 0 stands for `off`, which is no bound."""
    return number(nanoseconds / _MILLISECOND) if nanoseconds else None


def _percent(millionths: int) -> int | float:
    return number(millionths / _PERCENT)


def _or_off(value: object) -> object:
    return value or None


def _backoff(backoff: Backoff) -> list[int | float | None]:
    return [_milliseconds(backoff.low_ns), _milliseconds(backoff.high_ns)]


def _balance(balance: Balance) -> Json:
    key = balance.key
    if key is None:
        return {"policy": balance.policy}
    return {"policy": balance.policy, key.kind.value: True if key.kind is HashKeyKind.SOURCE else key.name}
