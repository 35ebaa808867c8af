"""Bounds on the worst path: how many tries a call may grow to, and how long its caller may wait."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from meshc_compiler.call_graph import CallGraph, Case, Hop, circles, is_open, sources_of, worst_open
from meshc_compiler.checks.chain import chain_text, hop_labels
from meshc_compiler.checks.refutation import refutation, undecided_assert
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.ir.claim import ANYBODY, Metric, MetricBound
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.space.request_space import Undecided, Witness
from meshc_lang.codes import authorization
from meshc_lang.diagnostic import Diagnostic, Label
from meshc_lang.record import dataclass
from meshc_lang.units import print_duration


@dataclass(frozen=True, slots=True)
class _Step:
    """A hop of a path with the case that is worst on it."""

    hop: Hop
    case: Case


@dataclass(frozen=True, slots=True)
class _Best:
    """The worst way on from one caller: tries in all, the next step, and whether that is the last."""

    total: int
    step: _Step | None
    ends: bool


def check_metric_bound(subject: CheckSubject, claim: MetricBound) -> Iterator[Diagnostic]:
    """Find the worst path if it is worse than the bound."""
    paths = _Paths(subject.calls, claim)
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


def _check_attempts(paths: _Paths, claim: MetricBound) -> Iterator[Diagnostic]:
    circle = paths.circle()
    if circle:
        yield from refutation(
            authorization.ATTEMPTS_EXCEEDED,
            claim,
            detail=f"nothing bounds it, for `{chain_text(circle)}` is a circle of calls that may go round and round",
            related=hop_labels(paths.graph, circle),
            help_line="take one of these calls away, or name the callers of an `allow any`",
        )
        return
    worst = paths.most_tries()
    if not worst:
        if claim.exact:
            yield from refutation(authorization.ATTEMPTS_EXCEEDED, claim, detail="no call leads there")
        return
    total = 1
    for step in worst:
        total *= step.case.tries
    if _within(total, claim):
        return
    if any(isinstance(step.case.answer, Undecided) for step in worst):
        hops = tuple(step.hop for step in worst)
        yield from undecided_assert(claim, f"of the chain `{chain_text(hops)}`", paths.graph.doubts(hops))
        return
    factors = ", ".join(f"`{step.hop}` x {step.case.tries}" for step in worst)
    origins = [step.case.settings.retry_limit for step in worst if step.case.tries > 1]
    labels = [Label(limit.origin, "extra tries") for limit in origins if limit is not None and limit.origin is not None]
    yield from refutation(
        authorization.ATTEMPTS_EXCEEDED,
        claim,
        detail=f"one request may become {total:,} ({factors})",
        related=tuple(dict.fromkeys(labels))[:3],
    )


def _check_deadline(paths: _Paths, claim: MetricBound) -> Iterator[Diagnostic]:
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
    if wait is None:
        detail, help_line = f"nothing bounds how long `{worst.hop}` waits", "state a `timeout`"
    else:
        detail, help_line = f"`{worst.hop}` may wait {print_duration(wait)}", ""
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


class _Paths:
    """The part of the call graph that lies between the two ends of a claim."""

    def __init__(self, graph: CallGraph, claim: MetricBound) -> None:
        self.graph = graph
        self._claim = claim
        self._targets = frozenset(claim.callees)
        self._sources = sources_of(claim.callers, graph, ANYBODY)
        self._steps = self._between()

    def _between(self) -> dict[str, tuple[list[Hop], list[Hop]]]:
        """Return for each caller on the way its last calls, and its calls of others on the way."""
        last: dict[str, list[Hop]] = {}
        further: dict[str, list[Hop]] = {}
        seen = dict.fromkeys(self._sources)
        todo = list(seen)
        while todo:
            caller = todo.pop()
            last[caller], further[caller] = [], []
            for hop in self.graph.hops(caller):
                if (hop.callee, hop.port) in self._targets and is_open(self.graph.answer(hop, self._claim.matches)):
                    last[caller].append(hop)
                if is_open(self.graph.answer(hop)):
                    further[caller].append(hop)
                    if hop.callee not in seen:
                        seen[hop.callee] = None
                        todo.append(hop.callee)
        leading = {caller for caller in seen if last.get(caller)}
        callers_of: dict[str, list[str]] = {}
        for caller, hops in further.items():
            for hop in hops:
                callers_of.setdefault(hop.callee, []).append(caller)
        todo = list(leading)
        while todo:
            for caller in callers_of.get(todo.pop(), ()):
                if caller not in leading:
                    leading.add(caller)
                    todo.append(caller)
        return {
            caller: (last[caller], [hop for hop in further[caller] if hop.callee in leading])
            for caller in seen
            if caller in leading
        }

    def circle(self) -> tuple[Hop, ...]:
        """Return calls on the way that lead back to where they began; empty if there are none."""
        return next(circles(sorted(self._steps), lambda caller: self._steps[caller][1]), ())

    def most_tries(self) -> tuple[_Step, ...]:
        """Return the path on which the tries multiply to the most. There must be no circle."""
        best: dict[str, _Best] = {}
        for caller in self._in_order():
            last, further = self._steps[caller]
            chosen = _Best(0, None, True)
            for hop, matches, ends in [(hop, self._claim.matches, True) for hop in last] + [
                (hop, (), False) for hop in further
            ]:
                case = self._worst_case(hop, matches)
                if case is not None:
                    total = case.tries if ends else case.tries * best[hop.callee].total
                    if total > chosen.total:
                        chosen = _Best(total, _Step(hop, case), ends)
            best[caller] = chosen
        sources = [source for source in self._sources if source in best and best[source].step is not None]
        if not sources:
            return ()
        at = best[max(sources, key=lambda source: best[source].total)]
        steps: list[_Step] = []
        while at.step is not None:
            steps.append(at.step)
            if at.ends:
                break
            at = best[at.step.hop.callee]
        return tuple(steps)

    def longest_wait(self) -> _Step | None:
        """Return the first call of the path on which a source may wait longest."""
        longest: _Step | None = None
        for source in self._sources:
            last, further = self._steps.get(source, ([], []))
            asked = [(hop, self._claim.matches) for hop in last] + [(hop, ()) for hop in further]
            for hop, matches in asked:
                for case in self.graph.cases(hop, matches):
                    if not _longer(case, longest) or not is_open(case.answer):
                        continue
                    longest = _Step(hop, case)
        return longest

    def _worst_case(self, hop: Hop, matches: tuple[RequestMatch, ...]) -> Case | None:
        """Return the case of a hop with the most tries that some request is in."""
        return worst_open(self.graph.cases(hop, matches), lambda case: case.tries)

    def _in_order(self) -> list[str]:
        """Return the callers so that each comes after those it calls."""
        order: list[str] = []
        seen: set[str] = set()
        for start in self._steps:
            stack = [(start, iter(self._steps[start][1]))] if start not in seen else []
            seen.add(start)
            while stack:
                caller, hops = stack[-1]
                hop = next(hops, None)
                if hop is None:
                    stack.pop()
                    order.append(caller)
                elif hop.callee not in seen:
                    seen.add(hop.callee)
                    stack.append((hop.callee, iter(self._steps[hop.callee][1])))
        return order


def _longer(case: Case, than: _Step | None) -> bool:
    """Tell whether a case waits longer than another; what nothing bounds waits longest."""
    if than is None:
        return True
    if than.case.wait_ns is None:
        return False
    return case.wait_ns is None or case.wait_ns > than.case.wait_ns
