"""The proxy: listeners, connections and clusters around one policy, from start to drained stop."""

from __future__ import annotations

import random
import socket
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from meshc_runtime.access_log import AccessRecord, format_record
from meshc_runtime.admin import TAKE_POSTS, admin_pages, metrics_page, ready_page
from meshc_runtime.arrival import Arrival
from meshc_runtime.call import ClientConnection, Side
from meshc_runtime.inside import PageConnection, Pages
from meshc_runtime.log_level import LogLevel, is_logged
from meshc_runtime.log_writer import LogWriter
from meshc_runtime.loop import READ, Loop
from meshc_runtime.metrics import ProxyMetrics
from meshc_runtime.policy import Policy, compile_policy, uncarried
from meshc_runtime.resolve import Resolver
from meshc_runtime.sides import INBOUND, OUTBOUND, ConnectionSide, InboundSide, OutboundSide
from meshc_runtime.snapshot import (
    Address,
    Cluster,
    MeshTransport,
    OutboundConnection,
    PlainTransport,
    Protocol,
    Snapshot,
    TlsTransport,
)
from meshc_runtime.span_export import SpanExporter
from meshc_runtime.stream import Stream
from meshc_runtime.tls import (
    IdentityError,
    MeshTls,
    PeerIdentities,
    external_context,
    load_mesh_tls,
    verify_dns_name,
)
from meshc_runtime.tls_layer import TlsLayer
from meshc_runtime.tracer import Tracer
from meshc_runtime.upstream import UpstreamCluster

_SWEEP_SECONDS = 0.25
_LOG_FLUSH_SECONDS = 0.1
_ACCEPTS_PER_EVENT = 64
_MAX_PAGES = 256
_LAST_SPANS_SECONDS = 1.0
_SPOKEN: dict[Protocol, Literal["http/1.1", "h2", "bytes"]] = {
    "http": "http/1.1",
    "http2": "h2",
    "grpc": "h2",
    "tcp": "bytes",
    "tls": "bytes",
}
"""What is spoken to the workload itself on a port of each protocol."""


class StartError(Exception):
    """The proxy cannot start; the message is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforced:
    """One snapshot in force: connections keep the one they began under, so that another can take its place."""

    policy: Policy
    tls: MeshTls
    clusters: dict[str, UpstreamCluster]
    apps: dict[str, UpstreamCluster]


def check_snapshot(snapshot: Snapshot) -> list[str]:
    """Load all that a proxy would load, and listen on nothing; the warnings it would give.

    Raises:
        IdentityError: the certificates cannot be used.
    """
    policy = compile_policy(snapshot, time.monotonic)
    load_mesh_tls(snapshot.certificates, snapshot.workload.spiffe_id, lambda _: True, datetime.now(UTC))
    for cluster in snapshot.clusters:
        if isinstance(cluster.transport, TlsTransport):
            external_context(cluster.transport, cluster.speaks)
    return uncarried(policy.snapshot)


class _Listener:
    """One listening socket; `accepted` takes each new connection."""

    def __init__(self, loop: Loop, name: str, address: Address, accepted: Callable[[socket.socket], None]) -> None:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self._sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._sock.bind((address.host, address.port))
            self._sock.listen(1024)
        except (OSError, UnicodeError) as error:
            self._sock.close()
            why = error.strerror if isinstance(error, OSError) else None
            raise StartError(f"cannot listen on {address.host}:{address.port} ({name}): {why or error}") from None
        self._sock.setblocking(False)
        host, port = self._sock.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._loop = loop
        self._accepted = accepted
        self._accepting = False
        self._open = True

    def accept(self, wanted: bool) -> None:
        """Accept connections, or leave them in the kernel's queue for now."""
        if self._open and wanted != self._accepting:
            self._accepting = wanted
            if wanted:
                self._loop.register(self._sock, self, READ)
            else:
                self._loop.unregister(self._sock)

    def close(self) -> None:
        """Listen no more."""
        if self._open:
            self._open = False
            self._accepting = False
            self._loop.retire(self._sock)

    def ready(self, _events: int) -> None:
        """Connections wait."""
        for _ in range(_ACCEPTS_PER_EVENT):
            if not self._accepting:
                return
            try:
                sock, _ = self._sock.accept()
            except BlockingIOError:
                return
            except OSError:
                # No descriptors left: the event would come at once again, so let some time pass.
                self.accept(False)
                self._loop.call_later(_SWEEP_SECONDS, lambda: self.accept(True), self)
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # a tunnel may be silent for hours
            self._accepted(sock)

    def crashed(self, error: Exception) -> None:
        """A new connection failed inside the proxy; go on listening."""


class Proxy:
    """One sidecar. Build it, `run` it; `stop` may be called from a signal handler or another thread."""

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        drain_seconds: float = 30.0,
        tells_why: bool = False,
        random_source: Callable[[], float] = random.random,
    ) -> None:
        """Load certificates, compile the policy, and listen; `tells_why` lets callers know why they are refused.

        Raises:
            IdentityError: the certificates cannot be used.
            StartError: an address or the access log cannot be used.
        """
        self.loop = Loop()
        self.metrics = ProxyMetrics()
        self.guards = snapshot.guards
        self.draining = False
        self.tells_why = tells_why
        self.log_level = LogLevel.INFO
        self.random = random_source
        self._drain_seconds = drain_seconds
        self._identities = PeerIdentities()
        self._resolver = Resolver(self.loop.call_from_thread)
        self._connections: set[ClientConnection] = set()
        self._pages_open: set[PageConnection] = set()
        self._listeners: dict[str, _Listener] = {}
        self._client_listeners = [INBOUND, OUTBOUND]
        self._log: LogWriter | None = None
        self.tracer: Tracer | None = None
        try:
            self._enforced = self._enforce(snapshot)
            self.tracer = self._tracer(snapshot)
            self._open_listeners(snapshot)
            self._log = LogWriter(snapshot.access_log)
        except OSError as error:
            self._close()
            raise StartError(f"cannot write the access log {snapshot.access_log}: {error.strerror or error}") from None
        except Exception:
            self._close()
            raise

    @property
    def addresses(self) -> dict[str, str]:
        """Where each listener listens, as `host:port`."""
        return {name: listener.address for name, listener in self._listeners.items()}

    @property
    def warnings(self) -> list[str]:
        """What of the snapshot this version refuses to carry, and what is set for looking for faults only."""
        told = ["callers are told why they are refused (--tell-callers-why)"] if self.tells_why else []
        return told + uncarried(self._enforced.policy.snapshot)

    @property
    def enforced(self) -> Enforced:
        """What is in force now."""
        return self._enforced

    def run(self) -> None:
        """Serve until `stop`, then until the running requests have ended or the drain time is over."""
        for listener in self._listeners.values():
            listener.accept(True)
        self._sweep()
        self._flush_log()
        try:
            self.loop.run()
        finally:
            self._close()

    def stop(self) -> None:
        """Begin to drain."""
        self.loop.call_from_thread(self._drain)

    # What a client connection asks of the proxy.

    def log(self, record: AccessRecord, ended: float, duration: float) -> None:
        """Write a line of the access log, if one is wanted."""
        if not is_logged(record, self.log_level):
            return
        if self._log is None or not self._log.append(format_record(record, ended, duration)):
            self.metrics.dropped_log_lines.add()

    def replaced(self, before: ClientConnection, after: ClientConnection) -> None:
        """A connection has found out what is spoken on it."""
        self._connections.discard(before)
        self._connections.add(after)

    def closed(self, connection: ClientConnection) -> None:
        """Forget a connection, and accept others again."""
        self._connections.discard(connection)
        self.metrics.open_connections.add((connection.side.direction,), -1)
        if self.draining:
            if not self._connections:
                self._stop_loop()
        else:
            self._accept_clients(True)

    def _accept_clients(self, wanted: bool) -> None:
        for name in self._client_listeners:
            if name in self._listeners:
                self._listeners[name].accept(wanted)

    def _open_listeners(self, snapshot: Snapshot) -> None:
        listeners = snapshot.listeners
        if listeners.inbound is not None:
            self._listen(INBOUND, listeners.inbound, self._accept_inbound)
        self._listen(OUTBOUND, listeners.outbound, self._accept_outbound)
        for connection in snapshot.connections:
            name = f"{connection.service}:{connection.port}"
            self._listen(name, connection.listener, self._accepts_connections(connection))
            self._client_listeners.append(name)
        ready = ready_page(self)
        self._listen_pages("admin", listeners.admin, admin_pages(self), TAKE_POSTS)
        self._listen_pages("readiness", listeners.readiness, {"/ready": ready, "/healthz": ready})
        self._listen_pages("metrics", listeners.metrics, {"/metrics": metrics_page(self)})

    def _listen_pages(
        self, name: str, address: Address, pages: Pages, takes_posts: frozenset[str] = frozenset()
    ) -> None:
        self._listen(name, address, lambda sock: self._accept_page(sock, pages, takes_posts))

    def _listen(self, name: str, address: Address, accepted: Callable[[socket.socket], None]) -> None:
        self._listeners[name] = _Listener(self.loop, name, address, accepted)

    def _enforce(self, snapshot: Snapshot) -> Enforced:
        policy = compile_policy(snapshot, time.monotonic)
        tls = load_mesh_tls(
            snapshot.certificates,
            snapshot.workload.spiffe_id,
            lambda name: policy.inbound_port(name) is not None,
            datetime.now(UTC),
        )
        clusters = {cluster.name: self._cluster(cluster, tls) for cluster in snapshot.clusters}
        apps = {
            port.server_name: self._cluster(
                Cluster(
                    name=port.server_name,
                    endpoints=(port.app,),
                    transport=PlainTransport(),
                    speaks=_SPOKEN[port.protocol],
                ),
                tls,
            )
            for port in snapshot.inbound
        }
        return Enforced(policy=policy, tls=tls, clusters=clusters, apps=apps)

    def _cluster(self, cluster: Cluster, tls: MeshTls) -> UpstreamCluster:
        transport = cluster.transport
        context: ssl.SSLContext | None = None
        server_name: str | None = None
        match transport:
            case MeshTransport():
                context, server_name = tls.clients[cluster.speaks], transport.server_name
                verify = self._verifier(transport.spiffe_id)
            case TlsTransport():
                context, server_name = external_context(transport, cluster.speaks), transport.server_name
                names = transport.dns_names

                def verify(_session: ssl.SSLObject) -> None:
                    verify_dns_name(_session, names)
            case PlainTransport():

                def verify(_session: ssl.SSLObject) -> None:
                    raise IdentityError("TLS where none was expected")

        return UpstreamCluster(
            self.loop,
            cluster,
            context=context,
            server_name=server_name,
            verify=verify,
            resolver=self._resolver,
            random=self.random,
        )

    def _tracer(self, snapshot: Snapshot) -> Tracer | None:
        tracing = snapshot.tracing
        if tracing is None:
            return None
        exporter: SpanExporter | None = None
        collector = tracing.collector
        if collector is not None:
            cluster = Cluster(
                name="collector", endpoints=(collector,), transport=PlainTransport(), speaks=tracing.speaks
            )
            host = f"[{collector.host}]" if ":" in collector.host else collector.host
            workload = snapshot.workload
            exporter = SpanExporter(
                self.loop,
                self._cluster(cluster, self._enforced.tls),
                f"{host}:{collector.port}",
                (("service.name", workload.name), ("meshc.workload.identity", workload.spiffe_id)),
                self.metrics.spans,
            )
        return Tracer(tracing.propagation, exporter, self.random)

    def _verifier(self, wanted: str) -> Callable[[ssl.SSLObject], None]:
        def verify(session: ssl.SSLObject) -> None:
            found = self._identities.read(session).spiffe_id
            if found != wanted:
                raise IdentityError(f"the peer is {found}, not {wanted}")

        return verify

    def _accept_inbound(self, sock: socket.socket) -> None:
        enforced = self._enforced
        side = InboundSide(enforced.policy, enforced.apps, self._identities, self.random)
        self._accept_client(sock, side, TlsLayer(enforced.tls.server, server_side=True))

    def _accept_outbound(self, sock: socket.socket) -> None:
        enforced = self._enforced
        self._accept_client(sock, OutboundSide(enforced.policy, enforced.clusters, self.random), None)

    def _accepts_connections(self, connection: OutboundConnection) -> Callable[[socket.socket], None]:
        def accept(sock: socket.socket) -> None:
            enforced = self._enforced
            caller = enforced.policy.snapshot.workload.spiffe_id
            side = ConnectionSide(caller, connection, enforced.clusters[connection.cluster])
            self._accept_client(sock, side, None)

        return accept

    def _accept_client(self, sock: socket.socket, side: Side, tls: TlsLayer | None) -> None:
        connection = Arrival(self, side)
        self._connections.add(connection)
        self.metrics.connections.add((side.direction,))
        self.metrics.open_connections.add((side.direction,))
        connection.attach(Stream(self.loop, sock, connection, tls=tls))
        if len(self._connections) >= self.guards.max_connections:
            self._accept_clients(False)

    def _accept_page(self, sock: socket.socket, pages: Pages, takes_posts: frozenset[str]) -> None:
        if len(self._pages_open) >= _MAX_PAGES:
            sock.close()  # whoever asks for pages must not take the descriptors that calls need
            return
        connection = PageConnection(self.loop, pages, self._pages_open.discard, takes_posts)
        self._pages_open.add(connection)
        connection.attach(Stream(self.loop, sock, connection))

    def _sweep(self) -> None:
        """Act on passed deadlines; a quarter of a second late is early enough for them."""
        now = time.monotonic()
        for connection in list(self._connections):
            if connection.deadline is not None and connection.deadline <= now:
                try:
                    connection.timed_out()
                except Exception as error:  # one connection's bug must not stop the others
                    sys.stderr.write(f"internal error at a deadline: {error!r}\n")
                    connection.close()
        idle = self.guards.pool_idle_timeout_ms / 1000
        for cluster in (*self._enforced.clusters.values(), *self._enforced.apps.values()):
            cluster.close_idle(now, idle)
        if self.tracer is not None and self.tracer.exporter is not None:
            self.tracer.exporter.cluster.close_idle(now, idle)
        if self.draining:
            self._close_idle_clients()
        else:
            self._accept_clients(len(self._connections) < self.guards.max_connections)
        self.loop.call_later(_SWEEP_SECONDS, self._sweep)

    def _flush_log(self) -> None:
        if self._log is not None:
            self._log.flush()
        self.loop.call_later(_LOG_FLUSH_SECONDS, self._flush_log)

    def _drain(self) -> None:
        if self.draining:
            return
        self.draining = True
        for name in self._client_listeners:
            if name in self._listeners:
                self._listeners[name].close()
        self._close_idle_clients()
        if self._connections:
            self.loop.call_later(self._drain_seconds, self._stop_loop)
        else:
            self._stop_loop()

    def _stop_loop(self) -> None:
        """Stop, once the collector has the last spans or does not take them in time."""
        exporter = None if self.tracer is None else self.tracer.exporter
        if exporter is None or not exporter.pending:
            self.loop.stop()
            return
        exporter.finish(self.loop.stop)
        self.loop.call_later(_LAST_SPANS_SECONDS, self.loop.stop)

    def _close_idle_clients(self) -> None:
        for connection in list(self._connections):
            connection.drain()

    def _close(self) -> None:
        for connection in list(self._connections):
            connection.give_up("the proxy stops")
        for page in list(self._pages_open):
            page.close()
        for listener in self._listeners.values():
            listener.close()
        enforced = getattr(self, "_enforced", None)
        if enforced is not None:
            for cluster in (*enforced.clusters.values(), *enforced.apps.values()):
                cluster.close_all()
        if self.tracer is not None and self.tracer.exporter is not None:
            self.tracer.exporter.cluster.close_all()
        self._resolver.stop()
        if self._log is not None:
            self._log.close()
        self.loop.close()
