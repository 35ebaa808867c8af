"""What one program says about the calls of one caller to one port: what is allowed, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from meshc_compiler.evaluate import destinations_of
from meshc_compiler.ir.caller import includes
from meshc_compiler.ir.condition import Question, is_claim, settled, settled_for
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect, LimitKey
from meshc_compiler.ir.route import Answer, RouteRule
from meshc_compiler.ir.setting import SETTING_FIELDS
from meshc_compiler.ir.workload import HealthCheck, ServicePort
from meshc_compiler.space.caller_classes import identities_asked, identities_in
from meshc_lang.record import dataclass

T = TypeVar("T")

EVERYTHING = RequestMatch()

Targets = tuple[tuple[str, str, int], ...]
"""Where requests go: service, version ("" for all instances) and share in millionths, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What the caller may request: what some of `allows` match and none of `denies`. Neither asks who calls."""

    allows: tuple[RequestMatch, ...] = ()
    denies: tuple[RequestMatch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a rule of a route makes of a request: where it goes or what is answered, and the settings that hold."""

    targets: Targets
    answer: Answer | None
    settings: tuple[tuple[str, object], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorTarget:
    """Who gets copies, of which share (millionths)."""

    service: str
    port: int
    version: str | None
    share: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A limit, whatever it is called."""

    amount: int
    seconds: int
    burst: int
    per: LimitKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """A fault, whatever it is called."""

    delay_ns: int | None
    abort_status: int | None
    share: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """What becomes of the caller's allowed requests. Of `routes` the first that matches wins; the last matches all.

    Every mirror that matches gets its copies. Limits, faults and health checks are those of all requests alike.
    """

    routes: tuple[tuple[RequestMatch, Outcome], ...]
    mirrors: tuple[tuple[RequestMatch, MirrorTarget], ...]
    limits: tuple[Bound, ...]
    faults: tuple[Mishap, ...]
    health: HealthCheck | None


class MatchShelf:
    """The matches of both sides of a port, equal ones as one object, so that they are compared once and no more."""

    def __init__(self) -> None:
        self._known: dict[RequestMatch, RequestMatch] = {}

    def the(self, match: RequestMatch) -> RequestMatch:
        """Return the one object that stands for a match."""
        return self._known.setdefault(match, match)


class CalleeSide:
    """One port of a callee in one program. Without a port nothing is allowed there."""

    def __init__(self, index: MeshIndex, callee: str, port: ServicePort | None, shelf: MatchShelf) -> None:
        self.index = index
        self.callee = callee
        self.port = port
        number = -1 if port is None else port.number
        self.number = number
        self.rules = index.rules_of(callee, number)
        self._granted = tuple((rule, shelf.the(rule.match)) for rule in self.rules)
        self._shelf = shelf
        route = index.routes.get((callee, number))
        self.route: tuple[RouteRule, ...] = () if route is None else route.rules
        self.mirrors = index.mirrors_of(callee, number)
        self.limits = index.limits_of(callee, number)
        self.faults = index.faults_of(callee, number)
        self.trusts_tokens = bool(index.mesh.token_issuers)
        service = index.services.get(callee)
        self.health = None if service is None else service.health
        self.takes_plaintext = port is not None and index.takes_plaintext(callee)
        self._settled: dict[tuple[int, SpiffeId | None], RequestMatch | None] = {}

    def identities(self) -> Iterator[SpiffeId]:
        """Yield the callers that the program names here."""
        callers = [one.callers for one in self.rules]
        callers += [one.callers for one in self.limits]
        callers += [one.callers for one in self.faults]
        for some in callers:
            yield from identities_in(some)
        matches = [one.match for one in self.rules]
        matches += [one.match for one in self.route]
        matches += [one.match for one in self.mirrors]
        yield from identities_asked(matches)
        for name in self.index.callers_with_settings(self.callee, self.number):
            if name in self.index.workloads:
                yield self.index.workloads[name].spiffe_id

    def access(self, caller: SpiffeId | None) -> Access:
        """Return what a caller may request; None stands for a call without an identity."""
        if caller is None and not self.takes_plaintext:
            return Access()
        granted: dict[Effect, list[RequestMatch]] = {effect: [] for effect in Effect}
        for rule, match in self._granted:
            if includes(rule.callers, caller):
                left = match if match.condition is None else self._for(match, caller)
                if left is not None:
                    granted[rule.effect].append(left)
        return Access(allows=tuple(granted[Effect.ALLOW]), denies=tuple(granted[Effect.DENY]))

    def treatment(self, caller: SpiffeId | None) -> Treatment:
        """Return what becomes of a caller's allowed requests. Routes and mirrors are the work of its sidecar."""
        limits = [
            Bound(amount=one.amount, seconds=one.seconds, burst=one.burst, per=one.per)
            for one in self.limits
            if includes(one.callers, caller)
        ]
        faults = [
            Mishap(delay_ns=one.delay_ns, abort_status=one.abort_status, share=one.share)
            for one in self.faults
            if includes(one.callers, caller)
        ]
        routes: list[tuple[RequestMatch, Outcome]] = []
        mirrors: list[tuple[RequestMatch, MirrorTarget]] = []
        if caller is not None:
            for rule in self.route:
                match = self._for(self._shelf.the(rule.match), caller)
                if match is not None:
                    routes.append((match, self._outcome(caller, rule)))
            for one in self.mirrors:
                match = self._for(self._shelf.the(one.match), caller)
                target = MirrorTarget(
                    service=one.target_service,
                    port=one.target_port,
                    version=one.target_version,
                    share=one.share,
                )
                if match is not None:
                    mirrors.append((match, target))
        routes.append((self._shelf.the(EVERYTHING), self._outcome(caller, None)))
        return Treatment(
            routes=tuple(routes),
            mirrors=tuple(mirrors),
            limits=tuple(sorted(limits, key=repr)),
            faults=tuple(sorted(faults, key=repr)),
            health=None if caller is None else self.health,
        )

    def _outcome(self, caller: SpiffeId | None, rule: RouteRule | None) -> Outcome:
        if rule is not None and rule.answer is not None:
            return Outcome(targets=(), answer=rule.answer, settings=())
        shares: dict[tuple[str, str], int] = {}
        for one in destinations_of(self.index, self.callee, rule):
            to = (one.service, one.version or "")
            shares[to] = shares.get(to, 0) + one.weight
        held: tuple[tuple[str, object], ...] = ()
        if caller is not None and self.port is not None:
            workload = self.index.workloads_by_id.get(caller)
            name = str(caller) if workload is None else workload.name
            settings = self.index.settings(name, self.callee, self.number, rule)
            if not self.port.protocol.is_http:
                settings = settings.of_connections()
            held = tuple(
                (field, stated.value) for field in SETTING_FIELDS if (stated := getattr(settings, field)) is not None
            )
        targets = tuple(sorted((*to, share) for to, share in shares.items() if share))
        return Outcome(targets=targets, answer=None, settings=held)

    def _for(self, match: RequestMatch, caller: SpiffeId | None) -> RequestMatch | None:
        """Return what is left of a match when it is known who calls, and that no token counts where none is trusted.

        None where it matches nothing then.
        """
        if match.condition is None:
            return match
        key = (id(match), caller)
        if key not in self._settled:
            left = settled_for(match.condition, caller)
            if not isinstance(left, bool) and not self.trusts_tokens:
                left = settled(left, _no_claims)
            if left is False:
                self._settled[key] = None
            else:
                rest = None if left is True else left
                same = rest is match.condition
                self._settled[key] = match if same else self._shelf.the(replace(match, condition=rest))
        return self._settled[key]


def _no_claims(asked: Question) -> bool | None:
    return False if is_claim(asked) else None
