"""The `test` blocks of a program, run against the reference semantics."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import assert_never

from meshc_compiler.evaluate import Decision, Reason, evaluate
from meshc_compiler.ir.edge_condition import EdgeValue
from meshc_compiler.ir.example import (
    Example,
    ExpectAllowed,
    Expectation,
    ExpectDenied,
    ExpectFault,
    ExpectLimit,
    ExpectMirror,
    ExpectRetries,
    ExpectRouted,
    ExpectRule,
    ExpectSettings,
)
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.setting import SETTING_NAMES, Settings
from meshc_compiler.lower.answer import answer_text
from meshc_compiler.lower.setting_text import setting_text
from meshc_lang.record import dataclass
from meshc_lang.source import Span
from meshc_lang.units import print_percent, print_rate


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


def run_examples(index: MeshIndex, chosen: Sequence[str] = ()) -> tuple[CaseResult, ...]:
    """Return the result of every case, in the order in which they are written; of those `chosen`, if any word is."""
    ordered = sorted(index.mesh.examples, key=lambda case: case.origin.sort_key if case.origin else ("", 0, 0))
    return tuple(run_example(index, example) for example in ordered if not chosen or is_chosen(example, chosen))


def is_chosen(example: Example, words: Sequence[str]) -> bool:
    """Tell whether one of the words is about a case.

    A word is a part of the test's name or of the request, in any case of letters, with `*` and `?` as in file names;
    or the case's place, as `shop.mesh:63`.
    """
    name = f"{example.test}: {example.request.text}".casefold()
    place = "" if example.origin is None else f"{example.origin.source.path}:{example.origin.first.line}"
    return any(fnmatchcase(name, f"*{word.casefold()}*") or word == place for word in words)


def run_example(index: MeshIndex, example: Example) -> CaseResult:
    """Evaluate one case's request and compare with what is expected of it."""
    decision = evaluate(index, example.request)
    return CaseResult(
        test=example.test,
        request=example.request.text,
        passed=all(is_met(expectation, decision) for expectation in example.expectations),
        expected=", ".join(expectation_text(expectation) for expectation in example.expectations),
        actual=decision_text(decision, example.expectations),
        decision=decision,
        span=example.origin,
    )


def is_met(expectation: Expectation, decision: Decision) -> bool:
    """Tell whether a decision is as expected. Whatever is expected besides a denial, the call must be allowed."""
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
        case ExpectRule():
            rule = decision.route_rule
            return decision.allowed and rule is not None and rule.name == expectation.name
        case ExpectRetries():
            return decision.allowed and retries_of(decision) == expectation.limit
        case ExpectSettings():
            return decision.allowed and all(
                _value(decision.settings, field) == (value or None) for field, value in expectation.values
            )
        case ExpectLimit(rate=rate):
            rates = {(limit.amount, limit.seconds) for limit in decision.limits}
            return decision.allowed and (rate in rates if rate is not None else not rates)
        case ExpectMirror(target=target):
            copied = [(mirror.target_service, mirror.target_version) for mirror in decision.mirrors]
            if target is None:
                return decision.allowed and not copied
            return decision.allowed and any(
                service == target[0] and target[1] in (None, version) for service, version in copied
            )
        case ExpectFault(name=name):
            struck = {fault.name for fault in decision.faults}
            return decision.allowed and (name in struck if name is not None else not struck)
        case _:
            assert_never(expectation)


def _value(settings: Settings, field: str) -> EdgeValue | None:
    """Return the value that a call has; what is `off` it does not have."""
    stated = getattr(settings, field)
    return None if stated is None else stated.value or None


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
        case ExpectRule():
            return f"by {expectation.name}"
        case ExpectRetries():
            return f"retry {expectation.limit}"
        case ExpectSettings():
            return ", ".join(_setting_text(field, value or None) for field, value in expectation.values)
        case ExpectLimit(rate=rate):
            return f"limit {'off' if rate is None else print_rate(*rate)}"
        case ExpectMirror(target=target):
            return f"mirror {'off' if target is None else target[1] or target[0]}"
        case ExpectFault(name=name):
            return f"fault {name or 'off'}"
        case _:
            assert_never(expectation)


def traffic_words(decision: Decision) -> tuple[str, ...]:
    """Return what a call meets on its way, in the words of a test; what it does not meet is `off`."""
    limits = [f"limit {print_rate(limit.amount, limit.seconds)}" for limit in decision.limits]
    own = decision.request.callee
    mirrors = [
        f"mirror {(mirror.target_service == own and mirror.target_version) or mirror.target_service}"
        for mirror in decision.mirrors
    ]
    faults = [f"fault {fault.name}" for fault in decision.faults]
    met = (*(limits or ["limit off"]), *(mirrors or ["mirror off"]), *(faults or ["fault off"]))
    return tuple(dict.fromkeys(met))


def decision_text(decision: Decision, expectations: tuple[Expectation, ...] = ()) -> str:
    """Return what is the case, in the words of a test; of settings those that are always told or were asked for."""
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
    if decision.answer is not None:
        return f"allowed, {answer_text(decision.answer)}"
    for destination in decision.destinations:
        share = "" if len(decision.destinations) == 1 else f" {print_percent(destination.weight)}"
        words.append(f"routed {destination.version or destination.service}{share}")
    if decision.route_rule is not None and decision.route_rule.name is not None:
        words.append(f"by {decision.route_rule.name}")
    words.append(_setting_text("timeout_ns", _value(decision.settings, "timeout_ns")))
    words.append(f"retry {retries_of(decision)}")
    asked = {
        field
        for expectation in expectations
        if isinstance(expectation, ExpectSettings)
        for field, _ in expectation.values
    }
    for field in sorted(asked - {"timeout_ns", "retry_limit"}):
        words.append(_setting_text(field, _value(decision.settings, field)))
    if any(isinstance(expectation, ExpectLimit | ExpectMirror | ExpectFault) for expectation in expectations):
        words += traffic_words(decision)
    return ", ".join(words)


def _setting_text(field: str, value: EdgeValue | None) -> str:
    name = SETTING_NAMES[field].replace(" ", ".")
    return f"{name} {'off' if value is None else setting_text(field, value)}"
