"""The classes of one port: which there are by the algebra, each with a request for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from meshc_compiler.coverage.decision_class import (
    DecisionClass,
    Kind,
    Membership,
    Sentence,
    Sharpness,
    default_sentence,
    route_sentence,
    rule_sentence,
    traffic_sentence,
)
from meshc_compiler.coverage.port_space import EVERYTHING, RPC, PortSpace
from meshc_compiler.evaluate import Decision
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.ir.traffic import Mirror
from meshc_compiler.ir.workload import Protocol, ServicePort
from meshc_compiler.space.callee_space import Region
from meshc_compiler.space.request_space import Answer, Nothing, Witness
from meshc_lang.request import Request
from meshc_lang.source import Span


class PortClasses:
    """Finds the classes of a port. `decisions` are those of the tests' requests to it: a test is as good a witness."""

    def __init__(self, index: MeshIndex, callee: str, port: ServicePort, decisions: Sequence[Decision]) -> None:
        self._index = index
        self._callee = callee
        self._port = port
        self._decisions = decisions
        self._space = PortSpace(index, callee, port)
        self._membership = Membership(index, callee, port.number)

    def __iter__(self) -> Iterator[DecisionClass]:
        """Yield the classes in the order in which their sentences stand in the program; what none decides last."""
        yield from sorted(self._stated(), key=lambda one: _place(one.sentence.origin))
        if self._space.routes:
            sentence = default_sentence(self._callee, self._port, Kind.NO_ROUTE)
            yield from self._class_of(sentence, self._space.granted(self._space.unrouted()))
        yield from self._class_of(default_sentence(self._callee, self._port, Kind.NO_RULE), self._ungranted())
        yield from self._class_of(default_sentence(self._callee, self._port, Kind.STRANGER), self._strange())

    def _stated(self) -> Iterator[DecisionClass]:
        number = self._port.number
        for rule in self._index.rules_of(self._callee, number):
            yield from self._rule_class(rule)
        for routed in self._space.routes:
            sentence = route_sentence(self._callee, number, routed)
            won = self._space.routed(self._space.won_by(routed))
            yield from self._class_of(sentence, self._space.granted(won))
        mirrors = self._index.mirrors_of(self._callee, number)
        for mirror in mirrors:
            yield from self._class_of(traffic_sentence(mirror), self._reaching(mirror))
        for limit in self._index.limits_of(self._callee, number):
            asked = self._space.requests(EVERYTHING, limit.callers)
            yield from self._class_of(traffic_sentence(limit), self._space.called(asked))
        for fault in self._index.faults_of(self._callee, number):
            asked = self._space.requests(EVERYTHING, fault.callers)
            yield from self._class_of(traffic_sentence(fault), self._space.called(asked))

    # ---- rules

    def _rule_class(self, rule: Rule) -> Iterator[DecisionClass]:
        """Yield the class of a rule: what it decides alone, or else what it decides with others."""
        sentence = rule_sentence(rule)
        levels = self._allow_levels(rule) if rule.effect is Effect.ALLOW else self._deny_levels(rule)
        for sharpness, regions in levels:
            known = self._known(sentence, sharpness)
            answer = Nothing() if known is not None else self._space.first(regions)
            if known is None and isinstance(answer, Nothing):
                continue
            yield DecisionClass(sentence=sentence, sharpness=sharpness, witness=known or self._request(answer))
            return

    def _allow_levels(self, rule: Rule) -> Iterator[tuple[Sharpness, Iterator[Region]]]:
        space = self._space
        denies = space.meeting(rule, Effect.DENY)
        own = space.without(space.space.rule_boxes(rule), denies)
        yield Sharpness.ALONE, self._alone(rule, own)
        yield Sharpness.TOGETHER, iter((own,))

    def _alone(self, rule: Rule, own: Region) -> Iterator[Region]:
        yield self._space.without(own, self._space.meeting(rule, Effect.ALLOW))

    def _deny_levels(self, rule: Rule) -> Iterator[tuple[Sharpness, Iterator[Region]]]:
        space = self._space
        own = space.space.rule_boxes(rule)
        allows = [rule for rule in space.space.rules if rule.effect is Effect.ALLOW]
        yield Sharpness.ALONE, space.granted(own, besides=rule.id)
        yield Sharpness.TOGETHER, space.granted(own, rules=allows)
        yield Sharpness.BESIDE, iter((own,))

    # ---- limits, faults, mirrors: of what is really called

    def _reaching(self, mirror: Mirror) -> Iterator[Region]:
        yield from self._space.called(self._space.routed(self._space.requests(mirror.match)))

    # ---- what no sentence decides

    def _callers(self) -> tuple[int, int]:
        """Return the classes of callers with a grant, and of those without one that have an identity."""
        callers = self._space.space.callers
        known = 0
        for rule in self._space.space.of_effect(Effect.ALLOW):
            known |= callers.mask(rule.callers)
        return known, callers.verified & ~known

    def _ungranted(self) -> Iterator[Region]:
        """Yield, caller by caller, what nothing grants or denies; one after the other the sets stay small."""
        space = self._space.space
        known, _ = self._callers()
        while known:
            caller = known & -known
            known ^= caller
            yield from self._unruled(caller, space.rules)

    def _strange(self) -> Iterator[Region]:
        _, strangers = self._callers()
        if strangers:
            yield from self._unruled(strangers, self._space.space.of_effect(Effect.DENY))

    def _unruled(self, callers: int, rules: Sequence[Rule]) -> Iterator[Region]:
        """Yield what none of the rules matches; of a gRPC port its rpcs first, as they are what people know."""
        space = self._space.space
        region = space.requests_of((EVERYTHING,), callers)
        for rule in rules:
            own = space.rule_boxes(rule)
            if space.overlap(region, own):
                region = space.left_over(region, own)
        if self._port.protocol is Protocol.GRPC:
            yield space.shared(region, space.requests_of((RPC,), callers))
        yield region

    # ---- from sets to classes

    def _class_of(self, sentence: Sentence, regions: Iterator[Region]) -> Iterator[DecisionClass]:
        known = self._known(sentence, Sharpness.ALONE)
        answer = Nothing() if known is not None else self._space.first(regions)
        if known is not None or not isinstance(answer, Nothing):
            yield DecisionClass(sentence=sentence, witness=known or self._request(answer))

    def _known(self, sentence: Sentence, sharpness: Sharpness) -> Request | None:
        """Return the request of a test that is of the class."""
        for decision in self._decisions:
            if self._membership.sharpness(sentence, decision) is sharpness:
                return decision.request
        return None

    def _request(self, answer: Answer) -> Request | None:
        return self._space.space.request(answer) if isinstance(answer, Witness) else None


def _place(span: Span | None) -> tuple[str, int, int]:
    return ("", 0, 0) if span is None else span.sort_key
