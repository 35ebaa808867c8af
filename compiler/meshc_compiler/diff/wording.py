"""The words for what changes, as the language spells them, and the places of it in either program."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from meshc_compiler.diff.fate import Bound, MirrorTarget, Mishap, Outcome
from meshc_compiler.evaluate import Decision, Reason
from meshc_compiler.ir.route import WHOLE
from meshc_compiler.ir.setting import SETTING_FIELDS, SETTING_NAMES
from meshc_compiler.ir.workload import HealthCheck
from meshc_compiler.lower.answer import answer_text
from meshc_compiler.lower.setting_text import setting_text
from meshc_lang.source import Span
from meshc_lang.units import print_duration, print_percent, print_rate

_REASONS = {
    Reason.NO_ALLOW: "denied: no allow matches",
    Reason.PLAINTEXT: "denied: calls without an identity are not heard",
    Reason.UNKNOWN_CALLER: "denied: there is no such caller",
    Reason.UNKNOWN_CALLEE: "denied: there is no such callee",
}


def refusal_words(decision: Decision, has_port: bool) -> str:
    """Return whether a request is allowed, or why it is not, in words that fit every caller alike."""
    if not has_port:
        return _REASONS[Reason.UNKNOWN_CALLEE]
    if decision.allowed:
        return "allowed"
    return "denied: a deny matches" if decision.rules else _REASONS.get(decision.reason, "denied")


def target_words(outcome: Outcome) -> str:
    """Return where requests go: `v1 90%, v2 10%`, `all of api`, or what is answered."""
    if outcome.answer is not None:
        return answer_text(outcome.answer)
    if len(outcome.targets) == 1:
        service, version, _ = outcome.targets[0]
        return version or f"all of {service}"
    words = (f"{version or f'all of {service}'} {print_percent(share)}" for service, version, share in outcome.targets)
    return ", ".join(words) or "its hosts"


def setting_words(old: tuple[tuple[str, object], ...], new: tuple[tuple[str, object], ...]) -> tuple[str, str]:
    """Return the settings that differ, as they were and as they are: `timeout 2s`, `no timeout`."""
    before, after = dict(old), dict(new)
    differing = [name for name in SETTING_FIELDS if before.get(name) != after.get(name)]
    return _values(before, differing), _values(after, differing)


def _values(held: dict[str, object], names: list[str]) -> str:
    words = (
        f"{SETTING_NAMES[name]} {setting_text(name, held[name])}" if name in held else f"no {SETTING_NAMES[name]}"
        for name in names
    )
    return ", ".join(words)


def limit_words(limits: tuple[Bound, ...]) -> str:
    """Return the limits of a call."""
    return ", ".join(_limit(one) for one in limits) or "no limit"


def _limit(limit: Bound) -> str:
    per = "" if limit.per is None else f" per {limit.per.kind} {json.dumps(limit.per.name)}"
    return f"limit {print_rate(limit.amount, limit.seconds)} burst {limit.burst}{per}"


def fault_words(faults: tuple[Mishap, ...]) -> str:
    """Return the faults that befall a call."""
    return ", ".join(_fault(one) for one in faults) or "no fault"


def _fault(fault: Mishap) -> str:
    delay = "" if fault.delay_ns is None else f" delay {print_duration(fault.delay_ns)}"
    abort = "" if fault.abort_status is None else f" abort {fault.abort_status}"
    return f"fault{delay}{abort}{_share(fault.share)}"


def mirror_words(target: MirrorTarget) -> str:
    """Return who gets copies of which share."""
    version = "" if target.version is None else f" {target.version}"
    return f"a copy{_share(target.share)} to {target.service}{version} (port {target.port})"


def health_words(health: HealthCheck | None) -> str:
    """Return how instances are found that are well."""
    if health is None:
        return "no health check"
    asked = "" if health.path is None else f" {health.path}"
    times = f"every {print_duration(health.interval_ns)} within {print_duration(health.timeout_ns)}"
    return f"health{asked} on port {health.port} {times}, out after {health.unhealthy}, in after {health.healthy}"


def _share(millionths: int) -> str:
    return "" if millionths == WHOLE else f" of {print_percent(millionths)}"


# ---- places

Places = Callable[[Decision, Decision], tuple[Span, ...]]
"""Where a program says what it decides, and another does not."""


def rule_spans(decision: Decision) -> tuple[Span, ...]:
    """Return the rules that allow or deny a request."""
    return _present(rule.origin for rule in decision.rules)


def route_spans(decision: Decision, other: Decision) -> tuple[Span, ...]:
    """Return the rule of the route by which a request goes where it goes."""
    del other
    return _present((None if decision.route_rule is None else decision.route_rule.origin,))


def mirror_spans(decision: Decision, other: Decision) -> tuple[Span, ...]:
    """Return the mirrors that the other decision has not."""
    return _present(one.origin for one in decision.mirrors if one not in other.mirrors)


def setting_spans(decision: Decision, other: Decision) -> tuple[Span, ...]:
    """Return where the settings are stated that the other decision has not, or otherwise."""
    spans = []
    for name in SETTING_FIELDS:
        stated, against = getattr(decision.settings, name), getattr(other.settings, name)
        if stated is not None and (against is None or against.value != stated.value):
            spans.append(stated.origin)
    return _present(spans)


def limit_spans(decision: Decision, other: Decision) -> tuple[Span, ...]:
    """Return the limits that the other decision has not."""
    return _present(one.origin for one in decision.limits if one not in other.limits)


def fault_spans(decision: Decision, other: Decision) -> tuple[Span, ...]:
    """Return the faults that the other decision has not."""
    return _present(one.origin for one in decision.faults if one not in other.faults)


def health_spans(decision: Decision, other: Decision) -> tuple[Span, ...]:
    """Return the health check, if the other decision has another."""
    health = decision.health
    return _present((None if health is None or health == other.health else health.origin,))


def _present(spans: Iterable[Span | None]) -> tuple[Span, ...]:
    return tuple(dict.fromkeys(span for span in spans if span is not None))
