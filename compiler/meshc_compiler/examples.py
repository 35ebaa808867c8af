"""The `test` blocks of a program, run against the reference semantics."""

from __future__ import annotations

from typing import assert_never

from meshc_compiler.evaluate import Decision, Reason, evaluate
from meshc_compiler.ir.claim import (
    Example,
    ExpectAllowed,
    Expectation,
    ExpectDenied,
    ExpectRetries,
    ExpectRouted,
    ExpectTimeout,
)
from meshc_compiler.ir.mesh import MeshIndex
from meshc_lang.record import dataclass
from meshc_lang.source import Span
from meshc_lang.units import print_duration, print_percent


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """One line of a test: what was expected, what is the case, and where the line stands."""

    test: str
    request: str
    passed: bool
    expected: str
    actual: str
    decision: Decision
    span: Span | None

    @property
    def name(self) -> str:
        """The test and the request, as reports name the case."""
        return f"{self.test}: {self.request}"


def run_examples(index: MeshIndex) -> tuple[CaseResult, ...]:
    """Return the result of every case, in the order in which they are written."""
    ordered = sorted(index.mesh.examples, key=lambda case: case.origin.sort_key if case.origin else ("", 0, 0))
    return tuple(run_example(index, example) for example in ordered)


def run_example(index: MeshIndex, example: Example) -> CaseResult:
    """Evaluate one case's request and compare with what is expected of it."""
    decision = evaluate(index, example.request)
    return CaseResult(
        test=example.test,
        request=example.request.text,
        passed=all(is_met(expectation, decision) for expectation in example.expectations),
        expected=", ".join(expectation_text(expectation) for expectation in example.expectations),
        actual=decision_text(decision),
        decision=decision,
        span=example.origin,
    )


def is_met(expectation: Expectation, decision: Decision) -> bool:
    """Tell whether a decision is as expected. Whatever is expected besides a denial, the call must be allowed."""
    settings = decision.settings
    match expectation:
        case ExpectDenied():
            return not decision.allowed
        case ExpectAllowed():
            return decision.allowed
        case ExpectRouted():
            return decision.allowed and any(
                (destination.service, destination.version) == (expectation.service, expectation.version)
                for destination in decision.destinations
            )
        case ExpectTimeout():
            actual = None if settings.timeout_ns is None else settings.timeout_ns.value
            return decision.allowed and actual == expectation.timeout_ns
        case ExpectRetries():
            return decision.allowed and retries_of(decision) == expectation.limit
        case _:
            assert_never(expectation)


def retries_of(decision: Decision) -> int:
    """Return how many extra tries a call may be given: none where no condition is stated."""
    limit = decision.settings.retry_limit
    return limit.value if limit is not None and decision.settings.retries else 0


def expectation_text(expectation: Expectation) -> str:
    """Return an expectation as it is written."""
    match expectation:
        case ExpectDenied():
            return "denied"
        case ExpectAllowed():
            return "allowed"
        case ExpectRouted():
            return f"routed {expectation.version or expectation.service}"
        case ExpectTimeout():
            return f"timeout {_timeout_text(expectation.timeout_ns)}"
        case ExpectRetries():
            return f"retry {expectation.limit}"
        case _:
            assert_never(expectation)


def decision_text(decision: Decision) -> str:
    """Return what is the case, in the words of a test."""
    if not decision.allowed:
        why = {
            Reason.NO_ALLOW: "no allow matches",
            Reason.PLAINTEXT: "plaintext",
            Reason.UNKNOWN_CALLER: "the caller is not of this mesh",
            Reason.UNKNOWN_CALLEE: "there is no such callee",
            Reason.REFUSED_PATH: "the path is refused with 400",
            Reason.REFUSED_METHOD: "the method is never forwarded",
        }.get(decision.reason)
        return f"denied ({why or 'by ' + ', '.join(f'`{rule.id}`' for rule in decision.rules)})"
    words = ["allowed"]
    for destination in decision.destinations:
        share = "" if len(decision.destinations) == 1 else f" {print_percent(destination.weight)}"
        words.append(f"routed {destination.version or destination.service}{share}")
    timeout = decision.settings.timeout_ns
    words.append(f"timeout {_timeout_text(None if timeout is None else timeout.value)}")
    words.append(f"retry {retries_of(decision)}")
    return ", ".join(words)


def _timeout_text(nanoseconds: int | None) -> str:
    return "off" if nanoseconds is None else print_duration(nanoseconds)
