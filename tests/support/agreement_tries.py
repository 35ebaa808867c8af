"""What settings make of misbehaviour: how many tries a request gets, and what its caller is told in the end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from meshc_compiler.ir.setting import Settings

NANOSECONDS: Final = 1_000_000_000


class Manner(Enum):
    """How the callee meets a try."""

    SIDECAR = "behind its own sidecar"
    """The callee's sidecar turns a workload's misbehaviour into an answer."""
    BARE = "without a sidecar"
    """The workload's misbehaviour is what the caller's sidecar sees."""
    UNREACHABLE = "no connection"


class Failure(Enum):
    """How a try ends without an answer, and the status that its caller sees if it is the last one."""

    NO_CONNECTION = ("no connection", 503)
    RESET = ("connection lost", 503)
    BROKEN_HTTP = ("an answer that is not HTTP", 502)
    PER_TRY_TIMEOUT = ("too late", 504)

    @property
    def status(self) -> int:
        """Return what the caller is answered."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Course:
    """The course of a call: its tries (fewest and most), the final status, and the least time it takes."""

    fewest: int
    most: int
    status: int
    seconds: float = 0.0


def course_of(settings: Settings, script: str, manner: Manner) -> Course:
    """Return what becomes of a call to a callee that does as the script says."""
    words = script.split()
    extra = settings.retry_limit.value if settings.retries and settings.retry_limit else 0
    conditions = settings.retry_on.value if settings.retries and settings.retry_on else ()
    timeout = settings.timeout_ns.value / NANOSECONDS if settings.timeout_ns else None
    per_try = settings.per_try_timeout_ns.value / NANOSECONDS if settings.per_try_timeout_ns else None
    spent = 0.0
    for number in range(1, extra + 2):
        word = words[min(number, len(words)) - 1]
        outcome = _outcome(word, manner)
        if outcome is None:
            if timeout is not None and (per_try is None or timeout <= spent + per_try):
                # How many tries fit below a total timeout depends on pauses and load; one has begun, no more can have.
                return Course(1, number, 504, timeout)
            assert per_try is not None, "nothing would end this call"
            outcome, spent = Failure.PER_TRY_TIMEOUT, spent + per_try
        if number > extra or not _is_retried(outcome, conditions):
            return Course(number, number, outcome if isinstance(outcome, int) else outcome.status, spent)
    raise AssertionError("a loop over at least one try returns")


def _outcome(word: str, manner: Manner) -> int | Failure | None:
    """Return a try's status or failure as the caller's sidecar sees it; None if it sees nothing."""
    if manner is Manner.UNREACHABLE:
        return Failure.NO_CONNECTION
    match word:
        case "stall":
            return None
        case "close" | "reset":
            return Failure.RESET.status if manner is Manner.SIDECAR else Failure.RESET
        case "garbage":
            return Failure.BROKEN_HTTP.status if manner is Manner.SIDECAR else Failure.BROKEN_HTTP
        case status:
            return _GRPC_STATUSES.get(status) or int(status)


_GRPC_STATUSES = {"grpc-8": 429, "grpc-13": 500, "grpc-14": 503}
"""Statuses of gRPC, as the statuses of HTTP of which they are told."""
_GRPC_CONDITIONS = {"resource-exhausted": 429, "internal": 500, "unavailable": 503}


def _is_retried(outcome: int | Failure, conditions: tuple[str, ...]) -> bool:
    return any(_fits(condition, outcome) for condition in conditions)


def _fits(condition: str, outcome: int | Failure) -> bool:
    """Tell whether a condition covers an outcome, as Envoy's `retry_on` does."""
    match condition, outcome:
        case "5xx", int():
            return 500 <= outcome <= 599
        case "gateway-error", int():
            return outcome in {502, 503, 504}
        case "reset" | "5xx" | "gateway-error", Failure():
            return True
        case "connect-failure", Failure.NO_CONNECTION:
            return True
        case _, int() if condition in _GRPC_CONDITIONS:
            return _GRPC_CONDITIONS[condition] == outcome
        case _, int():
            return condition == f"s{outcome}"
        case _:
            return False
