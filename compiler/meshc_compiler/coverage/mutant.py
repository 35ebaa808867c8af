"""Small changes of a mesh, one sentence each: what somebody might write by mistake, or take away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from meshc_compiler.coverage.decision_class import Sentence, route_sentence, rule_sentence, traffic_sentence
from meshc_compiler.coverage.measure import ports_of
from meshc_compiler.ir.caller import TheseCallers
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Limit, Rule
from meshc_compiler.ir.route import Route, RouteRule
from meshc_compiler.ir.traffic import Fault, Mirror
from meshc_compiler.ir.workload import Protocol, ServicePort
from meshc_lang.record import dataclass

_ADDED_METHODS = ("GET", "POST", "PUT", "DELETE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A change of one sentence about a port.

    `sentence` is the sentence, `change` what was done to it. `before` is what stands in the mesh, and `after` the rule
    in its place; None where it is taken away.
    """

    sentence: Sentence
    change: str
    before: Rule | RouteRule | Limit | Mirror | Fault
    after: Rule | None = None

    @property
    def text(self) -> str:
        """The sentence and what was done to it."""
        return f"{self.sentence.text}: {self.change}"


def mutants_of(index: MeshIndex) -> Iterator[Mutant]:
    """Yield every mutant of a mesh, port by port: at most a dozen for each sentence."""
    for callee, port in ports_of(index):
        for rule in index.rules_of(callee, port.number):
            yield Mutant(sentence=rule_sentence(rule), change=REMOVED, before=rule)
            yield from _weakened(index, port, rule)
        route = index.routes.get((callee, port.number))
        for routed in () if route is None else route.rules:
            yield Mutant(sentence=route_sentence(callee, port.number, routed), change=REMOVED, before=routed)
        others: tuple[Limit | Mirror | Fault, ...] = (
            *index.limits_of(callee, port.number),
            *index.mirrors_of(callee, port.number),
            *index.faults_of(callee, port.number),
        )
        for one in others:
            yield Mutant(sentence=traffic_sentence(one), change=REMOVED, before=one)


REMOVED = "taken away"


def _weakened(index: MeshIndex, port: ServicePort, rule: Rule) -> Iterator[Mutant]:
    """Yield a rule with a method less or more, a caller less or more, and without its condition."""
    sentence = rule_sentence(rule)
    for number, (change, after) in enumerate(_variants(index, port, rule)):
        # An id of its own, which no sentence can have: sets of requests are kept by it.
        yield Mutant(
            sentence=sentence, change=change, before=rule, after=replace(after, id=f"{rule.id}\0{number}", origin=None)
        )


def _variants(index: MeshIndex, port: ServicePort, rule: Rule) -> Iterator[tuple[str, Rule]]:
    match = rule.match
    if len(match.methods) > 1:
        for method in match.methods:
            left = tuple(other for other in match.methods if other != method)
            yield f"without {method}", replace(rule, match=replace(match, methods=left))
    if match.methods and port.protocol is not Protocol.GRPC:
        added = next(method for method in _ADDED_METHODS if method not in match.methods or method == "DELETE")
        if added not in match.methods:
            more = tuple(sorted((*match.methods, added)))
            yield f"with {added} too", replace(rule, match=replace(match, methods=more))
    if match.condition is not None:
        yield "without its condition", replace(rule, match=replace(match, condition=None))
    if isinstance(rule.callers, TheseCallers):
        ids = rule.callers.ids
        if len(ids) > 1:
            gone = index.workloads_by_id.get(ids[-1])
            name = str(ids[-1]) if gone is None else gone.name
            yield f"not for `{name}`", replace(rule, callers=TheseCallers(ids[:-1]))
        new = next((one for one in index.mesh.workloads if one.spiffe_id not in ids and one.name != rule.callee), None)
        if new is not None:
            callers = TheseCallers(tuple(sorted((*ids, new.spiffe_id), key=str)))
            yield f"for `{new.name}` too", replace(rule, callers=callers)


def route_without(route: Route, gone: RouteRule) -> Route:
    """Return a route without one of its rules; nothing else about it changes."""
    rules = tuple(
        replace(rule, yields_to=tuple(winner for winner in rule.yields_to if winner != gone.id))
        for rule in route.rules
        if rule.id != gone.id
    )
    return replace(route, rules=rules)
