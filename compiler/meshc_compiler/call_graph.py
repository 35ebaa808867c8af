"""Who can call whom, one call after the other, and on what terms: what may happen, not what does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial

from meshc_compiler.evaluate import identity_of
from meshc_compiler.ir.caller import AnyCaller, PlaintextCaller, includes
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import INGRESS, MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.ir.route import RouteRule
from meshc_compiler.ir.setting import NOTHING_STATED, Settings
from meshc_compiler.space.callee_space import CalleeSpace, Region
from meshc_compiler.space.request_space import Answer, Nothing, Undecided, Witness
from meshc_lang.record import dataclass, field
from meshc_lang.request import PLAINTEXT, Request

_HEALTH_RPC = "/grpc.health.v1.Health/Check"
SpaceOf = Callable[[str, int], CalleeSpace | None]
"""Gives the space of one port of a callee."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One call: a caller (a workload's name, or a SPIFFE ID that is not declared) and a port of a callee."""

    caller: str
    callee: str
    port: int

    def __str__(self) -> str:
        return f"{self.caller} -> {self.callee}"


@dataclass(slots=True)
class Case:
    """The calls of one hop that one rule of the callee's route decides about (None: what no rule matches).

    Their settings are the same. `answer` has a request to show for it, or tells that there is none.
    """

    rule: RouteRule | None
    settings: Settings
    _find: Callable[[], Answer] = field(repr=False)
    _answer: Answer | None = None

    @property
    def answer(self) -> Answer:
        """Whether there is such a call; found out when first asked."""
        if self._answer is None:
            self._answer = self._find()
        return self._answer

    @property
    def tries(self) -> int:
        """How often the callee may be asked for one call."""
        limit = self.settings.retry_limit
        return 1 + (limit.value if limit is not None and self.settings.retries else 0)

    @property
    def wait_ns(self) -> int | None:
        """The longest that the caller waits, in nanoseconds; None where nothing bounds it.

        The timeout, or the time of all tries and of the pauses between them, whichever ends first.
        """
        timeout, per_try, backoff = (
            self.settings.timeout_ns,
            self.settings.per_try_timeout_ns,
            self.settings.retry_backoff,
        )
        bounds = [] if timeout is None else [timeout.value]
        if per_try is not None and (self.tries == 1 or backoff is not None):
            pause = 0 if backoff is None else backoff.value.high_ns
            bounds.append(self.tries * per_try.value + (self.tries - 1) * pause)
        return min(bounds, default=None)


class CallGraph:
    """The calls that some request may make. A workload's calls of itself are no hop: they lead nowhere new."""

    def __init__(self, index: MeshIndex, space: SpaceOf, routed_space: SpaceOf) -> None:
        self._index = index
        self._space = space
        self._routed_space = routed_space
        self._open: dict[tuple[str, int, int], Answer] = {}
        self._merged: dict[tuple[tuple[int, ...], bool], Settings] = {}

    @cached_property
    def everyone(self) -> tuple[str, ...]:
        """The workloads that may call, the gateway among them if a statement mentions it."""
        return tuple(self._index.workloads)

    def hops(self, caller: str) -> Iterator[Hop]:
        """Yield the calls that some allow lets a caller make, sorted; a deny may still close them (`answer`)."""
        identity = identity_of(self._index, caller)
        if identity is None and caller != PLAINTEXT:
            return
        for callee, port in self._index.callees_of(identity):
            if callee != caller:
                yield Hop(caller, callee, port)

    def may_ask(self, hop: Hop) -> bool:
        """Tell whether a hop is open to more than health checks, which have times of their own and no second tries."""
        identity = identity_of(self._index, hop.caller)
        service = self._index.services.get(hop.callee)
        path = None if service is None or service.health is None else service.health.path or _HEALTH_RPC
        return path is None or any(
            rule.effect is Effect.ALLOW and includes(rule.callers, identity) and str(rule.match.path) != path
            for rule in self._index.rules_of(hop.callee, hop.port)
        )

    def is_named(self, hop: Hop) -> bool:
        """Tell whether the program speaks of a hop by its caller's name: in an allow, or where it states its settings.

        What only a grant to `any` opens may be called, but nobody said that it is.
        """
        if hop.caller in self._index.callers_with_settings(hop.callee, hop.port):
            return True
        identity = identity_of(self._index, hop.caller)
        return any(
            rule.effect is Effect.ALLOW and not isinstance(rule.callers, AnyCaller) and includes(rule.callers, identity)
            for rule in self._index.rules_of(hop.callee, hop.port)
        )

    def has_strangers(self, callee: str, port: int) -> bool:
        """Tell whether some callers have no sidecar of the mesh, so that nobody knows how long they wait."""
        return any(
            rule.effect is Effect.ALLOW
            and (
                isinstance(rule.callers, PlaintextCaller)
                or any(one not in self._index.workloads_by_id for one in getattr(rule.callers, "ids", ()))
            )
            for rule in self._index.rules_of(callee, port)
        )

    def callers_of(self, callee: str, port: int) -> Iterator[str]:
        """Yield the workloads that some allow lets call a port, each once."""
        allows = [rule for rule in self._index.rules_of(callee, port) if rule.effect is Effect.ALLOW]
        if any(isinstance(rule.callers, AnyCaller) for rule in allows):
            yield from (name for name in self.everyone if name != callee)
            return
        told: set[str] = set()
        for rule in allows:
            for identity in getattr(rule.callers, "ids", ()):
                workload = self._index.workloads_by_id.get(identity)
                if workload is not None and workload.name not in told and workload.name != callee:
                    told.add(workload.name)
                    yield workload.name

    def answer(self, hop: Hop, matches: tuple[RequestMatch, ...] = ()) -> Answer:
        """Return a request (of `matches`, if there are any) that the hop may carry, or that there is none."""
        if matches:
            return self._answer(hop, matches)
        space = self._space(hop.callee, hop.port)
        # Whom no rule of the callee tells apart, it answers alike: all who are only `any` to it are asked for once.
        key = (hop.callee, hop.port, 0 if space is None else self._mask(space, hop))
        if key not in self._open:
            self._open[key] = self._answer(hop, (RequestMatch(),))
        return self._open[key]

    def request(self, hop: Hop, witness: Witness, *, routed: bool = False) -> Request | None:
        """Return a hop's witness as a request; `routed` if it is that of a case."""
        space = (self._routed_space if routed else self._space)(hop.callee, hop.port)
        identity = identity_of(self._index, hop.caller)
        if space is None or (identity is None and hop.caller != PLAINTEXT):
            return None
        return space.request(witness, frozenset() if identity is None else frozenset({identity}))

    def doubts(self, hops: Iterable[Hop]) -> tuple[str, ...]:
        """Return why something about hops could not be decided, as half-sentences."""
        spaces = [space_of(hop.callee, hop.port) for hop in hops for space_of in (self._space, self._routed_space)]
        return tuple(dict.fromkeys(doubt for space in spaces if space is not None for doubt in space.doubts))

    def opening(self, hop: Hop) -> Rule | None:
        """Return the first allow that names or includes the caller of a hop."""
        identity = identity_of(self._index, hop.caller)
        rules = self._index.rules_of(hop.callee, hop.port)
        return next(
            (
                rule
                for rule in rules
                if rule.effect is Effect.ALLOW
                and (identity is not None or hop.caller == PLAINTEXT)
                and includes(rule.callers, identity)
            ),
            None,
        )

    def cases(self, hop: Hop, matches: tuple[RequestMatch, ...] = ()) -> tuple[Case, ...]:
        """Return the cases of a hop, each with settings of its own; with `matches`, of these requests alone."""
        route = self._index.routes.get((hop.callee, hop.port))
        # A rule that answers itself calls nobody; and a caller without a sidecar has nobody who keeps rules.
        rules = [rule for rule in (route.rules if route else ()) if rule.answer is None and hop.caller != PLAINTEXT]
        port = self._index.port_of(hop.callee, hop.port)
        requests = port is None or port.protocol.is_http
        return tuple(
            Case(rule, self._settings(hop, rule, requests), partial(self._case_answer, hop, rule, matches))
            for rule in (*rules, None)
        )

    def _settings(self, hop: Hop, rule: RouteRule | None, requests: bool) -> Settings:
        """Return the settings of a case. Most hops state none of their own, so that few mergers serve all."""
        if hop.caller == PLAINTEXT:
            return NOTHING_STATED
        key = tuple(map(id, self._index.scopes(hop.caller, hop.callee, hop.port, rule)))
        if (key, requests) not in self._merged:
            settings = self._index.settings(hop.caller, hop.callee, hop.port, rule)
            self._merged[key, requests] = settings if requests else settings.of_connections()
        return self._merged[key, requests]

    # ---- sets of requests

    def _answer(self, hop: Hop, matches: tuple[RequestMatch, ...]) -> Answer:
        space = self._space(hop.callee, hop.port)
        return Nothing() if space is None else space.example(self._allowed(space, hop, matches))

    def _case_answer(self, hop: Hop, rule: RouteRule | None, matches: tuple[RequestMatch, ...]) -> Answer:
        space = self._routed_space(hop.callee, hop.port)
        if space is None:
            return Nothing()
        route = self._index.routes.get((hop.callee, hop.port))
        others = route.rules if route and hop.caller != PLAINTEXT else ()
        allowed = self._allowed(space, hop, matches or (RequestMatch(),))
        if rule is not None:
            allowed = space.shared(allowed, space.requests_of((rule.match,), space.everybody))
            others = tuple(other for other in others if other.id in rule.yields_to)
        taken = space.requests_of((other.match for other in others), space.everybody)
        return space.escape(allowed, taken)

    def _allowed(self, space: CalleeSpace, hop: Hop, matches: tuple[RequestMatch, ...]) -> Region:
        mask = self._mask(space, hop)
        return space.shared(space.allowed, space.requests_of(matches, mask)) if mask else ()

    def _mask(self, space: CalleeSpace, hop: Hop) -> int:
        """Return the class of a hop's caller; none for one without an identity where no such caller gets in."""
        if hop.caller == PLAINTEXT:
            return space.callers.plaintext
        identity = identity_of(self._index, hop.caller)
        return 0 if identity is None else space.callers.of(identity)


def sources_of(callers: Iterable[str], graph: CallGraph, anybody: str) -> tuple[str, ...]:
    """Return the callers of a claim one by one; `anybody` stands for everyone who is declared."""
    names = tuple(callers)
    return tuple(dict.fromkeys((*graph.everyone, INGRESS))) if anybody in names else names


def worst_open(cases: Iterable[Case], badness: Callable[[Case], float]) -> Case | None:
    """Return the case that is worst among those that some call is in; what could not be decided may be one."""
    return next((case for case in sorted(cases, key=badness, reverse=True) if is_open(case.answer)), None)


def is_open(answer: Answer) -> bool:
    """Tell whether a call may be made; what could not be decided may."""
    return isinstance(answer, Witness | Undecided)


def circles(starts: Iterable[str], hops_of: Callable[[str], Iterable[Hop]]) -> Iterator[tuple[Hop, ...]]:
    """Yield chains of hops that lead back to where they began: one for each hop that closes a circle in the search."""
    done: set[str] = set()
    for start in starts:
        if start in done:
            continue
        path: list[Hop] = []
        on_path = {start: 0}
        stack = [iter(hops_of(start))]
        while stack:
            hop = next(stack[-1], None)
            if hop is None:
                stack.pop()
                left = path.pop().callee if path else start
                on_path.pop(left, None)
                done.add(left)
            elif hop.callee in on_path:
                yield (*path[on_path[hop.callee] :], hop)
            elif hop.callee not in done:
                path.append(hop)
                on_path[hop.callee] = len(path)
                stack.append(iter(hops_of(hop.callee)))
