"""Bounds on the worst path: how many tries a call may grow to, and how long its caller may wait."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import assert_never

from meshc_compiler.checks.call_path import CallPaths, Step
from meshc_compiler.checks.chain import chain_text, hop_labels
from meshc_compiler.checks.refutation import refutation, undecided_assert
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.checks.waiting import wait_text
from meshc_compiler.ir.claim import Metric, MetricBound
from meshc_compiler.space.request_space import Undecided, Witness
from meshc_lang.codes import authorization
from meshc_lang.diagnostic import Diagnostic, Label
from meshc_lang.source import Span


def check_metric_bound(subject: CheckSubject, claim: MetricBound) -> Iterator[Diagnostic]:
    """Find the worst path if it is worse than the bound."""
    paths = CallPaths(subject.calls, claim)
    match claim.metric:
        case Metric.ATTEMPTS:
            yield from _check_attempts(paths, claim)
        case Metric.DEADLINE:
            yield from _check_deadline(paths, claim)
        case _:
            assert_never(claim.metric)


def _within(value: int, claim: MetricBound) -> bool:
    if claim.exact:
        return value == claim.bound
    return value < claim.bound if claim.strict else value <= claim.bound


def _check_attempts(paths: CallPaths, claim: MetricBound) -> Iterator[Diagnostic]:
    circle = paths.circle()
    if circle:
        yield from refutation(
            authorization.ATTEMPTS_EXCEEDED,
            claim,
            detail=f"nothing bounds it, for `{chain_text(circle)}` is a circle of calls that may go round and round",
            related=hop_labels(paths.graph, circle),
            help_line="take one of these calls away",
        )
        return
    worst = paths.most_tries()
    if not worst:
        if claim.exact:
            yield from refutation(authorization.ATTEMPTS_EXCEEDED, claim, detail="no call leads there")
        return
    total = prod(step.case.tries for step in worst)
    if _within(total, claim):
        return
    if any(isinstance(step.case.answer, Undecided) for step in worst):
        hops = tuple(step.hop for step in worst)
        yield from undecided_assert(claim, f"of the chain `{chain_text(hops)}`", paths.graph.doubts(hops))
        return
    yield from refutation(
        authorization.ATTEMPTS_EXCEEDED,
        claim,
        detail=f"one request may become {total:,} {_factors(worst)}",
        related=_extra_tries(worst),
    )


def _factors(path: tuple[Step, ...]) -> str:
    """Return what the tries along a path multiply to: `web -> api` 2 × `api -> db` 3."""
    product = " × ".join(f"`{step.hop}` {step.case.tries}" for step in path)
    return f"({product})" if len(path) == 1 else f"({product} = {prod(step.case.tries for step in path):,})"


def _extra_tries(path: tuple[Step, ...]) -> tuple[Label, ...]:
    """Return where the tries of a path's hops are stated."""
    hops: dict[Span, list[Step]] = {}
    for step in path:
        limit = step.case.settings.retry_limit
        if step.case.tries > 1 and limit is not None and limit.origin is not None:
            hops.setdefault(limit.origin, []).append(step)
    return tuple(
        Label(span, f"{steps[0].case.tries} tries of " + " and ".join(f"`{step.hop}`" for step in steps))
        for span, steps in hops.items()
    )


def _check_deadline(paths: CallPaths, claim: MetricBound) -> Iterator[Diagnostic]:
    worst = paths.longest_wait()
    if worst is None:
        if claim.exact:
            yield from refutation(authorization.DEADLINE_EXCEEDED, claim, detail="no call leads there")
        return
    wait = worst.case.wait_ns
    if wait is not None and _within(wait, claim):
        return
    if isinstance(worst.case.answer, Undecided):
        yield from undecided_assert(claim, f"on `{worst.hop}`", paths.graph.doubts((worst.hop,)))
        return
    settings = worst.case.settings
    way = paths.way_of(worst.hop)
    on_the_way = f", on the way `{chain_text(way)}`" if len(way) > 1 else ""
    if wait is None:
        detail, help_line = f"nothing bounds how long `{worst.hop}` waits{on_the_way}", "state a `timeout`"
    else:
        detail, help_line = f"`{worst.hop}` may wait {wait_text(worst.case)}{on_the_way}", ""
    stated = [setting for setting in (settings.timeout_ns, settings.per_try_timeout_ns) if setting is not None]
    labels = [Label(setting.origin, "stated here") for setting in stated if setting.origin is not None]
    answer = worst.case.answer
    witness = paths.graph.request(worst.hop, answer, routed=True) if isinstance(answer, Witness) else None
    yield from refutation(
        authorization.DEADLINE_EXCEEDED,
        claim,
        detail=detail,
        related=(*labels[:2], *hop_labels(paths.graph, (worst.hop,)))[:3],
        witness=witness,
        help_line=help_line,
    )
