"""What runs, the names by which it is called, and what lies outside the mesh."""

from __future__ import annotations

from enum import StrEnum

from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import PathTemplate
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


class MtlsMode(StrEnum):
    """Whether calls without a mesh identity are heard at all."""

    STRICT = "strict"
    """Connections without a certificate of the mesh are closed."""
    PERMISSIVE = "permissive"
    """They are taken, and are allowed what is granted to `plaintext`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """How callers' sidecars find out which instances are well.

    One that fails `unhealthy` times in a row gets no calls until it has succeeded `healthy` times. The sidecars ask as
    the callers that they are, so callers must be allowed to. `path` is asked for by GET on an HTTP port and must be
    answered with 200; on a gRPC port (`path` None) the standard health service is asked (grpc.health.v1), on others a
    connection is made. Times are in nanoseconds.
    """

    port: int
    path: str | None
    interval_ns: int
    timeout_ns: int
    unhealthy: int
    healthy: int
    origin: Span | None = field(default=None, compare=False, repr=False)


class ProbeKind(StrEnum):
    """What Kubernetes asks a container."""

    STARTUP = "startup"
    READINESS = "readiness"
    LIVENESS = "liveness"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """An HTTP probe found in a manifest: the node asks for it by GET, without a mesh identity.

    `port` is the number on which the workload listens.
    """

    kind: ProbeKind
    port: int
    path: str
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Requests that a schema declares on one port; `methods` (sorted) empty means any. An rpc is POST /pkg.Svc/M."""

    port: int
    methods: tuple[str, ...]
    path: PathTemplate
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSchema:
    """What a service answers at all, by `paths` or an imported schema. A port of which nothing is declared is open."""

    operations: tuple[Operation, ...]

    def operations_of(self, port: int) -> tuple[Operation, ...]:
        """Return what is declared for one port; nothing, if the schema does not speak of it."""
        return tuple(operation for operation in self.operations if operation.port == port)


class Folding(StrEnum):
    """Spellings of a path that a service takes for one and the same, though they are not (RFC 3986 §6.2)."""

    CASE = "case"
    """`/Admin` is `/admin`."""
    PARAMETERS = "parameters"
    """`/admin;x` is `/admin` (RFC 3986 §3.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How many requests one instance carries: `amount` every `seconds` (1, 60 or 3600)."""

    amount: int
    seconds: int
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A name that callers use. It is served by the workload of the same name. Ports are sorted by number.

    `host` is the service's name in the cluster, by which callers reach it; the program may call it by another.
    `versions` are the values of the pods' `version` label among which routes may split. `replicas` is how many
    instances the program says there are (1 where it says nothing). `mtls` is its own or the mesh's. `schema` None means
    that nothing is declared about what it answers. `probes` come from manifests. `capacity` and `folds` (sorted) are
    what the program says of the workload itself: checks go by them, and no target needs them.
    """

    name: str
    host: str
    namespace: str
    workload: str
    ports: tuple[ServicePort, ...]
    versions: tuple[str, ...] = ()
    replicas: int = 1
    mtls: MtlsMode = MtlsMode.STRICT
    health: HealthCheck | None = None
    schema: ServiceSchema | None = None
    probes: tuple[Probe, ...] = ()
    capacity: Capacity | None = None
    folds: tuple[Folding, ...] = ()
    doc: tuple[str, ...] = ()
    replicas_origin: Span | None = field(default=None, compare=False, repr=False)
    mtls_origin: Span | None = field(default=None, compare=False, repr=False)
    origin: Span | None = field(default=None, compare=False, repr=False)


class TlsVersion(StrEnum):
    """The lowest TLS version that is accepted (RFC 8446, RFC 5246)."""

    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOrigination:
    """How the caller's sidecar opens a TLS connection out of the mesh.

    `server_name` is asked for instead of the host (RFC 6066 §3). The certificate must chain to the roots in `ca_file`
    (a whole path, where the caller's sidecar finds it), or to the system's, and bear one of `names` (sorted); where
    these are not stated the server name, or else the host's own name.
    """

    minimum: TlsVersion = TlsVersion.TLS_1_2
    server_name: str | None = None
    ca_file: str | None = None
    names: tuple[str, ...] = ()
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """Something outside the mesh, called by its host names. `tls` None means that calls leave in plain text.

    With `tls` the caller's sidecar opens the TLS connection and speaks HTTP inside; the port's protocol is then `http`.
    `schema` is as a service's.
    """

    name: str
    hosts: tuple[str, ...]
    port: ServicePort
    tls: TlsOrigination | None = None
    schema: ServiceSchema | None = None
    doc: tuple[str, ...] = ()
    origin: Span | None = field(default=None, compare=False, repr=False)
