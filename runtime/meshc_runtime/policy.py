"""A snapshot made ready to decide: rules, limits and routes compiled, names looked up once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from meshc_runtime.authorize import Authorizer
from meshc_runtime.balance import WeightedSplit
from meshc_runtime.fault import FaultPlan
from meshc_runtime.rate_limit import RateLimiter
from meshc_runtime.retry import RetryPolicy
from meshc_runtime.route import HostTable, RouteTable
from meshc_runtime.snapshot import (
    AllConditions,
    Answer,
    AnyCondition,
    Condition,
    HashKey,
    InboundPort,
    NotCondition,
    OutboundService,
    Protocol,
    Route,
    Snapshot,
)

CARRIED: frozenset[Protocol] = frozenset({"http", "http2", "grpc"})
"""The protocols whose requests are judged; of the others whole connections are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundPolicy:
    """One port of this workload: who may call, how often, and the app behind it."""

    port: InboundPort
    authorizer: Authorizer
    limiter: RateLimiter
    faults: FaultPlan
    uses_headers: bool
    takes_underscores: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePolicy:
    """Where a request goes and how it is tried, or what it is answered with; seconds, null for no timeout."""

    id: str
    split: WeightedSplit[str] | None
    answer: Answer | None
    timeout: float | None
    retry: RetryPolicy | None
    hash_key: HashKey | None
    logged: str
    sampling: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundPolicy:
    """One port of a service this workload may call; the authorizer is null where the callee decides."""

    service: OutboundService
    authorizer: Authorizer | None
    guards: Authorizer
    faults: FaultPlan
    routes: RouteTable[RoutePolicy]
    uses_headers: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything one proxy decides with."""

    snapshot: Snapshot
    inbound: dict[str, InboundPolicy]
    hosts: HostTable[OutboundPolicy]
    sends_underscores: bool

    def inbound_port(self, server_name: str | None) -> InboundPolicy | None:
        """The port a TLS client selects: the only one, or the one of its SNI."""
        if len(self.inbound) == 1:
            return next(iter(self.inbound.values()))
        return self.inbound.get(server_name.lower()) if server_name else None


def compile_policy(snapshot: Snapshot, clock: Callable[[], float]) -> Policy:
    """Compile a snapshot; `clock` gives monotonic seconds to its rate limits."""
    trust_domain = snapshot.workload.trust_domain
    inbound = {
        port.server_name: InboundPolicy(
            port=port,
            authorizer=Authorizer(port.rules, trust_domain),
            limiter=RateLimiter(port.limits, trust_domain, clock),
            faults=FaultPlan(port.faults, trust_domain),
            uses_headers=any(rule.condition is not None for rule in port.rules)
            or any((limit.per_header or limit.per_cookie) is not None for limit in port.limits),
            takes_underscores=any(_names_underscore(rule.condition) for rule in port.rules)
            or any("_" in (limit.per_header or "") for limit in port.limits),
        )
        for port in snapshot.inbound
    }
    hosts: HostTable[OutboundPolicy] = HostTable(snapshot.mesh_hosts)
    for service in snapshot.outbound:
        policy = _compile_service(service, trust_domain)
        hosts.add(service.hosts, service.port, default=service.default, service=policy)
    asked = [rule.condition for service in snapshot.outbound for rule in service.rules or ()]
    asked += [rule.condition for service in snapshot.outbound for rule in service.guards]
    asked += [route.condition for service in snapshot.outbound for route in service.routes]
    keys = [key for service in snapshot.outbound for route in service.routes for key in _header_keys(route)]
    return Policy(
        snapshot=snapshot,
        inbound=inbound,
        hosts=hosts,
        sends_underscores=any("_" in key for key in keys) or any(_names_underscore(condition) for condition in asked),
    )


def _names_underscore(condition: Condition | None) -> bool:
    """Whether a condition asks for a header with `_` in its name."""
    match condition:
        case None:
            return False
        case AllConditions(of=parts) | AnyCondition(of=parts):
            return any(_names_underscore(part) for part in parts)
        case NotCondition(of=part):
            return _names_underscore(part)
        case _:
            return "_" in condition.name


def _header_keys(route: Route) -> Iterator[str]:
    """The headers by which a route repeats calls or chooses instances."""
    if route.retry is not None and route.retry.key_header is not None:
        yield route.retry.key_header
    if route.hash_key is not None and route.hash_key.kind == "header":
        yield route.hash_key.name


def _compile_service(service: OutboundService, trust_domain: str) -> OutboundPolicy:
    rules = service.rules
    return OutboundPolicy(
        service=service,
        authorizer=None if rules is None else Authorizer(rules, trust_domain),
        guards=Authorizer(service.guards, trust_domain),
        faults=FaultPlan(service.faults, trust_domain),
        routes=RouteTable([(route, _compile_route(route)) for route in service.routes]),
        uses_headers=any(rule.condition is not None for rule in (*(rules or ()), *service.guards))
        or any(_looks_at_headers(route) for route in service.routes),
    )


def _looks_at_headers(route: Route) -> bool:
    by_key = route.retry is not None and route.retry.key_header is not None
    return route.condition is not None or by_key or (route.hash_key is not None and route.hash_key.kind != "source")


def _compile_route(route: Route) -> RoutePolicy:
    return RoutePolicy(
        id=route.id,
        split=None
        if route.answer is not None
        else WeightedSplit([(one.cluster, one.weight) for one in route.destinations]),
        answer=route.answer,
        timeout=None if route.timeout_ms is None else route.timeout_ms / 1000,
        retry=None if route.retry is None else RetryPolicy(route.retry),
        hash_key=route.hash_key,
        logged=route.access_log,
        sampling=route.trace_sampling,
    )


def uncarried(snapshot: Snapshot) -> list[str]:
    """One warning for each service that HTTP cannot be spoken to, though its name is a Host here."""
    return [
        f"outbound {service.name}:{service.port} speaks {service.protocol}, which no request can be sent by: "
        "requests to it are answered 503"
        for service in snapshot.outbound
        if service.protocol not in CARRIED
    ]
