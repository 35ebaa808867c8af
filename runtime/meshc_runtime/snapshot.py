"""The snapshot: everything one proxy needs to know, as one versioned JSON document.

The compiler writes it, the proxy reads it, and nothing else passes between the two. The document is closed:
an unknown field, an unknown version or a dangling name refuses the whole document, so that a proxy never
enforces half of a policy.

Times are milliseconds, shares are percents or relative weights, hosts are lower-case ASCII without port.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from meshc_runtime.snapshot_cluster import Address as Address
from meshc_runtime.snapshot_cluster import BalancePolicy as BalancePolicy
from meshc_runtime.snapshot_cluster import Breaker as Breaker
from meshc_runtime.snapshot_cluster import Cluster as Cluster
from meshc_runtime.snapshot_cluster import Ejection as Ejection
from meshc_runtime.snapshot_cluster import MeshTransport as MeshTransport
from meshc_runtime.snapshot_cluster import PlainTransport as PlainTransport
from meshc_runtime.snapshot_cluster import TlsTransport as TlsTransport
from meshc_runtime.snapshot_cluster import Transport as Transport
from meshc_runtime.snapshot_match import AllConditions as AllConditions
from meshc_runtime.snapshot_match import AnyCondition as AnyCondition
from meshc_runtime.snapshot_match import Condition as Condition
from meshc_runtime.snapshot_match import HeaderEquals as HeaderEquals
from meshc_runtime.snapshot_match import HeaderOneOf as HeaderOneOf
from meshc_runtime.snapshot_match import HeaderPresent as HeaderPresent
from meshc_runtime.snapshot_match import NotCondition as NotCondition
from meshc_runtime.snapshot_match import PathPattern as PathPattern
from meshc_runtime.snapshot_match import RegexPath as RegexPath
from meshc_runtime.snapshot_match import TemplatePath as TemplatePath
from meshc_runtime.snapshot_part import Effect as Effect
from meshc_runtime.snapshot_part import (
    HeaderName,
    HostName,
    Method,
    Milliseconds,
    Name,
    Part,
    PortNumber,
    ServerName,
    SpiffeUri,
)
from meshc_runtime.snapshot_part import Protocol as Protocol

SNAPSHOT_VERSION = 1

RetryCondition = Annotated[
    str,
    Field(
        pattern=r"^(connect-failure|reset|refused-stream|gateway-error|5xx|s[1-5][0-9][0-9]"
        r"|cancelled|deadline-exceeded|internal|resource-exhausted|unavailable)$"
    ),
]


class WorkloadIdentity(Part):
    """Who this proxy speaks for (SPIFFE-ID section 2)."""

    name: Name
    spiffe_id: SpiffeUri
    trust_domain: Annotated[str, Field(pattern=r"^[a-z0-9._-]+$", max_length=255)]


class CertificateFiles(Part):
    """Paths of the PEM files that prove this workload's identity and verify its peers."""

    cert_chain: str = "/var/run/meshc/certs/cert-chain.pem"
    private_key: str = "/var/run/meshc/certs/key.pem"
    trust_bundle: str = "/var/run/meshc/certs/trust-bundle.pem"


class Listeners(Part):
    """The addresses the proxy listens on; a gateway without callers in the mesh has no inbound one."""

    inbound: Address | None = Address(host="0.0.0.0", port=15006)  # noqa: S104 - a pod's own address
    outbound: Address = Address(host="127.0.0.1", port=15001)
    admin: Address = Address(host="127.0.0.1", port=15000)
    readiness: Address = Address(host="0.0.0.0", port=15021)  # noqa: S104 - the kubelet probes it
    metrics: Address = Address(host="0.0.0.0", port=15090)  # noqa: S104 - Prometheus scrapes it


class AuthorizationRule(Part):
    """One grant or refusal: these callers, these methods (null: any), this path (null: any), this condition.

    `callers` null means every caller with a verified identity of the trust domain, but those in `except_callers`.
    `id` is stable between builds; access log and metrics name the deciding rule by it.
    """

    id: Name
    effect: Effect
    callers: tuple[SpiffeUri, ...] | None
    except_callers: tuple[SpiffeUri, ...] | None = None
    methods: tuple[Method, ...] | None = None
    path: PathPattern | None = None
    condition: Condition | None = None


class RateLimit(Part):
    """`amount` requests per `per_seconds`, for each caller by itself, in a bucket that holds `burst`.

    With `per_header` every distinct value of that header has a bucket of its own, and its absence another; so with
    a parameter of the query (decoded as forms are) and a cookie.
    `callers` null means every caller with a verified identity of the trust domain.
    """

    id: Name
    callers: tuple[SpiffeUri, ...] | None
    amount: Annotated[int, Field(ge=1)]
    per_seconds: Annotated[int, Field(ge=1)]
    burst: Annotated[int, Field(ge=1)]
    per_header: HeaderName | None = None
    per_query: Annotated[str, Field(max_length=256)] | None = None
    per_cookie: Annotated[str, Field(max_length=256)] | None = None

    @model_validator(mode="after")
    def _one_key_at_most(self) -> RateLimit:
        if sum(key is not None for key in (self.per_header, self.per_query, self.per_cookie)) > 1:
            raise ValueError(f"limit `{self.id}` has several keys")
        return self


class Fault(Part):
    """A mishap that befalls a share (millionths) of the callers' allowed calls on purpose.

    Delay and abort draw a lot of their own for each call: it waits, or is answered with the status, or first one and
    then the other. `callers` null means every caller with a verified identity of the trust domain.
    """

    name: Name
    callers: tuple[SpiffeUri, ...] | None
    except_callers: tuple[SpiffeUri, ...] | None = None
    delay_ms: Milliseconds | None = None
    abort_status: Annotated[int, Field(ge=200, le=599)] | None = None
    share: Annotated[int, Field(ge=0, le=1_000_000)]


LogChoice = Literal["on", "off", "errors"]
Millionths = Annotated[int, Field(ge=0, le=1_000_000)]


class InboundPort(Part):
    """One port of this workload's service: the SNI that selects it, the app behind it, who may call what.

    `access_log` says which requests get a line (errors: refused, answered with 5xx, or not at all), `metrics` whether
    they are counted, `trace_sampling` the share (in millionths) of those without a trace that begin one.
    `connection_idle_ms` is when a connection that shows no requests (`tcp`, `tls`) and carries nothing is closed; null
    is an hour.
    """

    service: Name
    number: PortNumber
    protocol: Protocol
    server_name: ServerName
    app: Address
    rules: tuple[AuthorizationRule, ...] = ()
    limits: tuple[RateLimit, ...] = ()
    faults: tuple[Fault, ...] = ()
    connection_idle_ms: Milliseconds | None = None
    access_log: LogChoice = "on"
    metrics: bool = True
    trace_sampling: Millionths = 0

    @model_validator(mode="after")
    def _rule_ids_are_unique(self) -> InboundPort:
        _require_unique("rule id", (rule.id for rule in self.rules))
        _require_unique("limit id", (limit.id for limit in self.limits))
        return self


class Retry(Part):
    """`limit` extra tries on these conditions (Envoy `RetryPolicy`); null budget: no budget.

    The budget allows retries up to `budget_percent` of the requests running to the cluster, and always
    `budget_min_concurrency` of them (Envoy `CircuitBreakers.Thresholds.RetryBudget`). With a `key_header` a POST or
    PATCH is tried again only if it bears that header.
    """

    limit: Annotated[int, Field(ge=0, le=100)]
    on: tuple[RetryCondition, ...]
    budget_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    budget_min_concurrency: Annotated[int, Field(ge=0)] = 3
    backoff_base_ms: Milliseconds = 25
    backoff_max_ms: Milliseconds = 250
    per_try_timeout_ms: Milliseconds | None = None
    key_header: HeaderName | None = None


class HashKey(Part):
    """What is hashed to choose an instance by `ring-hash`: a header's lines, a cookie, or where the call comes from.

    A call without it goes to any instance.
    """

    kind: Literal["header", "cookie", "source"]
    name: Annotated[str, Field(max_length=256)] = ""


class Destination(Part):
    """A cluster and its share, relative to the sum of the route's weights."""

    cluster: Name
    weight: Annotated[int, Field(ge=0)]


class Answer(Part):
    """What the proxy answers itself, with an empty body: a status, and where a redirect leads."""

    status: Annotated[int, Field(ge=200, le=599)]
    location: Annotated[str, Field(pattern=r"^[!-~]+$", max_length=8192)] | None = None


class Route(Part):
    """What happens to the requests that match: first match wins. Nulls in the match mean any.

    `timeout_ms` is the total from the end of the request, retries included; null means none. With an `answer` nothing
    is called. `access_log` and `trace_sampling` are as of an inbound port.
    """

    id: Name
    methods: tuple[Method, ...] | None = None
    path: PathPattern | None = None
    condition: Condition | None = None
    destinations: tuple[Destination, ...] = ()
    answer: Answer | None = None
    timeout_ms: Milliseconds | None = None
    retry: Retry | None = None
    hash_key: HashKey | None = None
    access_log: LogChoice = "on"
    trace_sampling: Millionths = 0

    @model_validator(mode="after")
    def _some_destination_has_weight(self) -> Route:
        if self.answer is not None:
            if self.destinations:
                raise ValueError(f"route `{self.id}` answers itself and has destinations")
        elif not any(destination.weight for destination in self.destinations):
            raise ValueError(f"route `{self.id}` gives weight to no destination")
        return self


class OutboundService(Part):
    """One port of a service that this workload may call, selected by the Host header.

    Every host answers as `host:port`; where `default` is true it also answers without a port.
    `rules` is null for a service of the mesh, whose own proxy decides; for a service outside the mesh
    they are decided here, and no rules at all refuse every request. `guards` are the rules by which a route's own
    answer is given; `faults` befall calls to what is outside the mesh. `metrics` says whether requests are counted.
    """

    name: Name
    hosts: Annotated[tuple[HostName, ...], Field(min_length=1)]
    port: PortNumber
    default: bool
    protocol: Protocol
    rules: tuple[AuthorizationRule, ...] | None = None
    guards: tuple[AuthorizationRule, ...] = ()
    faults: tuple[Fault, ...] = ()
    routes: Annotated[tuple[Route, ...], Field(min_length=1)]
    metrics: bool = True

    @model_validator(mode="after")
    def _last_route_matches_everything(self) -> OutboundService:
        last = self.routes[-1]
        if last.methods is not None or last.path is not None or last.condition is not None:
            raise ValueError(f"the last route of `{self.name}` must match every request")
        _require_unique("route id", (route.id for route in self.routes))
        _require_unique("rule id", (rule.id for rule in self.rules or ()))
        return self


class OutboundConnection(Part):
    """One port of a service that is not HTTP: the workload reaches it at a listener of its own on loopback.

    The service's own proxy decides who may connect. What carries nothing for `idle_timeout_ms` is closed.
    """

    service: Name
    port: PortNumber
    listener: Address
    cluster: Name
    idle_timeout_ms: Milliseconds = 3_600_000
    hash_key: HashKey | None = None
    access_log: LogChoice = "on"
    metrics: bool = True


class MeshHosts(Part):
    """Which Host values mean the mesh, so that one without a grant answers 403 and not 404.

    A single label always does; so does every name that ends in one of `suffixes` (with leading dot) and
    every `<label>.<namespace>`.
    """

    suffixes: tuple[str, ...] = (".svc", ".svc.cluster.local")
    namespaces: tuple[Name, ...] = ()


class Tracing(Part):
    """How traces go on, and where spans are sent.

    `propagation` are the headers that are read and written (W3C Trace Context, B3). `collector` takes OTLP, over gRPC
    where `speaks` is h2, else over HTTP in protobuf; null: spans are told to nobody.
    """

    propagation: Annotated[tuple[Literal["b3", "w3c"], ...], Field(min_length=1)] = ("w3c",)
    collector: Address | None = None
    speaks: Literal["http/1.1", "h2"] = "h2"


class ConnectionGuards(Part):
    """Bounds that protect the proxy itself; none of them limits how long a service may take to answer."""

    max_connections: Annotated[int, Field(ge=1)] = 4096
    handshake_timeout_ms: Milliseconds = 10_000
    head_timeout_ms: Milliseconds = 10_000
    body_idle_timeout_ms: Milliseconds = 300_000
    idle_timeout_ms: Milliseconds = 300_000
    pool_idle_timeout_ms: Milliseconds = 60_000


class Snapshot(Part):
    """The whole policy and wiring of one proxy."""

    version: Literal[1] = 1
    workload: WorkloadIdentity
    certificates: CertificateFiles = CertificateFiles()
    listeners: Listeners = Listeners()
    inbound: tuple[InboundPort, ...] = ()
    outbound: tuple[OutboundService, ...] = ()
    connections: tuple[OutboundConnection, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    mesh_hosts: MeshHosts = MeshHosts()
    access_log: Annotated[str, Field(min_length=1)] = "-"
    tracing: Tracing | None = None
    guards: ConnectionGuards = ConnectionGuards()

    @model_validator(mode="after")
    def _names_hang_together(self) -> Snapshot:
        _require_unique("cluster", (cluster.name for cluster in self.clusters))
        _require_unique("inbound port", (str(port.number) for port in self.inbound))
        _require_unique("inbound server name", (port.server_name for port in self.inbound))
        _require_unique(
            "outbound host",
            (f"{host}:{service.port}" for service in self.outbound for host in service.hosts),
        )
        _require_unique(
            "outbound default host",
            (host for service in self.outbound if service.default for host in service.hosts),
        )
        known = {cluster.name for cluster in self.clusters}
        for service in self.outbound:
            for route in service.routes:
                for destination in route.destinations:
                    if destination.cluster not in known:
                        raise ValueError(f"route `{route.id}` names unknown cluster `{destination.cluster}`")
        for connection in self.connections:
            if connection.cluster not in known:
                raise ValueError(f"`{connection.service}` names unknown cluster `{connection.cluster}`")
        if self.inbound and self.listeners.inbound is None:
            raise ValueError("inbound ports need an inbound listener")
        if not self.workload.spiffe_id.startswith(f"spiffe://{self.workload.trust_domain}/"):
            raise ValueError("the workload's SPIFFE ID is not of its trust domain")
        return self


class SnapshotError(Exception):
    """A snapshot that cannot be used; the message is one line for an operator."""


def parse_snapshot(text: str | bytes) -> Snapshot:
    """Read a snapshot from its JSON text.

    Raises:
        SnapshotError: the text is not JSON, is of another version, or breaks the schema.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SnapshotError(f"not a JSON document: {error}") from None
    if not isinstance(document, dict):
        raise SnapshotError("a snapshot is a JSON object")
    version = document.get("version")
    if version != SNAPSHOT_VERSION or isinstance(version, bool):
        raise SnapshotError(f"snapshot version {version!r} is unknown; this proxy reads {SNAPSHOT_VERSION}")
    try:
        return Snapshot.model_validate_json(text)
    except ValidationError as error:
        raise SnapshotError(_one_line(error)) from None


def render_snapshot(snapshot: Snapshot) -> str:
    """The snapshot's JSON text: the same snapshot gives the same bytes."""
    return snapshot.model_dump_json(indent=2) + "\n"


def snapshot_schema() -> dict[str, Any]:
    """The JSON schema (2020-12) of the snapshot document."""
    schema = Snapshot.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _one_line(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    first = problems[0]
    place = ".".join(str(step) for step in first["loc"]) or "snapshot"
    message = str(first["msg"]).removeprefix("Value error, ").replace("\n", " ")
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place}: {message}{more}"


def _require_unique(kind: str, names: Any) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{kind} `{name}` appears twice")
        seen.add(name)
