"""The requests to one port of a callee, with who may make them: rules and claims as sets in one space."""

from __future__ import annotations

from collections.abc import Iterable, Set
from functools import cached_property

from meshc_compiler.evaluate import NEVER_FORWARDED
from meshc_compiler.ir.caller import AnyCaller, Callers, PlaintextCaller, TheseCallers
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.ir.workload import Protocol, ServicePort
from meshc_compiler.space.request_space import Answer, Box, RequestSpace, Undecided, Witness, build_space, intersect
from meshc_lang.request import Request


class CalleeSpace:
    """One port of a callee: its callers in classes, its rules as boxes.

    Each identity that a rule names is a class of its own; all others, which only `any` can mean, are one more.
    """

    def __init__(self, index: MeshIndex, callee: str, port: ServicePort, extra: Iterable[RequestMatch] = ()) -> None:
        self._index = index
        self.callee = callee
        self.port = port
        self.rules = index.rules_of(callee, port.number)
        named: dict[SpiffeId, None] = {}
        for rule in self.rules:
            if isinstance(rule.callers, TheseCallers):
                named.update(dict.fromkeys(rule.callers.ids))
        self._named = tuple(named)
        self._bits = {identity: 1 << number for number, identity in enumerate(self._named)}
        self.others = 1 << len(self._named)
        self.everybody = (self.others << 1) - 1
        self.space: RequestSpace | None = build_space((*(rule.match for rule in self.rules), RequestMatch(), *extra))
        self._by_effect = {effect: tuple(rule for rule in self.rules if rule.effect is effect) for effect in Effect}
        self._boxes: dict[str, tuple[Box, ...] | None] = {}

    def rule_boxes(self, rule: Rule) -> tuple[Box, ...] | None:
        """Return the requests that a rule matches; None where they are too many to tell apart."""
        if rule.id not in self._boxes:
            space = self.space
            mask = self.callers_mask(rule.callers)
            self._boxes[rule.id] = None if space is None else space.boxes(rule.match, mask)
        return self._boxes[rule.id]

    def of_effect(self, effect: Effect) -> tuple[Rule, ...]:
        """Return the allows, or the denies."""
        return self._by_effect[effect]

    def union(self, rules: Iterable[Rule]) -> tuple[Box, ...] | None:
        """Return the requests that any of the rules matches."""
        boxes: list[Box] = []
        for rule in rules:
            own = self.rule_boxes(rule)
            if own is None:
                return None
            boxes += own
        return tuple(boxes)

    def left_over(self, boxes: tuple[Box, ...] | None, taken: tuple[Box, ...] | None) -> tuple[Box, ...] | None:
        """Return what is in the first set and not in the second; None where that is too much to tell."""
        if self.space is None or boxes is None or taken is None:
            return None
        return self.space.difference(boxes, taken)

    def shared(self, left: tuple[Box, ...] | None, right: tuple[Box, ...] | None) -> tuple[Box, ...] | None:
        """Return what is in both sets."""
        if self.space is None or left is None or right is None:
            return None
        return self.space.intersection(left, right)

    def overlap(self, left: tuple[Box, ...] | None, right: tuple[Box, ...] | None) -> bool:
        """Tell whether two sets may have something in common."""
        if left is None or right is None:
            return True
        return any(intersect(a, b) is not None for a in left for b in right)

    @cached_property
    def allowed(self) -> tuple[Box, ...] | None:
        """The requests that are allowed: those of the allows without those of the denies and what nobody forwards."""
        allowed = self.left_over(self.union(self.of_effect(Effect.ALLOW)), self.union(self.of_effect(Effect.DENY)))
        if self.space is None or not self.port.protocol.is_http:
            return allowed
        refused = RequestMatch(methods=tuple(sorted(NEVER_FORWARDED)))
        return self.left_over(allowed, self.space.boxes(refused, self.everybody))

    def example(self, boxes: tuple[Box, ...] | None) -> Answer:
        """Return a request out of a set, or that there is none, or that it could not be decided."""
        return Undecided() if self.space is None else self.space.example(boxes)

    # ---- callers

    def callers_mask(self, callers: Callers) -> int:
        """Return the classes of the callers of a rule."""
        if isinstance(callers, AnyCaller):
            return self.everybody
        if isinstance(callers, PlaintextCaller):
            return 0
        mask = 0
        for identity in callers.ids:
            mask |= self._bits[identity]
        return mask

    def mask_within(self, identities: Set[SpiffeId]) -> int:
        """Return the classes that have members among the identities."""
        mask = 0
        for identity, bit in self._bits.items():
            if identity in identities:
                mask |= bit
        return mask | self.others if len(identities) > mask.bit_count() else mask

    def mask_outside(self, identities: Set[SpiffeId]) -> int:
        """Return the classes that have members besides the identities: the unnamed always, as anyone may join them."""
        mask = self.others
        for identity, bit in self._bits.items():
            if identity not in identities:
                mask |= bit
        return mask

    def request(self, witness: Witness, among: Set[SpiffeId] | None = None, outside: bool = False) -> Request:
        """Return a witness as a request; an unnamed caller is chosen among (or outside) the given identities."""
        port = self.port
        form = "http"
        if not port.protocol.is_http:
            form = "tcp"
        elif port.protocol is Protocol.GRPC and witness.method == "POST" and witness.path.count("/") == 2:
            form = "rpc"
        return Request(
            caller=self._caller(witness.caller, among, outside),
            callee=self.callee,
            port=port.name,
            protocol=form,
            method="POST" if form == "rpc" else witness.method if form == "http" else "GET",
            path="/" if form == "tcp" else witness.path,
            headers=() if form == "tcp" else witness.headers,
        )

    def _caller(self, number: int, among: Set[SpiffeId] | None, outside: bool) -> str:
        if number < len(self._named):
            return self._name(self._named[number])
        for identity, workload in self._index.workloads_by_id.items():
            fits = among is None or (identity in among) is not outside
            if identity not in self._bits and fits and workload.name != self.callee:
                return workload.name
        if among is not None and not outside:
            return self._name(min(identity for identity in among if identity not in self._bits))
        return str(SpiffeId.of_workload(self._index.mesh.trust_domain, "default", "somebody-else"))

    def _name(self, identity: SpiffeId) -> str:
        workload = self._index.workloads_by_id.get(identity)
        return str(identity) if workload is None else workload.name
