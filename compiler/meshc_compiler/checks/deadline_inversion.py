"""Deadlines along a chain: that a caller does not give up while what it asked for may go on."""

from __future__ import annotations

import math
from collections.abc import Iterator

from meshc_compiler.call_graph import CallGraph, Case, Hop, worst_open
from meshc_compiler.checks.subject import CheckSubject, Doubt
from meshc_compiler.checks.waiting import wait_text
from meshc_compiler.ir.setting import Setting
from meshc_compiler.space.request_space import Undecided, Witness
from meshc_lang.codes import resilience
from meshc_lang.diagnostic import Diagnostic, Label
from meshc_lang.source import Span


def check_deadline_inversions(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find calls that wait longer than anybody waits for their caller.

    Only what is certain is told: the longest wait for the caller is shorter than the shortest wait of its own call, so
    whatever is asked, the answer may come when nobody listens. A wait that nothing bounds is not compared.
    """
    graph = subject.calls
    if not _states_times(subject):
        return
    told: set[tuple[Span, Span]] = set()
    waits = _Waits(graph)
    for name in sorted(subject.focus & subject.index.workloads.keys()):
        suspects = _suspects(graph, subject, name, waits)
        outer = _most_patient(graph, subject, name) if suspects else None
        if outer is None:
            continue
        before, patience = outer
        for hop in suspects:
            case = _quickest(graph, hop)
            if case is None or case.wait_ns is None:
                continue
            if case.wait_ns <= _wait(patience):
                # A case that perhaps no request is in may be the only one that sets this right.
                if isinstance(case.answer, Undecided) or isinstance(patience.answer, Undecided):
                    subject.note_doubt(subject.routed_space(hop.callee, hop.port), Doubt.IMPATIENT, _stated(case))
                continue
            inner_at, outer_at = _stated(case), _stated(patience)
            if inner_at is None or outer_at is None or (inner_at, outer_at) in told:
                continue
            told.add((inner_at, outer_at))
            yield Diagnostic(
                code=resilience.DEADLINE_INVERSION,
                message=f"`{hop}` may wait {wait_text(case)}, and all who call `{name}` give up after "
                f"{wait_text(patience)} at most",
                primary=inner_at,
                related=(Label(outer_at, f"`{before}` waits so long and no longer"),),
                help=f"give `{hop}` less time than those who wait for `{name}` have",
                subject=f"deadline {hop}",
            )


def _states_times(subject: CheckSubject) -> bool:
    mesh = subject.mesh
    stated = [mesh.mesh_settings, *(settings for _, settings in mesh.service_settings)]
    stated += [settings for _, _, settings in mesh.edge_settings]
    stated += [settings for _, _, _, settings in mesh.port_settings]
    stated += [rule.settings for route in mesh.routes for rule in route.rules]
    return any(settings.timeout_ns or settings.per_try_timeout_ns for settings in stated)


class _Waits:
    """The shortest and the longest wait of each hop, by what is stated: asked for at both of its ends."""

    def __init__(self, graph: CallGraph) -> None:
        self._graph = graph
        self._known: dict[tuple[str, str, int], tuple[float, float]] = {}

    def of(self, hop: Hop) -> tuple[float, float]:
        """Return both waits of a hop, in nanoseconds."""
        key = (hop.caller, hop.callee, hop.port)
        known = self._known.get(key)
        if known is None:
            waits = [_wait(case) for case in self._graph.cases(hop)]
            known = self._known[key] = (min(waits), max(waits))
        return known


def _suspects(graph: CallGraph, subject: CheckSubject, name: str, waits: _Waits) -> list[Hop]:
    """Return the calls of a workload that may wait longer than its callers, judged by what is stated alone.

    Which cases some request is in is a dearer question, asked of these only.
    """
    service = subject.index.services.get(name)
    patience = max(
        (
            waits.of(Hop(caller, name, port.number))[0]
            for port in (service.ports if service is not None else ())
            for caller in graph.callers_of(name, port.number)
        ),
        default=math.inf,
    )
    ports = service.ports if service is not None else ()
    if patience == math.inf or any(graph.has_strangers(name, port.number) for port in ports):
        return []
    return [hop for hop in graph.hops(name) if patience < waits.of(hop)[1] and graph.may_ask(hop)]


def _most_patient(graph: CallGraph, subject: CheckSubject, name: str) -> tuple[Hop, Case] | None:
    """Return the call of a workload of which the caller waits longest; None where some caller waits for ever."""
    service = subject.index.services.get(name)
    longest: tuple[Hop, Case] | None = None
    for port in service.ports if service is not None else ():
        for caller in graph.callers_of(name, port.number):
            hop = Hop(caller, name, port.number)
            case = worst_open(graph.cases(hop), _wait)
            if case is None:
                continue
            if case.wait_ns is None and isinstance(case.answer, Witness):
                return None
            if longest is None or _wait(case) > _wait(longest[1]):
                longest = (hop, case)
    return longest


def _quickest(graph: CallGraph, hop: Hop) -> Case | None:
    return worst_open(graph.cases(hop), lambda case: -_wait(case))


def _wait(case: Case) -> float:
    return math.inf if case.wait_ns is None else case.wait_ns


def _stated(case: Case) -> Span | None:
    """Return the place of the setting that bounds a wait."""
    settings = case.settings
    timeout, per_try = settings.timeout_ns, settings.per_try_timeout_ns
    bounding: Setting[int] | None = timeout if timeout is not None and timeout.value == case.wait_ns else per_try
    return None if bounding is None else bounding.origin
