"""The requests to one port of a callee, with who may make them: rules and claims as sets in one space."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from functools import cached_property
from typing import TypeAlias

from meshc_compiler.evaluate import NEVER_FORWARDED
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.ir.workload import MtlsMode, Protocol, ServicePort
from meshc_compiler.space.caller_classes import CallerClasses, identities_asked, identities_in
from meshc_compiler.space.request_space import Answer, Box, RequestSpace, Undecided, Witness, build_space, intersect
from meshc_lang.request import PLAINTEXT, Request

Region: TypeAlias = tuple[Box, ...] | None
"""A set of requests to one port of a callee; None is one that was too much to tell. Only a space can read it."""

_Hull: TypeAlias = tuple[int, int, int]
"""The callers, methods and paths that some of a rule's requests have."""


class CalleeSpace:
    """One port of a callee: its callers in classes, its rules as boxes.

    Each identity that a rule names is a class of its own; all others, which only `any` can mean, are one more; and so
    are calls without an identity, if the callee takes any.
    """

    def __init__(self, index: MeshIndex, callee: str, port: ServicePort, extra: Iterable[RequestMatch] = ()) -> None:
        self._index = index
        self.callee = callee
        self.port = port
        self.rules = index.rules_of(callee, port.number)
        matches = (*(rule.match for rule in self.rules), RequestMatch(), *extra)
        named: dict[SpiffeId, None] = {}
        for rule in self.rules:
            named.update(dict.fromkeys(identities_in(rule.callers)))
        named |= identities_asked(matches)
        service = index.services.get(callee)
        takes_plaintext = service is not None and service.mtls is MtlsMode.PERMISSIVE
        self.callers = CallerClasses(named, plaintext=takes_plaintext)
        self.space: RequestSpace | None = build_space(matches, self.callers)
        self._by_effect = {effect: tuple(rule for rule in self.rules if rule.effect is effect) for effect in Effect}
        self._boxes: dict[str, Region] = {}
        self._hulls: dict[Effect, tuple[tuple[Rule, _Hull], ...]] = {}

    def rule_boxes(self, rule: Rule) -> Region:
        """Return the requests that a rule matches; None where they are too many to tell apart."""
        if rule.id not in self._boxes:
            space = self.space
            mask = self.callers.mask(rule.callers)
            self._boxes[rule.id] = None if space is None else space.boxes(rule.match, mask)
        return self._boxes[rule.id]

    def of_effect(self, effect: Effect) -> tuple[Rule, ...]:
        """Return the allows, or the denies."""
        return self._by_effect[effect]

    def meeting(self, rule: Rule, effect: Effect) -> Iterator[Rule]:
        """Yield the other allows, or denies, that may have a request in common with a rule."""
        own = self.rule_boxes(rule)
        callers, methods, paths = _hull(own)
        for other, (those, some, others) in self._hulls_of(effect):
            # Most rules of a service have no path in common: that is seen at once.
            near = callers & those and methods & some and paths & others and other.id != rule.id
            if near and self.overlap(own, self.rule_boxes(other)):
                yield other

    def _hulls_of(self, effect: Effect) -> tuple[tuple[Rule, _Hull], ...]:
        if effect not in self._hulls:
            self._hulls[effect] = tuple((rule, _hull(self.rule_boxes(rule))) for rule in self._by_effect[effect])
        return self._hulls[effect]

    def union(self, rules: Iterable[Rule]) -> Region:
        """Return the requests that any of the rules matches."""
        boxes: list[Box] = []
        for rule in rules:
            own = self.rule_boxes(rule)
            if own is None:
                return None
            boxes += own
        return tuple(boxes)

    def requests_of(self, matches: Iterable[RequestMatch], callers: int) -> Region:
        """Return the requests of any of the matches by these callers; the matches must be among those of the space."""
        boxes: list[Box] = []
        for match in matches:
            own = None if self.space is None else self.space.boxes(match, callers)
            if own is None:
                return None
            boxes += own
        return tuple(boxes)

    def left_over(self, boxes: Region, taken: Region) -> Region:
        """Return what is in the first set and not in the second; None where that is too much to tell."""
        if self.space is None or boxes is None or taken is None:
            return None
        return self.space.difference(boxes, taken)

    def shared(self, left: Region, right: Region) -> Region:
        """Return what is in both sets."""
        if self.space is None or left is None or right is None:
            return None
        return self.space.intersection(left, right)

    def overlap(self, left: Region, right: Region) -> bool:
        """Tell whether two sets may have something in common."""
        if left is None or right is None:
            return True
        return any(intersect(a, b) is not None for a in left for b in right)

    @cached_property
    def allowed(self) -> Region:
        """The requests that are allowed: those of the allows without those of the denies and what nobody forwards."""
        allowed = self.left_over(self.union(self.of_effect(Effect.ALLOW)), self.union(self.of_effect(Effect.DENY)))
        if self.space is None or not self.port.protocol.is_http:
            return allowed
        refused = RequestMatch(methods=tuple(sorted(NEVER_FORWARDED)))
        return self.left_over(allowed, self.space.boxes(refused, self.everybody))

    def example(self, boxes: Region) -> Answer:
        """Return a request out of a set, or that there is none, or that it could not be decided."""
        return Undecided() if self.space is None else self.space.example(boxes)

    # ---- callers

    @property
    def everybody(self) -> int:
        """All classes of callers, calls without an identity among them if the callee takes such."""
        return self.callers.everybody

    @property
    def others(self) -> int:
        """The class of the identities that nothing names."""
        return self.callers.others

    def mask_within(self, identities: Set[SpiffeId]) -> int:
        """Return the classes that have members among the identities."""
        return self.callers.within(identities)

    def mask_outside(self, identities: Set[SpiffeId]) -> int:
        """Return the classes that have members besides the identities: the unnamed always, as anyone may join them."""
        return self.callers.outside(identities)

    def request(self, witness: Witness, among: Set[SpiffeId] | None = None, outside: bool = False) -> Request:
        """Return a witness as a request; an unnamed caller is chosen among (or outside) the given identities."""
        port = self.port
        form = "http"
        if not port.protocol.is_http:
            form = "tcp"
        elif is_rpc(port, witness):
            form = "rpc"
        return Request(
            caller=self._caller(witness.caller, among, outside),
            callee=self.callee,
            port=port.name,
            protocol=form,
            method="POST" if form == "rpc" else witness.method if form == "http" else "GET",
            path="/" if form == "tcp" else witness.path,
            query="" if form != "http" else witness.query,
            headers=() if form == "tcp" else witness.headers,
            claims=() if form == "tcp" else witness.claims,
        )

    def _caller(self, number: int, among: Set[SpiffeId] | None, outside: bool) -> str:
        classes = self.callers
        if 1 << number == classes.plaintext:
            return PLAINTEXT
        if number < len(classes.named):
            return self._name(classes.named[number])
        for identity, workload in self._index.workloads_by_id.items():
            fits = among is None or (identity in among) is not outside
            if not classes.is_named(identity) and fits and workload.name != self.callee:
                return workload.name
        if among is not None and not outside:
            return self._name(min(identity for identity in among if not classes.is_named(identity)))
        return str(SpiffeId.of_workload(self._index.mesh.trust_domain, "default", "somebody-else"))

    def _name(self, identity: SpiffeId) -> str:
        workload = self._index.workloads_by_id.get(identity)
        return str(identity) if workload is None else workload.name


def _hull(boxes: Region) -> _Hull:
    """Return what a set lies in; everything, where it is too much to tell."""
    if boxes is None:
        return (-1, -1, -1)
    callers = methods = paths = 0
    for box in boxes:
        callers |= box[0]
        methods |= box[1]
        paths |= box[2]
    return (callers, methods, paths)


def is_rpc(port: ServicePort, witness: Witness) -> bool:
    """Tell whether a witness can be written as an rpc; one with a query cannot."""
    return (
        port.protocol is Protocol.GRPC
        and witness.method == "POST"
        and witness.path.count("/") == 2
        and not witness.query
    )
