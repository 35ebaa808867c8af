"""The requests to one port, by what decides them: sets that the classes and the mutants of the port are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from meshc_compiler.evaluate import NEVER_FORWARDED
from meshc_compiler.ir.caller import Callers, TheseCallers
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import PathTemplate, RequestMatch, Segment, SegmentKind
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.ir.route import RouteRule
from meshc_compiler.ir.workload import Protocol, ServicePort
from meshc_compiler.space.callee_space import CalleeSpace, Region
from meshc_compiler.space.request_space import Answer, Nothing, Undecided, Witness

EVERYTHING = RequestMatch()
REFUSED = RequestMatch(methods=tuple(sorted(NEVER_FORWARDED)))
RPC = RequestMatch(methods=("POST",), path=PathTemplate((Segment(SegmentKind.ANY), Segment(SegmentKind.ANY))))
"""Any rpc, as requests of a gRPC port look."""


class PortSpace:
    """The space of a port in which its rules, its route, its mirrors, `changed` rules and `claims` can be compared."""

    def __init__(
        self,
        index: MeshIndex,
        callee: str,
        port: ServicePort,
        changed: Iterable[Rule] = (),
        claims: Iterable[RequestMatch] = (),
    ) -> None:
        self.index = index
        self.callee = callee
        self.port = port
        route = index.routes.get((callee, port.number))
        self.routes = () if route is None else route.rules
        changed = tuple(changed)
        mirrors = index.mirrors_of(callee, port.number)
        extra = (
            *(rule.match for rule in self.routes),
            *(mirror.match for mirror in mirrors),
            *(rule.match for rule in changed),
            *claims,
            REFUSED,
            *((RPC,) if port.protocol is Protocol.GRPC else ()),
        )
        self.space = CalleeSpace(index, callee, port, extra, named=self._named(changed))

    def _named(self, changed: tuple[Rule, ...]) -> Iterator[SpiffeId]:
        """Yield the identities that are told apart besides those of the rules."""
        number = self.port.number
        others: list[Callers] = [rule.callers for rule in changed]
        others += [limit.callers for limit in self.index.limits_of(self.callee, number)]
        others += [fault.callers for fault in self.index.faults_of(self.callee, number)]
        for callers in others:
            if isinstance(callers, TheseCallers):
                yield from callers.ids
        # Whose calls have settings of their own: a route's settings may be theirs already.
        for name in self.index.callers_with_settings(self.callee, number) if self.routes else ():
            if name in self.index.workloads:
                yield self.index.workloads[name].spiffe_id

    @cached_property
    def refused(self) -> Region:
        """What no sidecar forwards, whatever the rules say."""
        if not self.port.protocol.is_http:
            return self.nothing
        return self.space.requests_of((REFUSED,), self.space.everybody)

    @property
    def nothing(self) -> Region:
        """No request."""
        return self.space.requests_of((), 0)

    def requests(self, match: RequestMatch, callers: Callers | None = None) -> Region:
        """Return the requests of a match, by all who may call or by some."""
        mask = self.space.everybody if callers is None else self.space.callers.mask(callers)
        return self.space.requests_of((match,), mask)

    def without(self, region: Region, rules: Iterable[Rule]) -> Region:
        """Return what of a region none of the rules matches, without the methods that nobody forwards."""
        left = self.space.left_over(region, self.refused)
        for rule in rules:
            own = self.space.rule_boxes(rule)
            if left is None or own is None:
                return None
            if self.space.overlap(left, own):
                left = self.space.left_over(left, own)
        return left

    def meeting(self, rule: Rule, effect: Effect) -> tuple[Rule, ...]:
        """Return the other rules of the port with this effect that share requests with a rule."""
        return tuple(self.space.meeting(rule, effect))

    def granted(self, region: Region, besides: str = "", rules: Iterable[Rule] | None = None) -> Iterator[Region]:
        """Yield the parts of a region that allows (but one of this id) open, each without what denies take.

        `rules` are those of the port unless others are given.
        """
        own = self.space.rules if rules is None else tuple(rules)
        allows = [rule for rule in own if rule.effect is Effect.ALLOW and rule.id != besides]
        denies = [rule for rule in own if rule.effect is Effect.DENY and rule.id != besides]
        for allow in allows:
            boxes = self.space.rule_boxes(allow)
            if self.space.overlap(region, boxes):
                yield self.without(self.space.shared(region, boxes), denies)

    def won_by(self, rule: RouteRule, without: str = "") -> Region:
        """Return the requests for which a rule of the route wins, once another is gone."""
        won = self.requests(rule.match)
        winners = [other for other in self.routes if other.id in rule.yields_to and other.id != without]
        return self.space.left_over(won, self._verified(winners))

    def unrouted(self) -> Region:
        """Return the requests that no rule of the route matches, by callers with a sidecar."""
        everything = self.space.requests_of((EVERYTHING,), self.space.callers.verified)
        return self.space.left_over(everything, self._verified(self.routes))

    def called(self, asked: Region) -> Iterator[Region]:
        """Yield what is allowed of the requests and goes to the callee: what a sidecar answers itself does not."""
        for rule in self.routes:
            if rule.answer is not None:
                asked = self.space.left_over(asked, self.routed(self.won_by(rule)))
        yield from self.granted(asked)

    def routed(self, region: Region) -> Region:
        """Return what of a region is asked by callers who have a sidecar, which keeps routes."""
        return self.space.shared(region, self.space.requests_of((EVERYTHING,), self.space.callers.verified))

    def _verified(self, rules: Iterable[RouteRule]) -> Region:
        return self.space.requests_of((rule.match for rule in rules), self.space.callers.verified)

    def first(self, regions: Iterable[Region]) -> Answer:
        """Return a request out of the first region that has any; undecided if that is open of one and none has."""
        undecided = False
        for region in regions:
            match self.space.example(region):
                case Witness() as witness:
                    return witness
                case Undecided():
                    undecided = True
                case Nothing():
                    pass
        return Undecided() if undecided else Nothing()
