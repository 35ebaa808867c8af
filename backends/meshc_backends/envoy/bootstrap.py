"""The bootstrap of one sidecar (`envoy.config.bootstrap.v3.Bootstrap`): a pure function of its slice and placement."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_backends.envoy.address import socket_address
from meshc_backends.envoy.cluster import admin_cluster, application_cluster, external_cluster, service_cluster
from meshc_backends.envoy.cluster_terms import NO_TERMS, cluster_terms
from meshc_backends.envoy.listener import inbound_listener, outbound_listener, page_listener
from meshc_backends.envoy.message import Message, typed
from meshc_backends.envoy.tcp import connection_terms, outbound_tcp_listener
from meshc_backends.envoy.virtual_host import external_domains, external_host, service_host, stranger_host
from meshc_backends.measured import envoy_buckets
from meshc_backends.placement import Listeners, Placement, host_names
from meshc_compiler.ir.slice import OutboundExternal, OutboundService, WorkloadSlice
from meshc_lang.record import dataclass
from meshc_lang.source import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedHost:
    """A `Host` value, whom it means, and where that is declared."""

    domain: str
    callee: str
    origin: Span | None


def bootstrap(slice_: WorkloadSlice, placement: Placement) -> Message:
    """Return the workload's bootstrap. The slice holds nothing that `refusal.slice_findings` finds fault with."""
    where = placement.listeners(slice_.workload)
    certificates = placement.certificates(slice_.workload).rstrip("/")
    inbound = inbound_listener(slice_, where.inbound, certificates)
    return {
        "node": {"id": str(slice_.workload.spiffe_id), "cluster": slice_.workload.name},
        "admin": {"address": socket_address(where.admin)},
        "overload_manager": _overload_manager(),
        **_statistics(slice_),
        "layered_runtime": {"layers": [{"name": "expressions", "static_layer": {_PROGRAM_SIZE: PROGRAM_AT_MOST}}]},
        "static_resources": {
            "listeners": [
                *([inbound] if inbound is not None else []),
                outbound_listener(slice_, where.outbound, _virtual_hosts(slice_)),
                *_tcp_listeners(slice_, placement),
                *_page_listeners(where),
            ],
            "clusters": [*_clusters(slice_, placement), admin_cluster(where.admin)],
        },
    }


CONNECTIONS_AT_MOST = 50_000
"""How many connections a sidecar takes at once: peers cost memory before they have said who they are."""


PROGRAM_AT_MOST = 20_000
"""How large a compiled expression may be in RE2's instructions; Envoy's own bound, 100, is less than two UUIDs take."""

_PROGRAM_SIZE = "re2.max_program_size.error_level"


def _overload_manager() -> Message:
    limit = typed(
        "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections=CONNECTIONS_AT_MOST,
    )
    return {
        "resource_monitors": [
            {"name": "envoy.resource_monitors.global_downstream_max_connections", "typed_config": limit}
        ]
    }


def _statistics(slice_: WorkloadSlice) -> Message:
    """Return how durations of requests are counted: below the bounds of the workload's objectives among others."""
    if not slice_.latency_bounds_ns:
        return {}
    requests: Message = {"safe_regex": {"regex": r"http\.inbound_.*\.downstream_rq_time"}}
    buckets: Message = {"match": requests, "buckets": envoy_buckets(slice_.latency_bounds_ns)}
    return {"stats_config": {"histogram_bucket_settings": [buckets]}}


def named_hosts(slice_: WorkloadSlice) -> Iterator[NamedHost]:
    """Yield every `Host` by which the workload calls something, repetitions included."""
    for callee in http_services(slice_):
        name = f"{callee.service.name}:{callee.port.number}"
        for domain in host_names(callee.service, callee.port):
            yield NamedHost(domain=domain, callee=name, origin=callee.service.origin)
    for external, host, bare in _external_hosts(slice_):
        for domain in external_domains(external.external, host, bare=bare):
            yield NamedHost(domain=domain, callee=external.external.name, origin=external.external.origin)


def http_services(slice_: WorkloadSlice) -> tuple[OutboundService, ...]:
    """Return the callees whose requests Envoy can see."""
    return tuple(callee for callee in slice_.services if callee.port.protocol.is_http)


def tcp_services(slice_: WorkloadSlice) -> tuple[OutboundService, ...]:
    """Return the callees of whose calls Envoy sees whole connections."""
    return tuple(callee for callee in slice_.services if not callee.port.protocol.is_http)


def _tcp_listeners(slice_: WorkloadSlice, placement: Placement) -> Iterator[Message]:
    for callee in tcp_services(slice_):
        address = placement.outbound_tcp(slice_.workload, callee.service, callee.port)
        if address is None:
            raise ValueError(f"{callee.service.name}:{callee.port.number} has no listener: it should have been refused")
        yield outbound_tcp_listener(callee, slice_.workload, address)


def _external_hosts(slice_: WorkloadSlice) -> Iterator[tuple[OutboundExternal, str, bool]]:
    """Yield each host of each external, and whether it is meant by the name without a port too: the first one is."""
    taken: set[str] = set()
    for callee in slice_.externals:
        if callee.external.port.protocol.is_http:
            for host in callee.external.hosts:
                yield callee, host, host not in taken
                taken.add(host)


def _virtual_hosts(slice_: WorkloadSlice) -> list[Message]:
    caller = slice_.workload.spiffe_id
    return [
        *(service_host(callee, caller) for callee in http_services(slice_)),
        *(external_host(callee, host, caller, bare=bare) for callee, host, bare in _external_hosts(slice_)),
        stranger_host(slice_.namespaces),
    ]


def _clusters(slice_: WorkloadSlice, placement: Placement) -> list[Message]:
    clusters = [application_cluster(slice_.workload, inbound.port, placement) for inbound in slice_.inbound]
    for callee in http_services(slice_):
        # In the order of first use; a dictionary is an ordered set here.
        wanted = {
            (destination.version, cluster_terms(rule.settings)): None
            for rule in callee.rules
            for destination in rule.destinations
            if destination.weight
        }
        clusters += [service_cluster(callee, version, terms, slice_.workload, placement) for version, terms in wanted]
        clusters += [
            service_cluster(one, one.mirror.target_version, NO_TERMS, slice_.workload, placement)
            for one in callee.mirrors
        ]
    clusters += [
        service_cluster(callee, None, connection_terms(callee), slice_.workload, placement)
        for callee in tcp_services(slice_)
    ]
    clusters += [external_cluster(callee, host, placement) for callee, host, _ in _external_hosts(slice_)]
    # Copies may go where calls go; clusters of one name are the same.
    return list({cluster["name"]: cluster for cluster in clusters}.values())


def _page_listeners(where: Listeners) -> tuple[Message, ...]:
    return (
        page_listener("readiness", where.readiness, "/ready", "/ready"),
        page_listener("metrics", where.metrics, "/stats/prometheus", "/stats/prometheus"),
    )
