"""What runs, the names by which it is called, and what lies outside the mesh."""

from __future__ import annotations

from enum import StrEnum

from meshc_compiler.ir.identity import SpiffeId
from meshc_lang.record import dataclass, field
from meshc_lang.source import Span

Labels = tuple[tuple[str, str], ...]
"""Labels as sorted pairs."""


class Protocol(StrEnum):
    """What a port speaks."""

    HTTP = "http"
    HTTP2 = "http2"
    GRPC = "grpc"
    TCP = "tcp"
    TLS = "tls"

    @property
    def is_http(self) -> bool:
        """Whether requests with methods and paths can be seen on the port."""
        return self in {Protocol.HTTP, Protocol.HTTP2, Protocol.GRPC}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What runs: one identity. `selector` finds its pods. Calls are made by workloads."""

    name: str
    namespace: str
    service_account: str
    spiffe_id: SpiffeId
    selector: Labels = ()
    labels: Labels = ()
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """A port by which a service is called; `name` is None where there is only one.

    `target` is the port on which the workload listens where that is another one (Kubernetes' `targetPort`), else None.
    """

    name: str | None
    number: int
    protocol: Protocol
    target: int | None = None
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A name that callers use. It is served by the workload of the same name. Ports are sorted by number.

    `host` is the service's name in the cluster, by which callers reach it; the program may call it by another.
    `versions` are the values of the pods' `version` label among which routes may split. `replicas` is how many
    instances the program says there are (1 where it says nothing).
    """

    name: str
    host: str
    namespace: str
    workload: str
    ports: tuple[ServicePort, ...]
    versions: tuple[str, ...] = ()
    replicas: int = 1
    doc: tuple[str, ...] = ()
    origin: Span | None = field(default=None, compare=False, repr=False)


class TlsVersion(StrEnum):
    """The lowest TLS version that is accepted (RFC 8446, RFC 5246)."""

    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """Something outside the mesh, called by its host names. `tls` None means that calls leave in plain text.

    With `tls` the caller's sidecar opens the TLS connection (verified against the system's roots and the host name) and
    speaks HTTP inside; the port's protocol is then `http`.
    """

    name: str
    hosts: tuple[str, ...]
    port: ServicePort
    tls: TlsVersion | None = None
    doc: tuple[str, ...] = ()
    origin: Span | None = field(default=None, compare=False, repr=False)
