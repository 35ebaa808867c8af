"""Who can call a service directly: for each caller the classes of requests that are open to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from meshc_compiler.callers.question import Question
from meshc_compiler.callers.request_class import DirectCaller, RequestClass
from meshc_compiler.evaluate import NEVER_FORWARDED
from meshc_compiler.ir.condition import questions
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import CallerIn, RequestMatch
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.ir.workload import ServicePort
from meshc_compiler.space.callee_space import CalleeSpace, Region
from meshc_compiler.space.caller_classes import identities_asked, identities_in
from meshc_compiler.space.request_space import Nothing, Witness
from meshc_lang.request import PLAINTEXT

ANYBODY = "any"
"""The name of all callers with an identity of the mesh that are not listed by themselves."""

_EVERYTHING = RequestMatch()
_REFUSED = RequestMatch(methods=tuple(sorted(NEVER_FORWARDED)))


def direct_callers(index: MeshIndex, question: Question) -> tuple[DirectCaller, ...]:
    """Return who can call the ports that are asked about, sorted by name; `any` and `plaintext` come last."""
    named = identities_told_apart(index, question)
    found: dict[str, list[RequestClass]] = {}
    for port in question.ports:
        for name, classes in _Port(index, question, port, named).callers():
            found.setdefault(name, []).extend(classes)
    others = tuple(
        name for name, one in index.workloads.items() if one.spiffe_id not in named and name != question.callee
    )
    return tuple(
        DirectCaller(name=name, classes=tuple(found[name]), names=others if name == ANYBODY else ())
        for name in sorted(found, key=lambda name: (name in (ANYBODY, PLAINTEXT), name))
    )


def identities_told_apart(index: MeshIndex, question: Question) -> frozenset[SpiffeId]:
    """Return the identities that the rules of the ports, or the question, name: all others share one fate."""
    rules = [rule for callee, port in question.targets for rule in index.rules_of(callee, port)]
    asked = identities_asked((*(rule.match for rule in rules), *question.matches))
    return frozenset(asked).union(*(identities_in(rule.callers) for rule in rules))


class _Port:
    """One port of the callee: its requests in one space with those that are asked about."""

    def __init__(self, index: MeshIndex, question: Question, port: ServicePort, named: frozenset[SpiffeId]) -> None:
        self._index = index
        self._port = port
        self._matches = question.matches or (_EVERYTHING,)
        self._space = CalleeSpace(
            index, question.callee, port, (*question.matches, _EVERYTHING, _REFUSED), sorted(named)
        )
        self._asked = self._space.requests_of(self._matches, self._space.everybody)

    def callers(self) -> Iterator[tuple[str, list[RequestClass]]]:
        """Yield the callers to whom something is open; what the rules do not tell apart is worked out once."""
        space = self._space
        open_classes = [(rule, self._effective(rule), self._denies(rule)) for rule in space.of_effect(Effect.ALLOW)]
        fates: dict[tuple[bool, ...], list[RequestClass]] = {}
        masks = self._masks()
        for name, bit in self._everybody():
            fate = tuple(bool(mask & bit) for mask in masks)
            if fate in fates:
                yield from self._named_like(name, fates[fate])
                continue
            classes = []
            for rule, effective, denies in open_classes:
                if not space.callers.mask(rule.callers) & bit:
                    continue
                own = space.requests_of((_EVERYTHING,), bit)
                answer = space.example(space.shared(effective, own))
                if isinstance(answer, Nothing):
                    continue
                witness = space.request(answer) if isinstance(answer, Witness) else None
                if witness is not None:
                    witness = replace(witness, caller=name if name != ANYBODY else witness.caller)
                taken = tuple(deny for deny, common in denies if self._meets(common, own))
                classes.append(RequestClass(allow=rule, port=self._port, denied=taken, witness=witness))
            fates[fate] = classes
            if classes:
                yield name, classes

    def _named_like(self, name: str, classes: list[RequestClass]) -> Iterator[tuple[str, list[RequestClass]]]:
        """Yield what another caller has whom no rule tells apart from one that was looked at."""
        if classes:
            yield (
                name,
                [
                    one if one.witness is None else replace(one, witness=replace(one.witness, caller=name))
                    for one in classes
                ],
            )

    def _everybody(self) -> Iterator[tuple[str, int]]:
        """Yield the callers that the rules name, all others, and those without an identity, each with its class."""
        classes = self._space.callers
        for identity in classes.named:
            workload = self._index.workloads_by_id.get(identity)
            name = str(identity) if workload is None else workload.name
            if name != self._space.callee:
                yield name, classes.within({identity})
        yield ANYBODY, classes.others
        if classes.plaintext:
            yield PLAINTEXT, classes.plaintext

    def _masks(self) -> list[int]:
        """Return the sets of callers of which the rules speak; callers in the same ones share their fate."""
        callers = self._space.callers
        masks = {callers.mask(rule.callers) for rule in self._space.rules}
        for match in (*(rule.match for rule in self._space.rules), *self._matches):
            if match.condition is not None:
                masks |= {callers.mask(ask.callers) for ask in questions(match.condition) if isinstance(ask, CallerIn)}
        return [callers.plaintext, callers.others, *sorted(masks)]

    def _effective(self, rule: Rule) -> Region:
        """Return what an allow opens of the requests that are asked about."""
        space = self._space
        denies = space.union(space.meeting(rule, Effect.DENY))
        left = space.left_over(space.shared(space.rule_boxes(rule), self._asked), denies)
        if not self._port.protocol.is_http:
            return left
        return space.left_over(left, space.requests_of((_REFUSED,), space.everybody))

    def _denies(self, rule: Rule) -> tuple[tuple[Rule, Region], ...]:
        """Return the denies that take something of an allow away, each with what it takes."""
        space = self._space
        own = space.shared(space.rule_boxes(rule), self._asked)
        taken = ((deny, space.shared(own, space.rule_boxes(deny))) for deny in space.meeting(rule, Effect.DENY))
        return tuple((deny, common) for deny, common in taken if not isinstance(space.example(common), Nothing))

    def _meets(self, common: Region, own: Region) -> bool:
        return not isinstance(self._space.example(self._space.shared(common, own)), Nothing)
