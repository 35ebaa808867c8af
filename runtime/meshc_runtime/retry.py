"""Retries: which outcomes of a try are tried again, after what pause, within what budget.

The conditions mean what Envoy's `retry_on` means: a try that ended without a response (connection not made,
connection lost, protocol broken, per-try timeout) counts for `reset`, `5xx` and `gateway-error`; one that
never had a connection counts for `connect-failure` as well, one that the peer of HTTP/2 would not begin for
`refused-stream`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import assert_never

from meshc_runtime.condition import Headers
from meshc_runtime.snapshot import Retry

_UNREPEATABLE = frozenset({"POST", "PATCH"})
_GATEWAY_ERRORS = frozenset({502, 503, 504})
_GRPC_STATUS = {
    "cancelled": b"1",
    "deadline-exceeded": b"4",
    "resource-exhausted": b"8",
    "internal": b"13",
    "unavailable": b"14",
}


class TryFailure(Enum):
    """How a try ended that gave no response; the value is the word for log and metrics."""

    CONNECT_FAILURE = "connect-failure"
    RESET = "reset"
    REFUSED_STREAM = "refused-stream"
    PROTOCOL_ERROR = "protocol-error"
    PER_TRY_TIMEOUT = "per-try-timeout"
    OVERFLOW = "overflow"
    NO_ENDPOINT = "no-endpoint"

    @property
    def status(self) -> int:
        """The status a caller gets when this failure is the last word."""
        match self:
            case TryFailure.PROTOCOL_ERROR:
                return 502
            case TryFailure.PER_TRY_TIMEOUT:
                return 504
            case TryFailure.CONNECT_FAILURE | TryFailure.RESET | TryFailure.REFUSED_STREAM:
                return 503
            case TryFailure.OVERFLOW | TryFailure.NO_ENDPOINT:
                return 503
            case _:
                assert_never(self)


class RetryPolicy:
    """One route's retry settings, compiled."""

    def __init__(self, retry: Retry) -> None:
        self.limit = retry.limit
        self.per_try_timeout = None if retry.per_try_timeout_ms is None else retry.per_try_timeout_ms / 1000
        self.budget_percent = retry.budget_percent
        self.budget_min_concurrency = retry.budget_min_concurrency
        self.key_header = retry.key_header
        self._base = retry.backoff_base_ms / 1000
        self._most = retry.backoff_max_ms / 1000
        conditions = frozenset(retry.on)
        self._on_reset = not conditions.isdisjoint({"reset", "5xx", "gateway-error"})
        self._on_refused = self._on_reset or "refused-stream" in conditions
        self._on_connect_failure = self._on_reset or "connect-failure" in conditions
        statuses = {int(name[1:]) for name in conditions if name[0] == "s" and name[1:].isdigit()}
        if "gateway-error" in conditions:
            statuses |= _GATEWAY_ERRORS
        if "5xx" in conditions:
            statuses |= set(range(500, 600))
        self._statuses = frozenset(statuses)
        self._grpc = frozenset(_GRPC_STATUS[name] for name in conditions if name in _GRPC_STATUS)

    def retries_failure(self, failure: TryFailure) -> bool:
        """Whether a try without response is tried again."""
        if failure in (TryFailure.OVERFLOW, TryFailure.NO_ENDPOINT):
            return False
        if failure is TryFailure.CONNECT_FAILURE:
            return self._on_connect_failure
        return self._on_refused if failure is TryFailure.REFUSED_STREAM else self._on_reset

    def retries_response(self, status: int, grpc_status: bytes | None) -> bool:
        """Whether a try with this response is tried again."""
        return status in self._statuses or (grpc_status is not None and grpc_status in self._grpc)

    def repeats(self, method: str, headers: Headers) -> bool:
        """Whether a request is one that may be made twice: its method says so, or the key that it bears."""
        return self.key_header is None or method not in _UNREPEATABLE or self.key_header in headers

    def backoff(self, retry: int, random: Callable[[], float]) -> float:
        """Seconds to wait before the `retry`-th retry (from 1): full jitter over a doubling interval."""
        return float(min(self._most, self._base * (2**retry - 1)) * random())


class RetryBudget:
    """How many requests and retries run to one cluster."""

    __slots__ = ("requests", "retries")

    def __init__(self) -> None:
        self.requests = 0
        self.retries = 0

    def allows(self, policy: RetryPolicy) -> bool:
        """Whether one more retry fits the policy's budget; without a budget it always does."""
        if policy.budget_percent is None:
            return True
        share = int(self.requests * policy.budget_percent / 100)
        return self.retries < max(policy.budget_min_concurrency, share)
