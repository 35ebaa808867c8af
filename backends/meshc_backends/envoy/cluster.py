"""Clusters: the workload itself, its callees' sidecars, hosts outside the mesh (`envoy.config.cluster.v3.Cluster`).

What the program does not state is switched off: no bound on connections, requests or retries, no ejection of
endpoints. Only connecting has a bound of its own, because nothing else would ever end it.
"""

from __future__ import annotations

from meshc_backends.envoy import names
from meshc_backends.envoy.address import discovery_type, load_assignment
from meshc_backends.envoy.message import UNLIMITED, Message, percent_of_millionths, typed
from meshc_backends.envoy.transport_tls import HTTP_1, HTTP_2, external_tls, mesh_tls
from meshc_backends.placement import Address, Placement, server_name
from meshc_compiler.ir.slice import OutboundExternal, OutboundService
from meshc_compiler.ir.workload import Protocol, ServicePort, Workload

CONNECT_TIMEOUT = "5s"
"""How long a connection may take to be made, TLS included; what takes longer is a connect failure."""

APPLICATION_IDLE = "1s"
"""How long an unused connection to the workload is kept: less than any application keeps it (gunicorn: 2 s), so that
none is closed under a request, which nobody would retry. A new one on loopback costs next to nothing."""

MESH_IDLE = "900s"
"""How long an unused connection to another sidecar is kept: less than its listener keeps it, for the same reason."""

EXTERNAL_IDLE = "30s"
"""How long an unused connection to a host outside the mesh is kept."""

RETRY_BUDGET_MINIMUM = 3
"""How many retries at once a budget always allows: a share of very few requests would be none at all."""

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
    retry_budget: int | None = None,
    transport_socket: Message | None = None,
) -> Message:
    """Return a cluster over the addresses, used in turn; without `idle` it is one for whole connections (tcp).

    The retry budget is in millionths of the active requests.
    """
    message: Message = {
        "name": name,
        "type": discovery_type(addresses),
        "connect_timeout": CONNECT_TIMEOUT,
        "lb_policy": "ROUND_ROBIN",
    }
    if message["type"] == "STRICT_DNS":
        message |= {"dns_lookup_family": "V4_PREFERRED", "respect_dns_ttl": True}
    message["load_assignment"] = load_assignment(name, addresses)
    if idle is not None:
        message["typed_extension_protocol_options"] = {_HTTP_OPTIONS: _http_options(idle, http2=http2)}
    message["circuit_breakers"] = {"thresholds": [_thresholds(retry_budget)]}
    if transport_socket is not None:
        message["transport_socket"] = transport_socket
    return message


def _http_options(idle: str, *, http2: bool) -> Message:
    version: Message = {"http2_protocol_options": {}} if http2 else {"http_protocol_options": {}}
    return typed(_HTTP_OPTIONS, common_http_protocol_options={"idle_timeout": idle}, explicit_http_config=version)


def _thresholds(retry_budget: int | None) -> Message:
    bounds: Message = {
        "priority": "DEFAULT",
        "max_connections": UNLIMITED,
        "max_pending_requests": UNLIMITED,
        "max_requests": UNLIMITED,
    }
    if retry_budget is None:
        # Envoy's own default of 3 retries at once would cut stated retries short in silence.
        return {**bounds, "max_retries": UNLIMITED}
    budget = {
        "budget_percent": {"value": percent_of_millionths(retry_budget)},
        "min_retry_concurrency": RETRY_BUDGET_MINIMUM,
    }
    return {**bounds, "retry_budget": budget}


def application_cluster(workload: Workload, port: ServicePort, placement: Placement) -> Message:
    """Return the cluster of the workload itself, in plain text on its own loopback."""
    return cluster(
        names.application_cluster(port),
        (placement.application(workload, port),),
        idle=APPLICATION_IDLE if port.protocol.is_http else None,
        http2=speaks_http2(port.protocol),
    )


def service_cluster(
    callee: OutboundService, version: str | None, retry_budget: int | None, caller: Workload, placement: Placement
) -> Message:
    """Return the cluster of the sidecars of a callee, of all or of one version."""
    http2 = speaks_http2(callee.port.protocol)
    return cluster(
        names.service_cluster(callee.service, callee.port, version, retry_budget),
        placement.endpoints(callee.service, version),
        idle=MESH_IDLE if callee.port.protocol.is_http else None,
        http2=http2,
        retry_budget=retry_budget,
        transport_socket=mesh_tls(
            placement.certificates(caller),
            callee.workload.spiffe_id,
            server_name(callee.service, callee.port),
            () if not callee.port.protocol.is_http else (HTTP_2,) if http2 else (HTTP_1,),
        ),
    )


def external_cluster(callee: OutboundExternal, host: str, placement: Placement) -> Message:
    """Return the cluster of one host outside the mesh."""
    external = callee.external
    http2 = speaks_http2(external.port.protocol)
    budget = callee.settings.retry_budget
    socket = None
    if external.tls is not None:
        socket = external_tls(host, placement.external_roots(), external.tls.minimum, HTTP_2 if http2 else HTTP_1)
    return cluster(
        names.external_cluster(external, host),
        (placement.external(external, host),),
        idle=EXTERNAL_IDLE,
        http2=http2,
        retry_budget=budget.value if budget and callee.settings.retries else None,
        transport_socket=socket,
    )


def admin_cluster(admin: Address) -> Message:
    """Return the cluster of Envoy's own administration interface."""
    return cluster(names.ADMIN_CLUSTER, (admin,), idle=APPLICATION_IDLE)
