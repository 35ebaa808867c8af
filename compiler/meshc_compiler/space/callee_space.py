"""The requests to one port of a callee, with who may make them: rules and claims as sets in one space."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from functools import cached_property
from typing import TypeAlias

from meshc_compiler.evaluate import NEVER_FORWARDED, View, identity_of
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.ir.workload import MtlsMode, Protocol, ServicePort
from meshc_compiler.path import canonical_path
from meshc_compiler.space.caller_classes import CallerClasses, identities_asked, identities_in
from meshc_compiler.space.diagram import Diagram, each_bit
from meshc_compiler.space.path_atoms import MOST_STATES
from meshc_compiler.space.request_space import (
    Answer,
    Region,
    RequestSpace,
    Undecided,
    Witness,
    build_space,
    intersect,
)
from meshc_lang.request import PLAINTEXT, Request

__all__ = ("PATHS_PAST_BOUND", "CalleeSpace", "Region", "is_rpc")

_EVERYTHING = RequestMatch()
_NEVER_FORWARDED = RequestMatch(methods=tuple(sorted(NEVER_FORWARDED)))

PATHS_PAST_BOUND = f"its paths take more than {MOST_STATES:,} states to tell apart"
"""Why nothing is decided of a port whose templates cross without end, as a half-sentence."""

_FEW_RULES = 64
"""So many rules are looked at one by one; of more it is noted which may have which paths."""

_Hull: TypeAlias = tuple[int, int, int]
"""The callers, methods and paths that some of a rule's requests have."""


class CalleeSpace:
    """One port of a callee: its callers in classes, its rules as boxes.

    Each identity that a rule names is a class of its own; all others, which only `any` can mean, are one more; and so
    are calls without an identity, if the callee takes any. `extra` are matches, and `named` identities, that are to be
    told apart besides those of the rules.
    """

    def __init__(
        self,
        index: MeshIndex,
        callee: str,
        port: ServicePort,
        extra: Iterable[RequestMatch] = (),
        named: Iterable[SpiffeId] = (),
        pool: dict[tuple[object, ...], RequestSpace | None] | None = None,
    ) -> None:
        self._index = index
        self.callee = callee
        self.port = port
        self.rules = index.rules_of(callee, port.number)
        matches = (*[rule.match for rule in self.rules], _EVERYTHING, *extra)
        told_apart: dict[SpiffeId, None] = {}
        for rule in self.rules:
            told_apart.update(dict.fromkeys(identities_in(rule.callers)))
        told_apart |= identities_asked(matches)
        told_apart.update(dict.fromkeys(named))
        service = index.services.get(callee)
        takes_plaintext = service is not None and service.mtls is MtlsMode.PERMISSIVE
        self.callers = CallerClasses(told_apart, plaintext=takes_plaintext)
        # Ports with the same rules for the same callers, as monitoring has with all services, share what is worked out.
        key = (takes_plaintext, self.callers.named, *map(id, matches))
        if pool is not None and key in pool:
            self.space: RequestSpace | None = pool[key]
        else:
            self.space = build_space(matches, self.callers)
            if pool is not None:
                pool[key] = self.space
        self._by_effect = {effect: tuple(rule for rule in self.rules if rule.effect is effect) for effect in Effect}
        self._boxes: dict[str, Region] = {}
        self._hulls: dict[Effect, tuple[tuple[Rule, _Hull], ...]] = {}
        self._by_atom: dict[Effect, list[int]] = {}

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
        if not self._by_effect[effect]:
            return
        own = self.rule_boxes(rule)
        callers, methods, paths = _hull(own)
        for other, (those, some, others) in self._near(paths, effect):
            # Most rules of a service have no path in common: that is seen at once.
            if paths & others and callers & those and methods & some and other is not rule and other.id != rule.id:
                region = self.rule_boxes(other)
                if self.overlap(own, region):
                    yield other

    def _near(self, paths: int, effect: Effect) -> Iterable[tuple[Rule, _Hull]]:
        """Return the allows, or denies, that may have one of the paths; all, where that is quicker."""
        hulls = self._hulls_of(effect)
        if len(hulls) <= _FEW_RULES or paths < 0 or paths.bit_count() > _FEW_RULES:
            return hulls
        if effect not in self._by_atom:
            by_atom = self._by_atom[effect] = [0] * (0 if self.space is None else len(self.space.paths))
            for number, (_, (_, _, others)) in enumerate(hulls):
                for atom in each_bit(others if others >= 0 else (1 << len(by_atom)) - 1):
                    by_atom[atom] |= 1 << number
        near = 0
        for atom in each_bit(paths):
            near |= self._by_atom[effect][atom]
        return (hulls[number] for number in each_bit(near))

    def _hulls_of(self, effect: Effect) -> tuple[tuple[Rule, _Hull], ...]:
        if effect not in self._hulls:
            self._hulls[effect] = tuple((rule, _hull(self.rule_boxes(rule))) for rule in self._by_effect[effect])
        return self._hulls[effect]

    def has_paths_alone(self, rule: Rule) -> bool:
        """Tell whether some requests of an allow have a path of which no other allow and no deny says anything.

        That is seen without comparing rules one by one; of an allow with a condition it is not told.
        """
        own = self.rule_boxes(rule)
        if own is None or isinstance(own, Diagram) or len(own) != 1 or own[0][3] or own[0][4]:
            return False
        return bool(own[0][2] & self._alone)

    @cached_property
    def _alone(self) -> int:
        """The paths of exactly one allow and no deny."""
        once = twice = 0
        for _, (_, _, paths) in self._hulls_of(Effect.ALLOW):
            twice |= once & paths
            once |= paths
        for _, (_, _, paths) in self._hulls_of(Effect.DENY):
            twice |= paths
        return once & ~twice

    def union(self, rules: Iterable[Rule]) -> Region:
        """Return the requests that any of the rules matches."""
        return None if self.space is None else self.space.union(self.rule_boxes(rule) for rule in rules)

    def requests_of(self, matches: Iterable[RequestMatch], callers: int) -> Region:
        """Return the requests of any of the matches by these callers; the matches must be among those of the space."""
        space = self.space
        return None if space is None else space.union(space.boxes(match, callers) for match in matches)

    def any_of(self, regions: Iterable[Region]) -> Region:
        """Return what is in any of some sets."""
        return None if self.space is None else self.space.union(regions)

    def left_over(self, region: Region, taken: Region) -> Region:
        """Return what is in the first set and not in the second; None where that is too much to tell."""
        return None if self.space is None else self.space.difference(region, taken)

    def shared(self, left: Region, right: Region) -> Region:
        """Return what is in both sets."""
        return None if self.space is None else self.space.intersection(left, right)

    def overlap(self, left: Region, right: Region) -> bool:
        """Tell whether two sets may have something in common."""
        if left is None or right is None or isinstance(left, Diagram) or isinstance(right, Diagram):
            return True
        return any(intersect(a, b) is not None for a in left for b in right)

    def escape(self, region: Region, taken: Region) -> Answer:
        """Return a request that is in the first set and not in the second, or that there is none.

        It is what `example(left_over(...))` says, and quicker: the search ends with the first such request.
        """
        return Undecided() if self.space is None else self.space.escape(region, taken)

    def contains(self, region: Region, request: Request) -> bool | None:
        """Tell whether a request to the port is in a set; None where the set could not be told.

        One without a canonical path, of a caller that proves no identity the port takes, or of another form is in none.
        """
        http = self.port.protocol.is_http
        path = canonical_path(request.path) if http else "/"
        identity = identity_of(self._index, request.caller)
        if request.caller == PLAINTEXT:
            caller = self.callers.plaintext
        else:
            caller = 0 if identity is None else self.callers.of(identity)
        if self.space is None or region is None:
            return None
        if path is None or not caller:
            return False
        claims = request.claims if self._index.mesh.token_issuers else ()
        view = View(headers=request.headers, query=request.query, claims=claims, caller=identity)
        return self.space.contains(region, caller, request.method, path, view)

    def same(self, left: Region, right: Region) -> bool | None:
        """Tell whether two sets have the same requests; None where it could not be decided."""
        return None if self.space is None else self.space.same(left, right)

    def callers_in(self, region: Region) -> int | None:
        """Return the classes of callers of whom some request is in a set; None where it could not be decided."""
        return None if self.space is None else self.space.callers_in(region)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why something about the port could not be decided, as half-sentences; empty as long as everything could."""
        if self.space is None:
            return (PATHS_PAST_BOUND,)
        return self.space.doubts

    @cached_property
    def allowed(self) -> Region:
        """The requests that are allowed: those of the allows without those of the denies and what nobody forwards."""
        if self.space is None:
            return None
        taken = self.union(self.of_effect(Effect.DENY))
        if self.port.protocol.is_http:
            taken = self.space.union((taken, self.space.boxes(_NEVER_FORWARDED, self.everybody)))
        allowed = self.left_over(self.union(self.of_effect(Effect.ALLOW)), taken)
        # No token counts where no issuer is trusted.
        return allowed if self._index.mesh.token_issuers else self.space.without_claims(allowed)

    def example(self, region: Region) -> Answer:
        """Return a request out of a set, or that there is none, or that it could not be decided."""
        return Undecided() if self.space is None else self.space.example(region)

    def class_count(self, region: Region) -> int | None:
        """Return in how many classes a set has requests: a caller, a method and a kind of path each.

        The callers whom nothing names count as the workloads among them, at least as one. None where it is too much to
        tell.
        """
        cells = None if self.space is None else self.space.cells(region)
        if cells is None:
            return None
        named = sum(not self.callers.is_named(identity) for identity in self._index.workloads_by_id)
        unnamed = max(1, named - (self.callee in self._index.workloads))
        return sum(mask.bit_count() + (unnamed - 1) * bool(mask & self.callers.others) for mask in cells.values())

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


def _hull(region: Region) -> _Hull:
    """Return what a set lies in; everything, where it is too much to tell."""
    if region is None or isinstance(region, Diagram):
        return (-1, -1, -1)
    if len(region) == 1:
        return region[0][:3]
    callers = methods = paths = 0
    for box in region:
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
