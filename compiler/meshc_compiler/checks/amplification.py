"""Amplification: tries that multiply along a chain of calls until a small failure becomes a flood."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.call_graph import CallGraph, Case, Hop, circles, is_open
from meshc_compiler.checks.chain import chain_text
from meshc_compiler.checks.subject import CheckSubject
from meshc_lang.codes import resilience
from meshc_lang.diagnostic import Diagnostic, Label
from meshc_lang.source import Span

MOST_TRIES = 8
"""How many tries one request may become before it is told: three callers that each try once more."""


def check_amplification(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find the calls by which one request comes to more tries than `MOST_TRIES`, and circles that have no end.

    Retries with a budget are not counted: they cannot add more than their share to the load.
    """
    retrying = _Retrying(subject.calls, subject)
    if not retrying.hops:
        return
    told: set[Span] = set()
    for path in (*retrying.circles(), *retrying.floods()):
        last = path[-1]
        limit = last.case.settings.retry_limit
        if limit is None or limit.origin is None or limit.origin in told:
            continue
        told.add(limit.origin)
        others = dict.fromkeys(
            step.case.settings.retry_limit.origin
            for step in path[:-1]
            if step.case.settings.retry_limit is not None and step.case.settings.retry_limit.origin != limit.origin
        )
        hops = tuple(step.hop for step in path)
        total = 1
        for step in path:
            total *= step.case.tries
        if path[0].hop.caller == last.hop.callee:
            what = f"`{chain_text(hops)}` is a circle, and calls on it are tried again, so tries grow without end"
        else:
            what = f"one request may become {total} at `{last.hop.callee}`: tries multiply along `{chain_text(hops)}`"
        yield Diagnostic(
            code=resilience.AMPLIFICATION,
            message=what,
            primary=limit.origin,
            related=tuple(Label(origin, "and these are tried again, too") for origin in others if origin is not None)[
                :3
            ],
            help="try again on one hop of a chain only, or bound retries by a `budget`",
            subject=f"amplification {last.hop}",
        )


class _Step:
    """A hop that is tried again, with its worst case."""

    __slots__ = ("case", "hop")

    def __init__(self, hop: Hop, case: Case) -> None:
        self.hop = hop
        self.case = case


class _Retrying:
    """The hops that are tried again without a budget, and the chains that they make."""

    def __init__(self, graph: CallGraph, subject: CheckSubject) -> None:
        self._graph = graph
        self.hops: dict[str, list[_Step]] = {}
        for caller in sorted(subject.index.workloads):
            for hop in graph.hops(caller):
                step = self._step(hop)
                # What only a grant to `any` opens may be called; that it is, and so often, is not certain.
                if step is not None and graph.may_ask(hop) and graph.is_named(hop):
                    self.hops.setdefault(caller, []).append(step)

    def _step(self, hop: Hop) -> _Step | None:
        cases = [case for case in self._graph.cases(hop) if case.tries > 1 and case.settings.retry_budget is None]
        for case in sorted(cases, key=lambda case: -case.tries):
            if is_open(case.answer):
                return _Step(hop, case)
        return None

    def circles(self) -> Iterator[tuple[_Step, ...]]:
        """Yield chains of retried calls that lead back to where they began."""
        steps = {step.hop: step for own in self.hops.values() for step in own}
        for path in circles(self.hops, lambda caller: [step.hop for step in self.hops.get(caller, ())]):
            yield tuple(steps[hop] for hop in path)

    def floods(self) -> Iterator[tuple[_Step, ...]]:
        """Yield the shortest chains of retried calls by which the tries pass the bound."""
        for start in self.hops:
            front: list[tuple[int, tuple[_Step, ...]]] = [(1, ())]
            seen: dict[str, int] = {start: 1}
            while front:
                further: list[tuple[int, tuple[_Step, ...]]] = []
                for tries, path in front:
                    at = path[-1].hop.callee if path else start
                    for step in self.hops.get(at, ()):
                        total = tries * step.case.tries
                        callee = step.hop.callee
                        if total > MOST_TRIES and path:
                            yield (*path, step)
                        elif total > seen.get(callee, 0) and total <= MOST_TRIES:
                            seen[callee] = total
                            further.append((total, (*path, step)))
                front = further
