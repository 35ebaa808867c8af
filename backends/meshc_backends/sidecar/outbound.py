"""The outbound side of a snapshot: the services a workload may call, by which routes and with which settings."""

from __future__ import annotations

from typing import Literal, TypedDict, assert_never

from meshc_backends.placement import Placement, host_names, server_name
from meshc_backends.sidecar.cluster_terms import ClusterTerms, cluster_terms, connection_idle_ms, hash_key
from meshc_backends.sidecar.inbound import address, authorization_rules, planned_faults, stable_id
from meshc_backends.sidecar.request_match import match_fields
from meshc_backends.sidecar.telemetry import is_measured, log_choice, sampling
from meshc_compiler.ir.caller import includes
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.route import REDIRECT_STATUS, Answer, Destination, Redirect, Respond
from meshc_compiler.ir.setting import Settings
from meshc_compiler.ir.slice import OutboundExternal, OutboundRule, OutboundService, WorkloadSlice
from meshc_compiler.ir.workload import Protocol, TlsOrigination
from meshc_runtime import snapshot as out

OTHERWISE = "otherwise"
"""The id of the route that takes what no rule of the program matches."""

_MILLISECOND = 1_000_000
_PERCENT = 10_000
_BACKOFF_MS = (25, 250)
"""Envoy's own pause between tries, where the program states none (`RetryPolicy.retry_back_off`)."""


def outbound_services(
    slice_: WorkloadSlice, placement: Placement
) -> tuple[tuple[out.OutboundService, ...], tuple[out.OutboundConnection, ...], tuple[out.Cluster, ...]]:
    """Return what the workload may call by requests and by whole connections, and the clusters that these name."""
    services: list[out.OutboundService] = []
    connections: list[out.OutboundConnection] = []
    clusters: dict[str, out.Cluster] = {}
    for service in slice_.services:
        if not service.port.protocol.is_http:
            listener = placement.outbound_tcp(slice_.workload, service.service, service.port)
            if listener is not None:
                settings = service.rules[-1].settings.of_connections()
                idle = settings.idle_timeout_ns
                cluster = _connection_cluster(service, settings, placement)
                clusters[cluster.name] = cluster
                connections.append(
                    out.OutboundConnection(
                        service=service.service.name,
                        port=service.port.number,
                        listener=address(listener),
                        cluster=cluster.name,
                        idle_timeout_ms=connection_idle_ms(idle.value if idle else None),
                        hash_key=hash_key(settings),
                        access_log=log_choice(service.rules[-1].settings),
                        metrics=is_measured(service.rules[-1].settings),
                    )
                )
            continue
        services.append(_service(service, slice_.workload.spiffe_id))
        for rule in service.rules:
            for destination in rule.destinations:
                cluster = _service_cluster(service, destination, rule.settings, placement)
                clusters.setdefault(cluster.name, cluster)
    bare = _owners_of_bare_names(slice_.externals)
    for external in slice_.externals:
        if not external.external.port.protocol.is_http:
            continue
        for host in external.external.hosts:
            services.append(_external(external, host, default=bare[host] is external))
            cluster = _external_cluster(external, host, placement)
            clusters.setdefault(cluster.name, cluster)
    return tuple(services), tuple(connections), tuple(sorted(clusters.values(), key=lambda cluster: cluster.name))


def settings_problems(settings: Settings) -> tuple[str, ...]:
    """Return what of the settings does not fit into a snapshot, as half-sentences; none where all does."""
    problems: list[str] = []
    times = [
        ("a timeout", settings.timeout_ns),
        ("a per-try timeout", settings.per_try_timeout_ns),
        ("a connect timeout", settings.connect_timeout_ns),
        ("an idle timeout", settings.idle_timeout_ns),
        ("a time of ejection", settings.outlier_eject_ns),
        ("an interval of ejection", settings.outlier_interval_ns),
    ]
    for what, time in times:
        if time is not None and time.value % _MILLISECOND:
            problems.append(f"{what} finer than a millisecond")
    if settings.retry_backoff is not None:
        backoff = settings.retry_backoff.value
        if backoff.low_ns % _MILLISECOND or backoff.high_ns % _MILLISECOND:
            problems.append("a backoff finer than a millisecond")
    return tuple(problems)


def _service(service: OutboundService, caller: SpiffeId) -> out.OutboundService:
    names = host_names(service.service, service.port)
    ending = f":{service.port.number}"
    bare = tuple(name for name in names if not name.endswith(ending))
    return out.OutboundService(
        name=service.service.name,
        hosts=tuple(name.removesuffix(ending) for name in names if name.endswith(ending)),
        port=service.port.number,
        default=bool(bare),
        protocol=service.port.protocol.value,
        guards=authorization_rules(guard for guard in service.guards if includes(guard.callers, caller)),
        routes=_routes(service),
        metrics=is_measured(service.rules[-1].settings),
    )


def _routes(service: OutboundService) -> tuple[out.Route, ...]:
    routes: dict[str, out.Route] = {}
    for rule in service.rules:
        route_id = stable_id(rule.rule.id) if rule.rule is not None else OTHERWISE
        while route_id in routes:  # a rule may be called `otherwise`, and two may say the same
            route_id += "'"
        routes[route_id] = _route(route_id, service, rule)
    return tuple(routes.values())


def _route(route_id: str, service: OutboundService, rule: OutboundRule) -> out.Route:
    if rule.rule is not None and rule.rule.answer is not None:
        return out.Route(id=route_id, **match_fields(rule.rule.match), answer=_answer(rule.rule.answer))
    return out.Route(
        id=route_id,
        **match_fields(rule.rule.match if rule.rule is not None else RequestMatch()),
        destinations=tuple(
            out.Destination(cluster=_cluster_name(service, destination, rule.settings), weight=destination.weight)
            for destination in rule.destinations
        ),
        timeout_ms=_timeout(rule.settings),
        retry=_retry(rule.settings),
        hash_key=hash_key(rule.settings),
        access_log=log_choice(rule.settings),
        trace_sampling=sampling(rule.settings),
    )


def _answer(answer: Answer) -> out.Answer:
    match answer:
        case Respond(status=status):
            return out.Answer(status=status)
        case Redirect(location=location):
            return out.Answer(status=REDIRECT_STATUS, location=location)
        case _:
            assert_never(answer)


def _cluster_name(service: OutboundService, destination: Destination, settings: Settings) -> str:
    """Return the name of a cluster; the terms of calls are its own, so routes that differ in them have two."""
    name = f"{service.service.name}:{service.port.number}"
    if destination.version is not None:
        name += f"/{destination.version}"
    label = cluster_terms(settings).label
    return f"{name} {label}" if label else name


def _service_cluster(
    service: OutboundService, destination: Destination, settings: Settings, placement: Placement
) -> out.Cluster:
    terms = cluster_terms(settings)
    return out.Cluster(
        name=_cluster_name(service, destination, settings),
        **_terms(terms, mesh=service.port.protocol.is_http),
        speaks=spoken(service.port.protocol),
        endpoints=tuple(map(address, placement.endpoints(service.service, destination.version))),
        transport=out.MeshTransport(
            spiffe_id=str(service.workload.spiffe_id),
            server_name=server_name(service.service, service.port),
        ),
    )


def _connection_cluster(service: OutboundService, settings: Settings, placement: Placement) -> out.Cluster:
    """Return the cluster of all instances: connections have nothing that a route could look at."""
    return _service_cluster(
        service, Destination(service=service.service.name, version=None, weight=100), settings, placement
    )


def _owners_of_bare_names(externals: tuple[OutboundExternal, ...]) -> dict[str, OutboundExternal]:
    """Return whom each host means without a port, where several have it: the first, and one that speaks HTTP first."""
    owners: dict[str, OutboundExternal] = {}
    for external in sorted(externals, key=lambda external: not external.external.port.protocol.is_http):
        for host in external.external.hosts:
            owners.setdefault(host, external)
    return owners


def _external(external: OutboundExternal, host: str, *, default: bool) -> out.OutboundService:
    port = external.external.port
    return out.OutboundService(
        name=external.external.name,
        hosts=(host,),
        port=port.number,
        default=default,
        protocol=port.protocol.value,
        rules=authorization_rules(external.rules),
        faults=planned_faults(external.faults, everybody=True),
        routes=(
            out.Route(
                id=OTHERWISE,
                destinations=(out.Destination(cluster=f"{host}:{port.number}", weight=1),),
                timeout_ms=_timeout(external.settings),
                retry=_retry(external.settings),
                hash_key=hash_key(external.settings),
                access_log=log_choice(external.settings),
                trace_sampling=sampling(external.settings),
            ),
        ),
        metrics=is_measured(external.settings),
    )


def _external_cluster(external: OutboundExternal, host: str, placement: Placement) -> out.Cluster:
    return out.Cluster(
        name=f"{host}:{external.external.port.number}",
        **_terms(cluster_terms(external.settings), mesh=False),
        speaks=spoken(external.external.port.protocol),
        endpoints=(address(placement.external(external.external, host)),),
        transport=_external_transport(external.external.tls, host, placement),
    )


def _external_transport(
    tls: TlsOrigination | None, host: str, placement: Placement
) -> out.TlsTransport | out.PlainTransport:
    if tls is None:
        return out.PlainTransport()
    asked = tls.server_name or host
    return out.TlsTransport(
        server_name=asked,
        minimum_version=tls.minimum.value,
        ca_file=tls.ca_file or placement.external_roots() or None,
        dns_names=tls.names or (asked,),
    )


def spoken(protocol: Protocol) -> Literal["http/1.1", "h2", "bytes"]:
    """Return what goes over the connections to a port of a protocol."""
    match protocol:
        case Protocol.HTTP:
            return "http/1.1"
        case Protocol.HTTP2 | Protocol.GRPC:
            return "h2"
        case Protocol.TCP | Protocol.TLS:
            return "bytes"
        case _:
            assert_never(protocol)


class _Terms(TypedDict):
    """The fields of a cluster that hold the terms of calls."""

    connect_timeout_ms: int
    idle_timeout_ms: int | None
    breaker: out.Breaker | None
    ejection: out.Ejection | None
    balance: out.BalancePolicy


def _terms(terms: ClusterTerms, *, mesh: bool) -> _Terms:
    return _Terms(
        connect_timeout_ms=terms.connect_ms,
        idle_timeout_ms=terms.idle_ms(mesh=mesh),
        breaker=terms.breaker,
        ejection=terms.ejection,
        balance=terms.balance.value,
    )


def _timeout(settings: Settings) -> int | None:
    """No timeout is 0 where the program says `off`, and None where it says nothing."""
    if settings.timeout_ns is None or settings.timeout_ns.value == 0:
        return None
    return settings.timeout_ns.value // _MILLISECOND


def _retry(settings: Settings) -> out.Retry | None:
    if not settings.retries or settings.retry_limit is None or settings.retry_on is None:
        return None
    low, high = _BACKOFF_MS
    if settings.retry_backoff is not None:
        low = settings.retry_backoff.value.low_ns // _MILLISECOND
        high = settings.retry_backoff.value.high_ns // _MILLISECOND
    per_try = settings.per_try_timeout_ns
    return out.Retry(
        limit=settings.retry_limit.value,
        on=settings.retry_on.value,
        budget_percent=None if settings.retry_budget is None else settings.retry_budget.value / _PERCENT,
        backoff_base_ms=low,
        backoff_max_ms=high,
        per_try_timeout_ms=None if per_try is None or not per_try.value else per_try.value // _MILLISECOND,
        key_header=None if settings.retry_key_header is None else settings.retry_key_header.value,
    )
