"""The paths between the two ends of a claim about the call graph, and the worst of them."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.call_graph import CallGraph, Case, Hop, circles, is_open, sources_of, worst_open
from meshc_compiler.ir.claim import ANYBODY, MetricBound
from meshc_compiler.ir.match import RequestMatch
from meshc_lang.record import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """A hop of a path with the case that is worst on it."""

    hop: Hop
    case: Case


@dataclass(frozen=True, slots=True)
class _Best:
    """The worst way on from one caller: tries in all, the next step, and the way on behind it."""

    total: int
    step: Step
    following: _Best | None


class CallPaths:
    """The part of the call graph that lies between the two ends of a claim.

    A hop that only a grant to `any` opens says less than one by name: every workload may ask for `/healthz`, few do.
    Where such hops close a circle it is none of calls that somebody meant. They are loose then: a path has one of them
    at most, and none that leads back to where it came from.
    """

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
                # Who may only ask how a service is asks it for nothing that it would need others for.
                if self.graph.may_ask(hop) and is_open(self.graph.answer(hop)):
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
        """Return calls on the way that lead back to where they began, each by its caller's name; empty if none do."""
        return next(circles(sorted(self._steps), self._named), ())

    def _named(self, caller: str) -> list[Hop]:
        return [hop for hop in self._steps[caller][1] if self.graph.is_named(hop)]

    def most_tries(self) -> tuple[Step, ...]:
        """Return the path on which the tries multiply to the most. There must be no circle."""
        loose = self._loose()
        back = _Back({caller: [hop for hop in hops if hop not in loose] for caller, (_, hops) in self._steps.items()})
        firm: dict[str, _Best] = {}
        worst: dict[str, _Best] = {}
        order = back.in_order()
        for best, free in ((firm, False), (worst, True)):
            for caller in order:
                last, further = self._steps[caller]
                usable = [hop for hop in (*last, *further) if hop not in loose or (free and not back.leads_back(hop))]
                for hop in last:
                    if hop in usable:
                        self._take(best, caller, hop, self._claim.matches, None)
                for hop in further:
                    following = (firm if hop in loose else best).get(hop.callee)
                    if hop in usable and following is not None:
                        self._take(best, caller, hop, (), following)
        for source in self._sources:
            # Calls of the callee itself count whoever may make them: nothing lies before them that they could lead to.
            for hop in self._steps.get(source, ([], []))[0]:
                self._take(worst, source, hop, self._claim.matches, None)
        found = [worst[source] for source in self._sources if source in worst]
        at = max(found, key=lambda one: one.total, default=None)
        steps: list[Step] = []
        while at is not None:
            steps.append(at.step)
            at = at.following
        return tuple(steps)

    def _take(
        self, best: dict[str, _Best], caller: str, hop: Hop, matches: tuple[RequestMatch, ...], following: _Best | None
    ) -> None:
        """Take a way on if it is worse than what is known."""
        case = worst_open(self.graph.cases(hop, matches), lambda case: case.tries)
        if case is None:
            return
        total = case.tries * (1 if following is None else following.total)
        known = best.get(caller)
        if known is None or total > known.total:
            best[caller] = _Best(total, Step(hop, case), following)

    def _loose(self) -> frozenset[Hop]:
        """Return the hops without a caller's name that lie on a circle."""
        parts = _components({caller: [hop.callee for hop in hops] for caller, (_, hops) in self._steps.items()})
        return frozenset(
            hop
            for hops in self._steps.values()
            for hop in (*hops[0], *hops[1])
            if parts.get(hop.caller) == parts.get(hop.callee, "") and not self.graph.is_named(hop)
        )

    def longest_wait(self) -> Step | None:
        """Return the first call of the path on which a source may wait longest."""
        longest: Step | None = None
        for source in self._sources:
            last, further = self._steps.get(source, ([], []))
            asked = [(hop, self._claim.matches) for hop in last] + [(hop, ()) for hop in further]
            for hop, matches in asked:
                for case in self.graph.cases(hop, matches):
                    if not _longer(case, longest) or not is_open(case.answer):
                        continue
                    longest = Step(hop, case)
        return longest

    def way_of(self, first: Hop) -> tuple[Hop, ...]:
        """Return the shortest path that begins with a hop."""
        if (first.callee, first.port) in self._targets and first in self._steps[first.caller][0]:
            return (first,)
        came_by: dict[str, Hop] = {first.callee: first}
        front = [first.callee]
        while front:
            further: list[str] = []
            for caller in front:
                last, onward = self._steps.get(caller, ([], []))
                if last:
                    hops = [last[0]]
                    while hops[-1] != first:
                        hops.append(came_by[hops[-1].caller])
                    return tuple(reversed(hops))
                for hop in onward:
                    if hop.callee not in came_by:
                        came_by[hop.callee] = hop
                        further.append(hop.callee)
            front = further
        return (first,)


class _Back:
    """Hops without a circle: their order, and what they lead to."""

    def __init__(self, hops: dict[str, list[Hop]]) -> None:
        self._hops = hops
        self._reached: dict[str, frozenset[str]] = {}

    def in_order(self) -> list[str]:
        """Return the callers so that each comes after those it calls."""
        order: list[str] = []
        seen: set[str] = set()
        for start in self._hops:
            stack = [(start, iter(self._hops[start]))] if start not in seen else []
            seen.add(start)
            while stack:
                caller, hops = stack[-1]
                hop = next(hops, None)
                if hop is None:
                    stack.pop()
                    order.append(caller)
                elif hop.callee not in seen and hop.callee in self._hops:
                    seen.add(hop.callee)
                    stack.append((hop.callee, iter(self._hops[hop.callee])))
        return order

    def leads_back(self, hop: Hop) -> bool:
        """Tell whether these hops lead from a hop's callee to its caller."""
        start = hop.callee
        if start not in self._reached:
            reached = {start}
            todo = [start]
            while todo:
                for other in self._hops.get(todo.pop(), ()):
                    if other.callee not in reached:
                        reached.add(other.callee)
                        todo.append(other.callee)
            self._reached[start] = frozenset(reached)
        return hop.caller in self._reached[start]


def _components(edges: dict[str, list[str]]) -> dict[str, int]:
    """Return for each node the number of its strongly connected component (Tarjan), without recursion."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    part: dict[str, int] = {}
    open_nodes: list[str] = []
    for start in edges:
        if start in number:
            continue
        stack: list[tuple[str, Iterator[str]]] = [(start, iter(edges[start]))]
        number[start] = low[start] = len(number)
        open_nodes.append(start)
        while stack:
            node, others = stack[-1]
            other = next(others, None)
            if other is None:
                stack.pop()
                if stack:
                    low[stack[-1][0]] = min(low[stack[-1][0]], low[node])
                if low[node] == number[node]:
                    while node not in part:
                        part[open_nodes.pop()] = number[node]
            elif other not in number:
                number[other] = low[other] = len(number)
                open_nodes.append(other)
                stack.append((other, iter(edges.get(other, ()))))
            elif other not in part:
                low[node] = min(low[node], number[other])
    return part


def _longer(case: Case, than: Step | None) -> bool:
    """Tell whether a case waits longer than another; what nothing bounds waits longest."""
    if than is None:
        return True
    if than.case.wait_ns is None:
        return False
    return case.wait_ns is None or case.wait_ns > than.case.wait_ns
