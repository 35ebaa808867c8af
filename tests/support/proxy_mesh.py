"""Small snapshots for proxy tests: a workload `web` that calls, a workload `api` that is called."""

from __future__ import annotations

from collections.abc import Sequence

from meshc_runtime.snapshot import (
    Address,
    AuthorizationRule,
    CertificateFiles,
    Cluster,
    ConnectionGuards,
    Destination,
    InboundPort,
    MeshHosts,
    MeshTransport,
    OutboundService,
    PlainTransport,
    RateLimit,
    Retry,
    Route,
    Snapshot,
    TemplatePath,
    WorkloadIdentity,
)
from support.proxy_authority import TRUST_DOMAIN, spiffe_id
from support.proxy_process import chosen_ports

API_NAME = "8080.api.default.mesh.internal"


def workload(name: str) -> WorkloadIdentity:
    return WorkloadIdentity(name=name, spiffe_id=spiffe_id(name), trust_domain=TRUST_DOMAIN)


def allow(rule: str, *callers: str, methods: Sequence[str] | None = None, path: str | None = None) -> AuthorizationRule:
    return AuthorizationRule(
        id=rule,
        effect="allow",
        callers=tuple(spiffe_id(caller) for caller in callers),
        methods=None if methods is None else tuple(methods),
        path=None if path is None else TemplatePath(template=path),
    )


def deny(rule: str, *callers: str, path: str | None = None) -> AuthorizationRule:
    return allow(rule, *callers, path=path).model_copy(update={"effect": "deny"})


def callee(
    certificates: CertificateFiles,
    app_port: int,
    *,
    rules: Sequence[AuthorizationRule] = (allow("everything", "web"),),
    limits: Sequence[RateLimit] = (),
    guards: ConnectionGuards | None = None,
) -> Snapshot:
    """`api` with one port 8080, in front of an app."""
    return Snapshot(
        workload=workload("api"),
        certificates=certificates,
        listeners=chosen_ports(),
        inbound=(
            InboundPort(
                service="api",
                number=8080,
                protocol="http",
                server_name=API_NAME,
                app=Address(host="127.0.0.1", port=app_port),
                rules=tuple(rules),
                limits=tuple(limits),
            ),
        ),
        guards=guards or ConnectionGuards(),
    )


def route(
    *clusters: str | tuple[str, int],
    name: str = "default",
    path: str | None = None,
    timeout_ms: int | None = None,
    retry: Retry | None = None,
) -> Route:
    destinations = tuple(
        Destination(cluster=cluster, weight=1)
        if isinstance(cluster, str)
        else Destination(cluster=cluster[0], weight=cluster[1])
        for cluster in clusters
    )
    return Route(
        id=name,
        path=None if path is None else TemplatePath(template=path),
        destinations=destinations,
        timeout_ms=timeout_ms,
        retry=retry,
    )


def plain_cluster(name: str, *ports: int, connect_timeout_ms: int = 5000) -> Cluster:
    return Cluster(
        name=name,
        endpoints=tuple(Address(host="127.0.0.1", port=port) for port in ports),
        transport=PlainTransport(),
        connect_timeout_ms=connect_timeout_ms,
    )


def mesh_cluster(name: str, *addresses: str, identity: str = "api") -> Cluster:
    return Cluster(
        name=name,
        endpoints=tuple(
            Address(host=address.rpartition(":")[0], port=int(address.rpartition(":")[2])) for address in addresses
        ),
        transport=MeshTransport(spiffe_id=spiffe_id(identity), server_name=API_NAME),
    )


def service(
    routes: Sequence[Route],
    *,
    name: str = "api",
    port: int = 8080,
    rules: Sequence[AuthorizationRule] | None = None,
    hosts: Sequence[str] | None = None,
) -> OutboundService:
    return OutboundService(
        name=name,
        hosts=tuple(hosts or (name, f"{name}.default", f"{name}.default.svc", f"{name}.default.svc.cluster.local")),
        port=port,
        default=True,
        protocol="http",
        rules=None if rules is None else tuple(rules),
        routes=tuple(routes),
    )


def caller(
    certificates: CertificateFiles,
    services: Sequence[OutboundService],
    clusters: Sequence[Cluster],
    *,
    guards: ConnectionGuards | None = None,
) -> Snapshot:
    """`web`, which only calls."""
    return Snapshot(
        workload=workload("web"),
        certificates=certificates,
        listeners=chosen_ports(inbound=False),
        outbound=tuple(services),
        clusters=tuple(clusters),
        mesh_hosts=MeshHosts(namespaces=("default",)),
        guards=guards or ConnectionGuards(),
    )
