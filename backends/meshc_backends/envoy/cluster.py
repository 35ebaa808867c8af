"""Clusters: the workload itself, its callees' sidecars, hosts outside the mesh (`envoy.config.cluster.v3.Cluster`).

What the program does not state is switched off: no bound on connections, requests or retries, no ejection of
endpoints. Only connecting has a bound of its own, because nothing else would ever end it.
"""

from __future__ import annotations

from meshc_backends.envoy import names
from meshc_backends.envoy.address import discovery_type, load_assignment
from meshc_backends.envoy.cluster_terms import LB_POLICIES, NO_TERMS, ClusterTerms, cluster_terms
from meshc_backends.envoy.health import health_checks, health_port
from meshc_backends.envoy.message import Message, duration, typed
from meshc_backends.envoy.transport_tls import HTTP_1, HTTP_2, external_tls, mesh_tls
from meshc_backends.placement import Address, Placement, server_name
from meshc_compiler.ir.slice import OutboundExternal, OutboundMirror, OutboundService
from meshc_compiler.ir.workload import Protocol, ServicePort, Workload

CONNECT_TIMEOUT = "5s"
"""How long a connection may take to be made, TLS included; what takes longer is a connect failure."""

APPLICATION_IDLE = "1s"
"""How long an unused connection to the workload is kept: less than any application keeps it (gunicorn: 2 s), so that
none is closed under a request, which nobody would retry. A new one on loopback costs next to nothing."""

MESH_IDLE_NS = 900_000_000_000
MESH_IDLE = duration(MESH_IDLE_NS)
"""How long an unused connection to another sidecar is kept: less than its listener keeps it, for the same reason."""

EXTERNAL_IDLE = "30s"
"""How long an unused connection to a host outside the mesh is kept."""

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def speaks_http2(protocol: Protocol) -> bool:
    """Tell whether a port is spoken to in HTTP/2; the others get HTTP/1.1."""
    return protocol in {Protocol.HTTP2, Protocol.GRPC}


def cluster(
    name: str,
    addresses: tuple[Address, ...],
    *,
    idle: str | None,
    http2: bool = False,
    terms: ClusterTerms = NO_TERMS,
    transport_socket: Message | None = None,
) -> Message:
    """Return a cluster over the addresses, called on the terms; without `idle` it is one for whole connections."""
    stated = terms.connect_timeout_ns
    message: Message = {
        "name": name,
        "type": discovery_type(addresses),
        "connect_timeout": CONNECT_TIMEOUT if stated is None else duration(stated),
        "lb_policy": LB_POLICIES[terms.balance],
    }
    if message["type"] == "STRICT_DNS":
        message |= {"dns_lookup_family": "V4_PREFERRED", "respect_dns_ttl": True}
    message["load_assignment"] = load_assignment(name, addresses)
    if idle is not None:
        message["typed_extension_protocol_options"] = {_HTTP_OPTIONS: _http_options(idle, http2=http2)}
    message |= terms.bounds()
    if transport_socket is not None:
        message["transport_socket"] = transport_socket
    return message


def _http_options(idle: str, *, http2: bool) -> Message:
    version: Message = {"http2_protocol_options": {}} if http2 else {"http_protocol_options": {"enable_trailers": True}}
    return typed(_HTTP_OPTIONS, common_http_protocol_options={"idle_timeout": idle}, explicit_http_config=version)


def application_cluster(workload: Workload, port: ServicePort, placement: Placement) -> Message:
    """Return the cluster of the workload itself, in plain text on its own loopback."""
    return cluster(
        names.application_cluster(port),
        (placement.application(workload, port),),
        idle=APPLICATION_IDLE if port.protocol.is_http else None,
        http2=speaks_http2(port.protocol),
    )


def service_cluster(
    callee: OutboundService | OutboundMirror,
    version: str | None,
    terms: ClusterTerms,
    caller: Workload,
    placement: Placement,
) -> Message:
    """Return the cluster of the sidecars of a callee, of all or of one version."""
    message = cluster(
        names.service_cluster(callee.service, callee.port, version, terms),
        placement.endpoints(callee.service, version),
        idle=_mesh_idle(terms) if callee.port.protocol.is_http else None,
        http2=speaks_http2(callee.port.protocol),
        terms=terms,
        transport_socket=_mesh_socket(callee, callee.port, caller, placement),
    )
    health = callee.service.health
    if health is not None:
        asked = health_port(callee.service, health)
        socket = _mesh_socket(callee, asked, caller, placement)
        message |= health_checks(callee.service, callee.port, socket)
    return message


def _mesh_socket(
    callee: OutboundService | OutboundMirror, port: ServicePort, caller: Workload, placement: Placement
) -> Message:
    alpn = HTTP_2 if speaks_http2(port.protocol) else HTTP_1
    return mesh_tls(
        placement.certificates(caller),
        callee.workload.spiffe_id,
        server_name(callee.service, port),
        (alpn,) if port.protocol.is_http else (),
    )


def _mesh_idle(terms: ClusterTerms) -> str:
    """Return how long a connection may be unused: as stated, but less than the callee's listener keeps it."""
    stated = terms.idle_timeout_ns
    return MESH_IDLE if stated is None or stated > MESH_IDLE_NS else duration(stated)


def external_cluster(callee: OutboundExternal, host: str, placement: Placement) -> Message:
    """Return the cluster of one host outside the mesh."""
    external = callee.external
    http2 = speaks_http2(external.port.protocol)
    terms = cluster_terms(callee.settings)
    socket = None
    if external.tls is not None:
        socket = external_tls(host, placement.external_roots(), external.tls, HTTP_2 if http2 else HTTP_1)
    return cluster(
        names.external_cluster(external, host),
        (placement.external(external, host),),
        idle=EXTERNAL_IDLE if terms.idle_timeout_ns is None else duration(terms.idle_timeout_ns),
        http2=http2,
        terms=terms,
        transport_socket=socket,
    )


def admin_cluster(admin: Address) -> Message:
    """Return the cluster of Envoy's own administration interface."""
    return cluster(names.ADMIN_CLUSTER, (admin,), idle=APPLICATION_IDLE)
