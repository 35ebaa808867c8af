"""Retries: the program's conditions in Envoy's words (`envoy.config.route.v3.RetryPolicy`)."""

from __future__ import annotations

from meshc_backends.envoy.message import Message, duration
from meshc_compiler.ir.setting import Backoff, Settings

DEFAULT_BACKOFF = Backoff(low_ns=25_000_000, high_ns=250_000_000)
"""The pause where the program states none: Envoy needs one, and this is its own default, written out."""

_LEAST_NS = 1_000_000
"""Envoy counts pauses in whole milliseconds, at least one."""


def retry_policy(settings: Settings) -> Message:
    """Return the policy of settings that retry.

    The conditions' names are Envoy's own but for `sNNN`, a status. `5xx` and `gateway-error` follow Envoy in what else
    they cover.
    """
    conditions = settings.retry_on.value if settings.retry_on else ()
    statuses = [int(condition[1:]) for condition in conditions if _is_status(condition)]
    tokens = [condition for condition in conditions if not _is_status(condition)]
    if statuses:
        tokens.append("retriable-status-codes")
    policy: Message = {
        "retry_on": ",".join(tokens),
        "num_retries": settings.retry_limit.value if settings.retry_limit else 0,
    }
    if statuses:
        policy["retriable_status_codes"] = statuses
    if settings.per_try_timeout_ns is not None:
        policy["per_try_timeout"] = duration(settings.per_try_timeout_ns.value)
    if settings.retry_key_header is not None:
        policy["retriable_request_headers"] = _repeatable(settings.retry_key_header.value)
    backoff = settings.retry_backoff.value if settings.retry_backoff else DEFAULT_BACKOFF
    low = max(backoff.low_ns, _LEAST_NS)
    policy["retry_back_off"] = {"base_interval": duration(low), "max_interval": duration(max(backoff.high_ns, low))}
    return policy


def _repeatable(key_header: str) -> list[Message]:
    """Return matchers of which one must match for a request to be tried again.

    A method that is idempotent by itself (RFC 9110 §9.2.2) needs no key.
    """
    return [
        {"name": ":method", "string_match": {"safe_regex": {"regex": "POST|PATCH"}}, "invert_match": True},
        {"name": key_header, "present_match": True},
    ]


def _is_status(condition: str) -> bool:
    return condition.startswith("s") and condition[1:].isdigit()
