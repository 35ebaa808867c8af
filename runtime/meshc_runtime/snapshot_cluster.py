"""The clusters of a snapshot: instances that answer for each other, how they are reached and on which terms."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from meshc_runtime.snapshot_part import HostName, Milliseconds, Name, Part, ServerName, SpiffeUri


class Address(Part):
    """Where something listens or is reached; as a listener, port 0 lets the system choose one."""

    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=0, le=65535)]


class MeshTransport(Part):
    """Mutual TLS to a proxy of the mesh that must prove exactly this identity."""

    kind: Literal["mesh"] = "mesh"
    spiffe_id: SpiffeUri
    server_name: ServerName


class TlsTransport(Part):
    """TLS to something outside the mesh; null `ca_file` trusts the system's roots.

    The server's certificate must carry one of `dns_names`.
    """

    kind: Literal["tls"] = "tls"
    server_name: ServerName
    minimum_version: Literal["1.2", "1.3"] = "1.2"
    ca_file: str | None = None
    dns_names: Annotated[tuple[HostName, ...], Field(min_length=1)]


class PlainTransport(Part):
    """Bare TCP to something outside the mesh."""

    kind: Literal["plain"] = "plain"


Transport = Annotated[MeshTransport | TlsTransport | PlainTransport, Field(discriminator="kind")]

Count = Annotated[int, Field(ge=1, le=4_294_967_295)]


class Breaker(Part):
    """Bounds of what this proxy has under way to a cluster; null is none. What comes above is answered with 503.

    `max_requests` counts calls on their connections, `max_pending` those that wait for one. Above `max_connections`
    calls wait, unless their instance has no connection at all (Envoy `CircuitBreakers.Thresholds`).
    """

    max_requests: Count | None = None
    max_pending: Count | None = None
    max_connections: Count | None = None


class Ejection(Part):
    """When an instance gets no calls: after `consecutive_5xx` failures in a row, a 5xx or no answer at all.

    It is out for `eject_ms`, each time longer by as much and at most 300 s; who comes back is looked at every
    `interval_ms`. At most `max_percent` of the instances are out at once (Envoy `OutlierDetection`).
    """

    consecutive_5xx: Count
    eject_ms: Milliseconds = 30_000
    interval_ms: Milliseconds = 10_000
    max_percent: Annotated[int, Field(ge=0, le=100)] = 50


BalancePolicy = Literal["round-robin", "least-request", "random", "peak-ewma", "ring-hash"]


class Cluster(Part):
    """Endpoints that can answer for each other, and how to reach them; names are resolved by the proxy.

    `speaks` is what goes over the connections: HTTP/1.1, HTTP/2 or bytes that nobody looks into. An unused connection
    is closed after `idle_timeout_ms`; null leaves that to the guards. Where no endpoint is left, 503 is answered.
    """

    name: Name
    endpoints: tuple[Address, ...]
    transport: Transport
    speaks: Literal["http/1.1", "h2", "bytes"] = "http/1.1"
    connect_timeout_ms: Milliseconds = 5000
    idle_timeout_ms: Milliseconds | None = None
    breaker: Breaker | None = None
    ejection: Ejection | None = None
    balance: BalancePolicy = "round-robin"
