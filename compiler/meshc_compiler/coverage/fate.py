"""Of which requests a mutant changes the fate: as sets where rules change, one by one where a route does."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.coverage.mutant import Mutant, route_without
from meshc_compiler.coverage.port_space import EVERYTHING, PortSpace
from meshc_compiler.coverage.port_variant import PortVariant
from meshc_compiler.evaluate import Decision, evaluate
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect, Limit, Rule
from meshc_compiler.ir.route import RouteRule
from meshc_compiler.ir.setting import SETTING_NAMES, Settings
from meshc_compiler.ir.traffic import Fault, Mirror
from meshc_compiler.space.callee_space import Region
from meshc_compiler.space.request_space import Nothing, Undecided, Witness
from meshc_lang.record import dataclass
from meshc_lang.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a mutant does: the sets of requests that it opens and closes, and a request whose fate it changes.

    `witness` None with `undecided` means that it is not known whether there is any, without it that there is none.
    `ambiguous` is a mutant that the compiler would refuse: two rules of the route would match, and neither win.
    """

    opened: tuple[Region, ...] = ()
    closed: tuple[Region, ...] = ()
    witness: Request | None = None
    undecided: bool = False
    ambiguous: bool = False


class PortFates:
    """Tells of one port what its mutants change. `claims` are what asserts ask about the port."""

    def __init__(self, index: MeshIndex, mutants: tuple[Mutant, ...], claims: tuple[RequestMatch, ...]) -> None:
        sentence = mutants[0].sentence
        port = index.port_of(sentence.callee, sentence.port)
        if port is None:
            raise AssertionError("a mutant is about a port of the mesh")
        self.index = index
        self.callee = sentence.callee
        self.number = sentence.port
        changed = (mutant.after for mutant in mutants if mutant.after is not None)
        self.space = PortSpace(index, sentence.callee, port, changed, claims)

    def variant(self, mutant: Mutant) -> PortVariant:
        """Return the mesh with the mutant in place."""
        index, callee, port, gone = self.index, self.callee, self.number, mutant.before
        match gone:
            case Rule():
                rules = tuple(
                    mutant.after if rule.id == gone.id and mutant.after is not None else rule
                    for rule in index.rules_of(callee, port)
                    if rule.id != gone.id or mutant.after is not None
                )
                return PortVariant(index, callee, port, rules=rules)
            case RouteRule():
                return PortVariant(index, callee, port, route=route_without(index.routes[callee, port], gone))
            case Limit():
                limits = tuple(one for one in index.limits_of(callee, port) if one.id != gone.id)
                return PortVariant(index, callee, port, limits=limits)
            case Mirror():
                mirrors = tuple(one for one in index.mirrors_of(callee, port) if one.id != gone.id)
                return PortVariant(index, callee, port, mirrors=mirrors)
            case Fault():
                faults = tuple(one for one in index.faults_of(callee, port) if one.name != gone.name)
                return PortVariant(index, callee, port, faults=faults)

    def changed(self, mutant: Mutant) -> Changed:
        """Return what a mutant changes."""
        match mutant.before:
            case Rule() as rule:
                return self._of_rule(rule, mutant.after)
            case RouteRule() as routed:
                return self._of_route(mutant, routed)
            case Mirror() as mirror:
                return self._told(self.space.called(self.space.routed(self.space.requests(mirror.match))))
            case Limit() | Fault() as one:
                return self._told(self.space.called(self.space.requests(EVERYTHING, one.callers)))

    def _told(self, regions: Iterator[Region]) -> Changed:
        answer = self.space.first(regions)
        if isinstance(answer, Witness):
            return Changed(witness=self.space.space.request(answer))
        return Changed(undecided=isinstance(answer, Undecided))

    # ---- rules

    def _of_rule(self, rule: Rule, after: Rule | None) -> Changed:
        own = self.space.space
        was = own.rule_boxes(rule)
        now = self.space.nothing if after is None else own.rule_boxes(after)
        more, less = own.left_over(now, was), own.left_over(was, now)
        if rule.effect is Effect.ALLOW:
            opened = self._decided_alone(rule, rule if after is None else after, more)
            closed = self._decided_alone(rule, rule, less)
        else:
            opened = tuple(self.space.granted(less, besides=rule.id))
            closed = tuple(self.space.granted(more, besides=rule.id))
        answer = self.space.first((*opened, *closed))
        witness = own.request(answer) if isinstance(answer, Witness) else None
        return Changed(opened=opened, closed=closed, witness=witness, undecided=isinstance(answer, Undecided))

    def _decided_alone(self, rule: Rule, shape: Rule, region: Region) -> tuple[Region, ...]:
        """Return what of an allow's region neither denies take nor other allows grant."""
        if region == self.space.nothing:
            return ()
        others = (*self.space.meeting(shape, Effect.DENY), *self.space.meeting(shape, Effect.ALLOW))
        return (self.space.without(region, (other for other in others if other.id != rule.id)),)

    # ---- rules of a route

    def _of_route(self, mutant: Mutant, gone: RouteRule) -> Changed:
        """Return what becomes of the requests that a rule wins once it is gone: the next best takes them."""
        space = self.space.space
        freed = self.space.routed(self.space.won_by(gone))
        variant = self.variant(mutant)
        left = [rule for rule in variant.routes[self.callee, self.number].rules if self._meets(freed, rule)]
        if self._is_ambiguous(freed, left):
            return Changed(ambiguous=True)
        undecided = False
        for rule in left:
            heirs = [other.match for other in left if other.id in rule.yields_to]
            part = space.shared(freed, self.space.requests(rule.match))
            part = space.left_over(part, space.requests_of(heirs, space.callers.verified))
            changed = self._rerouted(variant, gone, rule, part)
            if changed.witness is not None:
                return changed
            undecided |= changed.undecided
        rest = space.left_over(freed, space.requests_of((rule.match for rule in left), space.callers.verified))
        changed = self._rerouted(variant, gone, None, rest)
        return changed if changed.witness is not None else Changed(undecided=undecided or changed.undecided)

    def _meets(self, region: Region, rule: RouteRule) -> bool:
        return self.space.space.overlap(region, self.space.requests(rule.match))

    def _is_ambiguous(self, freed: Region, left: list[RouteRule]) -> bool:
        space = self.space.space
        for number, one in enumerate(left):
            for other in left[:number]:
                if one.id in other.yields_to or other.id in one.yields_to:
                    continue
                both = space.shared(self.space.requests(one.match), self.space.requests(other.match))
                better = {*one.yields_to, *other.yields_to}
                heirs = [rule.match for rule in left if rule.id in better]
                both = space.left_over(space.shared(freed, both), space.requests_of(heirs, space.everybody))
                if isinstance(space.example(both), Witness):
                    return True
        return False

    def _rerouted(self, variant: PortVariant, gone: RouteRule, heir: RouteRule | None, part: Region) -> Changed:
        """Return whether the requests of a part, which are another rule's now, fare otherwise."""
        if heir is not None and (heir.destinations, heir.answer) == (gone.destinations, gone.answer):
            if stated(heir.settings) == stated(gone.settings):
                return Changed()
            # What a route states may be what the caller's edge states anyway: each caller is looked at.
            return self._by_caller(variant, part)
        return self._tried(variant, part)

    def _by_caller(self, variant: PortVariant, part: Region) -> Changed:
        space = self.space.space
        callers = space.callers_in(part)
        undecided = callers is None
        while callers:
            caller = callers & -callers
            callers ^= caller
            changed = self._tried(variant, space.shared(part, space.requests_of((EVERYTHING,), caller)))
            if changed.witness is not None:
                return changed
            undecided |= changed.undecided
        return Changed(undecided=undecided)

    def _tried(self, variant: PortVariant, part: Region) -> Changed:
        answer = self.space.first(self.space.granted(part))
        if isinstance(answer, Nothing):
            return Changed()
        if isinstance(answer, Undecided):
            return Changed(undecided=True)
        request = self.space.space.request(answer)
        if fate_of(evaluate(self.index, request)) == fate_of(evaluate(variant, request)):
            return Changed()
        return Changed(witness=request)


def fate_of(decision: Decision) -> tuple[object, ...]:
    """Return what a caller and a callee see of a decision: not which sentence decides."""
    return (
        decision.allowed,
        decision.answer,
        decision.destinations,
        stated(decision.settings),
        tuple(limit.id for limit in decision.limits),
        tuple(mirror.id for mirror in decision.mirrors),
        tuple(fault.name for fault in decision.faults),
    )


def stated(settings: Settings) -> tuple[object, ...]:
    """Return the values of settings, wherever they are stated."""
    values = (getattr(settings, field) for field in SETTING_NAMES)
    return tuple(None if one is None else one.value for one in values)
