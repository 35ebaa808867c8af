"""A snapshot as the policy that the Python proxy enforces with it.

The schema (`meshc proxy --print-schema`) says what the members mean: a request is allowed if some allow matches and no
deny does; the first route that matches wins; a service of the mesh is judged by its own proxy, one outside here; TRACE
that is allowed is answered with 405. What the proxy does of its own accord is in `docs/targets.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from ipaddress import ip_address
from typing import Any

from meshc_backends.readback.formula import ALWAYS, MethodIn, all_of
from meshc_backends.readback.paths import Escapes
from meshc_backends.readback.policy import (
    Answer,
    Entry,
    Forward,
    Gate,
    Handling,
    Inbound,
    Mishap,
    Named,
    Outbound,
    Peer,
    Policy,
    Side,
    Spelling,
    Stage,
    Upstream,
)
from meshc_backends.readback.sidecar.call_terms import (
    bounded,
    ejection_of,
    hashed_by,
    limit_of,
    mishap_of,
    retry_of,
    time_of,
)
from meshc_backends.readback.sidecar.field import document, elements, members, number, required, text, texts
from meshc_backends.readback.sidecar.request import callers_of, requests_of
from meshc_backends.readback.sidecar.telemetry import (
    CONNECTION_FIELDS,
    INBOUND_FIELDS,
    OUTBOUND_FIELDS,
    ROUTE_FIELDS,
    Telemetry,
    read_telemetry,
)
from meshc_backends.readback.spelling import canonical_paths
from meshc_backends.readback.unread import UnreadError
from meshc_lang.record import dataclass

_MS = 1_000_000
_TO_APPLICATION_NS = 5_000_000_000
"""What connects to the workload itself in 5 s or not at all."""

_SPOKEN = {"http": "http1", "http2": "http2", "grpc": "http2", "tcp": "tcp", "tls": "tcp"}
"""What the proxy speaks to the workload itself on a port of each protocol."""

_CONNECTION_IDLE_NS = 3_600_000_000_000
"""What carries nothing for an hour is closed, where nothing else is said of connections."""

_OFFERED = ("h2", "http/1.1")
_NAMED: dict[str, tuple[str, ...]] = {"http/1.1": ("http/1.1",), "h2": ("h2",), "bytes": ()}
"""What the proxy says by TLS that it is going to speak (RFC 7301)."""

_TRACE = MethodIn(frozenset({"TRACE"}))
_WHOLE = Fraction(1)

_SNAPSHOT = frozenset(
    {
        "version", "workload", "certificates", "listeners", "inbound", "outbound", "clusters", "mesh_hosts",
        "access_log", "guards", "connections", "tracing",
    }
)  # fmt: skip
_WORKLOAD = frozenset({"name", "spiffe_id", "trust_domain"})
_CERTIFICATES = frozenset({"cert_chain", "private_key", "trust_bundle"})
_LISTENERS = ("outbound", "admin", "readiness", "metrics")
_ADDRESS = frozenset({"host", "port"})
_MESH_HOSTS = frozenset({"suffixes", "namespaces"})
_INBOUND = INBOUND_FIELDS | {
    "service",
    "number",
    "protocol",
    "server_name",
    "app",
    "rules",
    "limits",
    "faults",
    "connection_idle_ms",
}
_RULE = frozenset({"id", "effect", "callers", "except_callers", "methods", "path", "condition"})
_ANSWER = frozenset({"status", "location"})
_OUTBOUND = OUTBOUND_FIELDS | {"name", "hosts", "port", "default", "protocol", "rules", "guards", "faults", "routes"}
_CONNECTION = CONNECTION_FIELDS | {"service", "port", "listener", "cluster", "idle_timeout_ms", "hash_key"}
_ROUTE = ROUTE_FIELDS | {
    "id",
    "methods",
    "path",
    "condition",
    "destinations",
    "timeout_ms",
    "retry",
    "hash_key",
    "answer",
}
_DESTINATION = frozenset({"cluster", "weight"})
_CLUSTER = frozenset(
    {
        "name", "endpoints", "transport", "speaks", "connect_timeout_ms", "idle_timeout_ms", "breaker", "ejection",
        "balance",
    }
)  # fmt: skip
_SPEAKS = {"http/1.1": "http1", "h2": "http2", "bytes": "tcp"}
_TRANSPORTS = {
    "plain": frozenset({"kind"}),
    "mesh": frozenset({"kind", "spiffe_id", "server_name"}),
    "tls": frozenset({"kind", "server_name", "minimum_version", "ca_file", "dns_names"}),
}
GUARDS = (
    "max_connections",
    "handshake_timeout_ms",
    "head_timeout_ms",
    "body_idle_timeout_ms",
    "idle_timeout_ms",
    "pool_idle_timeout_ms",
)
"""The bounds by which the proxy protects itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What a snapshot says beside the policy: whose it is, where it listens for others, what it does of itself."""

    workload: str
    spiffe_id: str
    trust_domain: str
    readiness: tuple[str, int]
    metrics: tuple[str, int]
    mesh_suffixes: frozenset[str]
    mesh_namespaces: frozenset[str]
    access_log: str
    guards: tuple[int, ...]
    telemetry: Telemetry


def read_snapshot(content: bytes) -> tuple[Policy, Own]:
    """Read a snapshot.

    Raises:
        UnreadError: it says something of which this reader does not know the meaning.
    """
    return _Snapshot(members(document(content), _SNAPSHOT, "the document")).read()


class _Snapshot:
    def __init__(self, fields: dict[str, Any]) -> None:
        if number(fields, "version", "") != 1:
            raise UnreadError("version", "a version")
        self._fields = fields
        workload = members(fields.get("workload"), _WORKLOAD, "workload")
        self._name = text(workload, "name", "workload")
        self._spiffe_id = text(workload, "spiffe_id", "workload")
        self._domain = text(workload, "trust_domain", "workload")
        files = members(fields.get("certificates"), _CERTIFICATES, "certificates")
        self._own = text(files, "cert_chain", "certificates"), text(files, "private_key", "certificates")
        self._roots = text(files, "trust_bundle", "certificates")
        guards = members(fields.get("guards"), frozenset(GUARDS), "guards")
        self._guards = tuple(number(guards, name, "guards") for name in GUARDS)
        self._idle = number(guards, "pool_idle_timeout_ms", "guards") * _MS
        self._clusters = dict(self._read_clusters())

    def read(self) -> tuple[Policy, Own]:
        fields = self._fields
        listeners = members(fields.get("listeners"), frozenset((*_LISTENERS, "inbound")), "listeners")
        at = {name: _address(listeners.get(name), f"listeners.{name}") for name in _LISTENERS}
        if listeners.get("inbound") is not None:
            at["inbound"] = _address(listeners.get("inbound"), "listeners.inbound")
        mesh = members(fields.get("mesh_hosts"), _MESH_HOSTS, "mesh_hosts")
        own = Own(
            workload=self._name,
            spiffe_id=self._spiffe_id,
            trust_domain=self._domain,
            readiness=at.pop("readiness"),
            metrics=at.pop("metrics"),
            mesh_suffixes=texts(mesh, "suffixes", "mesh_hosts"),
            mesh_namespaces=texts(mesh, "namespaces", "mesh_hosts"),
            access_log=text(fields, "access_log", ""),
            guards=self._guards,
            telemetry=read_telemetry(fields),
        )
        inbound = elements(fields, "inbound", "")
        ports = [self._inbound(value, f"inbound.{at}", only=len(inbound) == 1) for at, value in enumerate(inbound)]
        policy = Policy(
            inbound=tuple(ports),
            hosts=dict(self._hosts()),
            connections=dict(self._connections()),
            listens=at,
        )
        return policy, own

    def _inbound(self, value: Any, place: str, *, only: bool) -> Inbound:
        fields = members(value, _INBOUND, place)
        spoken = _spoken(fields, place)
        http = spoken != "tcp"
        app = Upstream(
            addresses=(_address(fields.get("app"), f"{place}.app"),),
            speaks=spoken,
            peer=None,
            connect_timeout_ns=_TO_APPLICATION_NS,
            idle_timeout_ns=self._idle if http else None,
        )
        gate = _gate(elements(fields, "rules", place), f"{place}.rules", None)
        limits = frozenset(limit_of(one, f"{place}.limits") for one in elements(fields, "limits", place))
        mishaps = frozenset(mishap_of(one, f"{place}.faults") for one in elements(fields, "faults", place))
        idle = time_of(fields, "connection_idle_ms", place)
        if http and idle is not None:
            raise UnreadError(place, "a time of connections on a port of requests")
        forward = Forward(
            destinations=frozenset({(app, _WHOLE)}),
            timeout_ns=None,
            idle_timeout_ns=None if http else _CONNECTION_IDLE_NS if idle is None else idle,
        )
        entries = [Entry(ALWAYS, Handling(gate=gate, limits=limits, mishaps=mishaps, action=forward))]
        if http:
            entries.insert(0, _refuses_trace(gate))
        server_name = text(fields, "server_name", place)
        return Inbound(
            name=f"{text(fields, 'service', place)}:{number(fields, 'number', place)}",
            protocol="http" if http else "tcp",
            server_names=None if only else frozenset({server_name}),
            peer=Peer(
                names=frozenset({("URI", f"spiffe://{self._domain}/*")}),
                roots=self._roots,
                own=self._own,
                server_name=None,
                protocols=_OFFERED if http else (),
                versions=("1.2", "1.3"),
            ),
            one_identity=True,
            plaintext=False,
            side=_side(*entries, underscores=_asks_underscored(fields)),
        )

    def _hosts(self) -> Iterator[tuple[str, Outbound]]:
        underscores = any(_asks_underscored(service) for service in elements(self._fields, "outbound", ""))
        for at, value in enumerate(elements(self._fields, "outbound", "")):
            place = f"outbound.{at}"
            fields = members(value, _OUTBOUND, place)
            if _spoken(fields, place) == "tcp":
                raise UnreadError(place, "a service that is not HTTP among those that requests go to")
            port, bare = number(fields, "port", place), fields.get("default")
            if type(bare) is not bool:
                raise UnreadError(f"{place}.default", "something that is neither true nor false")
            entries: list[Entry] = []
            gate: Gate = ()
            if fields.get("rules") is not None:
                # Nobody but this proxy judges calls to what lies outside the mesh, and all of them are the workload's.
                gate = _gate(elements(fields, "rules", place), f"{place}.rules", self._spiffe_id)
                entries.append(_refuses_trace(gate))
            guards = _gate(elements(fields, "guards", place), f"{place}.guards", self._spiffe_id)
            mishaps = frozenset(mishap_of(one, f"{place}.faults") for one in elements(fields, "faults", place))
            for route in required(fields, "routes", place):
                entries += self._route(route, f"{place}.routes", gate, guards, mishaps)
            outbound = Outbound(name=text(fields, "name", place), side=_side(*entries, underscores=underscores))
            for host in sorted(texts(fields, "hosts", place)):
                yield f"{host}:{port}", outbound
                if bare:
                    yield host, outbound

    def _connections(self) -> Iterator[tuple[tuple[str, int], Outbound]]:
        for at, value in enumerate(elements(self._fields, "connections", "")):
            place = f"connections.{at}"
            fields = members(value, _CONNECTION, place)
            cluster = text(fields, "cluster", place)
            if (upstream := self._clusters.get(cluster)) is None:
                raise UnreadError(place, f"the cluster `{cluster}`")
            forward = Forward(
                destinations=frozenset({(upstream, _WHOLE)}),
                timeout_ns=None,
                idle_timeout_ns=number(fields, "idle_timeout_ms", place) * _MS,
                hashed=hashed_by(fields.get("hash_key"), place),
            )
            name = f"{text(fields, 'service', place)}:{number(fields, 'port', place)}"
            side = _side(Entry(ALWAYS, Handling(action=forward)), underscores=False)
            yield _address(fields.get("listener"), f"{place}.listener"), Outbound(name=name, side=side)

    def _route(self, value: Any, place: str, gate: Gate, guards: Gate, mishaps: frozenset[Mishap]) -> Iterator[Entry]:
        fields = members(value, _ROUTE, place)
        if (own := fields.get("answer")) is not None:
            yield from self._answered(fields, own, place, guards)
            return
        retry, budget = retry_of(fields.get("retry"), f"{place}.retry")
        weights: dict[str, int] = {}
        for one in required(fields, "destinations", place):
            destination = members(one, _DESTINATION, place)
            cluster = text(destination, "cluster", place)
            weights[cluster] = weights.get(cluster, 0) + number(destination, "weight", place)
        forward = Forward(
            destinations=frozenset(self._shares(weights, budget, place).items()),
            timeout_ns=time_of(fields, "timeout_ms", place),
            retry=retry,
            hashed=hashed_by(fields.get("hash_key"), place),
        )
        handling = Handling(gate=gate, mishaps=mishaps, action=forward, name=text(fields, "id", place))
        yield Entry(requests_of(fields, place), handling)

    def _answered(self, fields: dict[str, Any], value: Any, place: str, guards: Gate) -> Iterator[Entry]:
        if required(fields, "destinations", place):
            raise UnreadError(place, "an answer and destinations at once")
        answer = members(value, _ANSWER, f"{place}.answer")
        location = None if answer.get("location") is None else text(answer, "location", place)
        requests = requests_of(fields, place)
        if fields.get("methods") is None or "TRACE" in texts(fields, "methods", place):
            yield Entry(all_of((requests, _TRACE)), Handling(gate=guards, action=Answer(405)))
        action = Answer(number(answer, "status", place), location)
        yield Entry(requests, Handling(gate=guards, action=action, name=text(fields, "id", place)))

    def _shares(self, weights: dict[str, int], budget: tuple[int, int] | None, place: str) -> dict[Upstream, Fraction]:
        total = sum(weights.values())
        shares: dict[Upstream, Fraction] = {}
        for cluster, weight in weights.items():
            if (upstream := self._clusters.get(cluster)) is None:
                raise UnreadError(place, f"the cluster `{cluster}`")
            if weight:
                if budget is not None:
                    upstream = replace(upstream, retry_budget=budget)
                share = _WHOLE if weight == total else Fraction(weight, total)
                shares[upstream] = shares[upstream] + share if upstream in shares else share
        return shares

    def _read_clusters(self) -> Iterator[tuple[str, Upstream]]:
        for at, value in enumerate(elements(self._fields, "clusters", "")):
            place = f"clusters.{at}"
            fields = members(value, _CLUSTER, place)
            speaks = text(fields, "speaks", place)
            if speaks not in _SPEAKS:
                raise UnreadError(f"{place}.speaks", f"`{speaks}`")
            upstream = Upstream(
                addresses=tuple(_address(one, place) for one in required(fields, "endpoints", place)),
                speaks=_SPEAKS[speaks],
                peer=self._peer(fields.get("transport"), f"{place}.transport", _NAMED[speaks]),
                connect_timeout_ns=number(fields, "connect_timeout_ms", place) * _MS,
                idle_timeout_ns=None if speaks == "bytes" else self._kept_idle(fields, place),
                ejection=ejection_of(fields.get("ejection"), f"{place}.ejection"),
                balance=text(fields, "balance", place),
            )
            yield text(fields, "name", place), bounded(upstream, fields.get("breaker"), f"{place}.breaker")

    def _kept_idle(self, fields: dict[str, Any], place: str) -> int:
        stated = time_of(fields, "idle_timeout_ms", place)
        return self._idle if stated is None else stated

    def _peer(self, value: Any, place: str, protocols: tuple[str, ...]) -> Peer | None:
        kind = value.get("kind") if type(value) is dict else None
        if kind not in _TRANSPORTS:
            raise UnreadError(place, f"the kind `{kind}`")
        fields = members(value, _TRANSPORTS[kind], place)
        if kind == "plain":
            return None
        asked = text(fields, "server_name", place)
        if kind == "mesh":
            return Peer(
                names=frozenset({("URI", text(fields, "spiffe_id", place))}),
                roots=self._roots,
                own=self._own,
                server_name=asked,
                protocols=protocols,
                versions=("1.2", "1.3"),
            )
        return Peer(
            names=frozenset((_kind_of(name), name) for name in texts(fields, "dns_names", place)),
            roots="" if fields.get("ca_file") is None else text(fields, "ca_file", place),
            own=None,
            server_name=None if _kind_of(asked) == "IP" else asked,
            protocols=protocols,
            versions=(text(fields, "minimum_version", place), "1.3"),
        )


def _gate(rules: list[Any], place: str, caller: str | None) -> Gate:
    """Return the denies, then the allows; with a caller those about it, which then does not matter."""
    denies: list[Named] = []
    allows: list[Named] = []
    for value in rules:
        fields = members(value, _RULE, place)
        who = callers_of(fields, place)
        if caller is not None and not who.include(caller):
            continue
        requests = requests_of(fields, place, who if caller is None else None)
        effect = fields.get("effect")
        if effect not in ("allow", "deny"):
            raise UnreadError(place, f"the effect `{effect}`")
        (allows if effect == "allow" else denies).append(Named(text(fields, "id", place), requests))
    return (
        Stage(denies=True, rules=frozenset(denies)),
        Stage(denies=False, rules=frozenset(allows)),
    )


def _refuses_trace(gate: Gate) -> Entry:
    return Entry(_TRACE, Handling(gate=gate, action=Answer(405)))


_PARTS_THAT_ASK = ("rules", "guards", "routes", "limits", "condition", "of", "retry", "hash_key")


def _asks_underscored(fields: Any) -> bool:
    """Tell whether a port's rules, routes or limits ask for a header with `_` in its name."""
    if isinstance(fields, list | tuple):
        return any(_asks_underscored(one) for one in fields)
    if not isinstance(fields, dict):
        return False
    if str(fields.get("kind", "")).startswith("header-") and "_" in str(fields.get("name", "")):
        return True
    if any("_" in str(fields.get(key) or "") for key in ("per_header", "key_header")):
        return True
    if fields.get("kind") == "header" and "_" in str(fields.get("name", "")):  # what is hashed
        return True
    return any(_asks_underscored(fields[part]) for part in _PARTS_THAT_ASK if part in fields)


def _side(*entries: Entry, underscores: bool) -> Side:
    return Side(
        entries=entries,
        carried=canonical_paths(Escapes.UPPER),
        spelling=frozenset(Spelling),
        refuses_underscores=not underscores,
    )


def _address(value: Any, place: str) -> tuple[str, int]:
    fields = members(value, _ADDRESS, place)
    return text(fields, "host", place), number(fields, "port", place)


def _spoken(fields: dict[str, Any], place: str) -> str:
    """Return what is spoken on a port."""
    protocol = text(fields, "protocol", place)
    if protocol not in _SPOKEN:
        raise UnreadError(place, f"the protocol `{protocol}`")
    return _SPOKEN[protocol]


def _kind_of(name: str) -> str:
    try:
        ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return "DNS"
    return "IP"
