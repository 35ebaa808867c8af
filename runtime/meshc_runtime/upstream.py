"""Connections to the other side: clusters of endpoints, pools of idle connections, responses read strictly."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable, Collection
from typing import Protocol

from meshc_runtime.balance import Rotation
from meshc_runtime.http1_body import BodyDecoder, CloseBody, body_decoder
from meshc_runtime.http1_head import HttpError, ResponseHead, find_head_end, parse_response_head
from meshc_runtime.loop import Loop, Timer
from meshc_runtime.resolve import Resolver, is_literal
from meshc_runtime.retry import RetryBudget, TryFailure
from meshc_runtime.snapshot import Cluster
from meshc_runtime.stream import Stream
from meshc_runtime.tls import IdentityError
from meshc_runtime.tls_layer import TlsLayer

_MAX_CONNECTIONS = 1024
_MAX_INTERIM = 16


class UpstreamUser(Protocol):
    """A request that uses a connection; after `upstream_failed` and `upstream_finished` it no longer does."""

    def upstream_ready(self) -> None:
        """The connection is up and proven; the request may be written."""

    def upstream_failed(self, failure: TryFailure, reason: str) -> None:
        """The connection is gone without a whole response."""

    def upstream_head(self, head: ResponseHead) -> None:
        """The response's head."""

    def upstream_body(self, payload: bytes) -> None:
        """Some of the response's body."""

    def upstream_finished(self) -> None:
        """The response is whole."""

    def upstream_flush(self) -> None:
        """Nothing more is at hand for now."""

    def upstream_drained(self) -> None:
        """The request's bytes have left, after congestion."""


class Endpoint:
    """One address of a cluster, its idle connections and how many requests it runs.

    It is `failing` from a connection that could not be made to the next one that could.
    """

    __slots__ = ("active", "address", "failing", "idle", "present")

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.idle: list[UpstreamConnection] = []
        self.active = 0
        self.failing = False
        self.present = True

    @property
    def text(self) -> str:
        """The address as `host:port`."""
        host, port = self.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class UpstreamCluster:
    """The endpoints that answer for one cluster.

    `verify` checks the peer of a finished handshake and raises IdentityError; null context means bare TCP.
    """

    def __init__(
        self,
        loop: Loop,
        cluster: Cluster,
        *,
        context: ssl.SSLContext | None,
        server_name: str | None,
        verify: Callable[[ssl.SSLObject], None],
        resolver: Resolver,
    ) -> None:
        self.loop = loop
        self.name = cluster.name
        self.budget = RetryBudget()
        self.context = context
        self.server_name = server_name
        self.verify = verify
        self.connect_timeout = cluster.connect_timeout_ms / 1000
        self.open = 0
        self.waiting: list[UpstreamConnection] = []
        self._rotation = Rotation()
        self._found: dict[tuple[str, int], list[str]] = {}
        self._unanswered = 0
        self.endpoints: list[Endpoint] = []
        for endpoint in cluster.endpoints:
            place = (endpoint.host, endpoint.port)
            if is_literal(endpoint.host):
                self._found[place] = [endpoint.host]
            else:
                self._found[place] = []
                self._unanswered += 1
        self._rebuild()
        for host, port in self._found:
            if not is_literal(host):
                resolver.watch(host, self._answer_for(host, port))

    def acquire(self, user: UpstreamUser, method: str, avoid: Collection[str] = ()) -> UpstreamConnection:
        """A connection for one request: an idle one, or one that will tell its user when it is ready.

        Endpoints to `avoid` (as `host:port`) are passed over while there is another.
        """
        if self.endpoints:
            endpoint = self._choose(avoid)
            if endpoint.idle:
                connection = endpoint.idle.pop()
                connection.begin(user, method)
                return connection
            connection = UpstreamConnection(self, user, method)
            connection.open(endpoint)
            return connection
        connection = UpstreamConnection(self, user, method)
        if self._unanswered:
            self.waiting.append(connection)
            connection.limit_connecting()
        else:
            connection.fail_soon(TryFailure.CONNECT_FAILURE, "no endpoints")
        return connection

    def close_idle(self, before: float) -> None:
        """Close the pooled connections that have been idle since before this time."""
        for endpoint in self.endpoints:
            for connection in list(endpoint.idle):
                if connection.idle_since < before:
                    connection.discard()

    def _answer_for(self, host: str, port: int) -> Callable[[list[str]], None]:
        first = True

        def answered(addresses: list[str]) -> None:
            nonlocal first
            if first:
                first = False
                self._unanswered -= 1
            if addresses and addresses != self._found[(host, port)]:
                self._found[(host, port)] = addresses
                self._rebuild()
            if self.endpoints or not self._unanswered:
                waiting, self.waiting = self.waiting, []
                for connection in waiting:
                    if self.endpoints:
                        connection.open(self._choose())
                    else:
                        connection.fail_soon(TryFailure.CONNECT_FAILURE, "name does not resolve")

        return answered

    def _choose(self, avoid: Collection[str] = ()) -> Endpoint:
        endpoints = self.endpoints
        others = [known for known in endpoints if known.text not in avoid] if avoid else []
        if others:
            return min(others, key=lambda known: known.active)
        loads = [known.active for known in endpoints]
        busiest = max(loads)
        if busiest:
            # What cannot be reached runs nothing, and must not for that get the turns of the others.
            loads = [busiest if known.failing else known.active for known in endpoints]
        return endpoints[self._rotation.choose(loads)]

    def _rebuild(self) -> None:
        known = {endpoint.address: endpoint for endpoint in self.endpoints}
        wanted = [(address, place[1]) for place, addresses in self._found.items() for address in addresses]
        self.endpoints = [
            known.pop(address) if address in known else Endpoint(address) for address in dict.fromkeys(wanted)
        ]
        for endpoint in known.values():
            endpoint.present = False
            for connection in list(endpoint.idle):
                connection.discard()


class UpstreamConnection:
    """One connection to an endpoint: connecting, then serving one request after another."""

    def __init__(self, cluster: UpstreamCluster, user: UpstreamUser, method: str) -> None:
        self._cluster = cluster
        self._user: UpstreamUser | None = user
        self._method = method
        self._endpoint: Endpoint | None = None
        self._stream: Stream | None = None
        self._timer: Timer | None = None
        self._buffer = b""
        self._scanned = 0
        self._interim = 0
        self._head: ResponseHead | None = None
        self._decoder: BodyDecoder | None = None
        self._request_complete = False
        self._counted = False
        self.ready = False
        self.idle_since = 0.0

    @property
    def address(self) -> str:
        """Where it goes, for the log; empty while no address is known."""
        return "" if self._endpoint is None else self._endpoint.text

    def open(self, endpoint: Endpoint) -> None:
        """Start to connect."""
        cluster = self._cluster
        self._endpoint = endpoint
        self._counted = True
        endpoint.active += 1
        if cluster.open >= _MAX_CONNECTIONS:
            self.fail_soon(TryFailure.OVERFLOW, "too many connections")
            return
        host, _ = endpoint.address
        try:
            sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        except OSError:
            self.fail_soon(TryFailure.OVERFLOW, "no descriptors left")
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls = None
        if cluster.context is not None:
            tls = TlsLayer(cluster.context, server_side=False, server_name=cluster.server_name)
        error = sock.connect_ex(endpoint.address)
        if error not in (0, errno.EINPROGRESS):
            sock.close()
            self.fail_soon(TryFailure.CONNECT_FAILURE, "connect failed")
            return
        cluster.open += 1
        self._stream = Stream(cluster.loop, sock, self, tls=tls, connecting=True)
        if self._timer is None:
            self.limit_connecting()

    def limit_connecting(self) -> None:
        """Give up after the cluster's connect timeout, the search for an address included."""
        self._timer = self._cluster.loop.call_later(
            self._cluster.connect_timeout,
            lambda: self._fail(TryFailure.CONNECT_FAILURE, "connect timeout"),
            self,
        )

    def fail_soon(self, failure: TryFailure, reason: str) -> None:
        """Fail from the loop and not from within the user's call."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._cluster.loop.call_later(0, lambda: self._fail(failure, reason), self)

    def begin(self, user: UpstreamUser, method: str) -> None:
        """Take an idle connection for a request."""
        self._user = user
        self._method = method
        self._head = None
        self._decoder = None
        self._buffer = b""
        self._scanned = 0
        self._interim = 0
        self._request_complete = False
        if self._endpoint is not None:
            self._counted = True
            self._endpoint.active += 1

    def write(self, data: bytes) -> bool:
        """Send some of the request; false when the peer is slow and `upstream_drained` will follow."""
        if self._stream is None:
            return True
        self._stream.write(data)
        return not self._stream.congested

    def end_request(self) -> None:
        """The whole request is written; without this the connection is never used again."""
        self._request_complete = True

    def pause(self) -> None:
        """Read no more of the response for now."""
        if self._stream is not None:
            self._stream.pause()

    def resume(self) -> None:
        """Read the response again."""
        if self._stream is not None:
            self._stream.resume()

    def abort(self) -> None:
        """The user no longer wants an answer; the connection is of no more use."""
        self._user = None
        self.discard()

    def discard(self) -> None:
        """Close the connection, wherever it is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self in self._cluster.waiting:
            self._cluster.waiting.remove(self)
        self._release()
        endpoint = self._endpoint
        if endpoint is not None and self in endpoint.idle:
            endpoint.idle.remove(self)
        if self._stream is not None and not self._stream.closed:
            self._stream.close()
            self._cluster.open -= 1
            self._stream = None

    def connected(self) -> None:
        """The stream is up: see that the peer is who it must be."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        stream = self._stream
        if stream is None:
            return
        if stream.tls is not None:
            try:
                self._cluster.verify(stream.tls.session)
            except IdentityError as error:
                self._fail(TryFailure.CONNECT_FAILURE, f"TLS: {error}")
                return
        self.ready = True
        if self._endpoint is not None:
            self._endpoint.failing = False
        if self._user is not None:
            self._user.upstream_ready()

    def received(self, data: bytes) -> None:
        """Bytes of the response; bytes nobody asked for end an idle connection."""
        user = self._user
        if user is None:
            self.discard()
            return
        try:
            self._take(user, data)
        except HttpError as error:
            self._fail(TryFailure.PROTOCOL_ERROR, error.reason)
        if self._user is user:
            user.upstream_flush()

    def ended(self, clean: bool, /) -> None:
        """The peer sends no more: the end of the body only where the head said so."""
        decoder = self._decoder
        if self._user is None:
            self.discard()
        elif isinstance(decoder, CloseBody) and clean:
            decoder.end()
            self._finish(b"")
        else:
            self._fail(TryFailure.RESET, "connection closed by upstream")

    def drained(self) -> None:
        """Written bytes have left."""
        if self._user is not None:
            self._user.upstream_drained()

    def lost(self, reason: str) -> None:
        """The stream is gone."""
        self._cluster.open -= 1
        self._stream = None
        self._fail(TryFailure.RESET if self.ready else TryFailure.CONNECT_FAILURE, reason)

    def crashed(self, error: Exception) -> None:
        """A timer's call raised."""
        self._fail(TryFailure.RESET, f"internal error: {type(error).__name__}")

    def _take(self, user: UpstreamUser, data: bytes) -> None:
        while self._decoder is None:
            self._buffer = self._buffer + data if self._buffer else data
            end = _response_head_end(self._buffer, self._scanned)
            if end < 0:
                self._scanned = len(self._buffer)
                return
            head = parse_response_head(self._buffer[:end], self._method)
            data, self._buffer, self._scanned = self._buffer[end:], b"", 0
            if head.status < 200:
                self._interim += 1
                if head.status == 101 or self._interim > _MAX_INTERIM:
                    raise HttpError(502, "unexpected interim response")
                if not data:
                    return
                continue
            self._head = head
            self._decoder = body_decoder(head.length)
            user.upstream_head(head)
            if self._user is not user:
                return
        payload, rest = self._decoder.feed(data)
        if payload:
            user.upstream_body(payload)
        if self._user is user and self._decoder.done:
            self._finish(rest)

    def _finish(self, rest: bytes) -> None:
        user, self._user = self._user, None
        self._release()
        stream, endpoint, head = self._stream, self._endpoint, self._head
        reusable = head is not None and head.keep_alive and self._request_complete and not rest
        if reusable and stream is not None and endpoint is not None and endpoint.present:
            stream.resume()
            self.idle_since = self._cluster.loop.now
            endpoint.idle.append(self)
        else:
            self.discard()
        if user is not None:
            user.upstream_finished()

    def _fail(self, failure: TryFailure, reason: str) -> None:
        if failure is TryFailure.CONNECT_FAILURE and self._endpoint is not None:
            self._endpoint.failing = True
        user, self._user = self._user, None
        self.discard()
        if user is not None:
            user.upstream_failed(failure, reason)

    def _release(self) -> None:
        if self._counted and self._endpoint is not None:
            self._endpoint.active -= 1
        self._counted = False


def _response_head_end(buffer: bytes, scanned: int) -> int:
    try:
        return find_head_end(buffer, scanned)
    except HttpError as error:
        raise HttpError(502, f"response: {error.reason}") from None
