"""A connection to an endpoint: found, connected to, proven to be whom it must be; what is spoken comes after."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from meshc_runtime.loop import Loop, Timer
from meshc_runtime.retry import TryFailure
from meshc_runtime.stream import Stream
from meshc_runtime.tls import IdentityError
from meshc_runtime.tls_layer import TlsLayer

if TYPE_CHECKING:
    from meshc_runtime.endpoint import Endpoint

MAX_CONNECTIONS = 1024


class LinkCluster(Protocol):
    """What a connection needs to know of the cluster that it belongs to."""

    loop: Loop
    context: ssl.SSLContext | None
    server_name: str | None
    verify: Callable[[ssl.SSLObject], None]
    connect_timeout: float
    open: int

    def released(self, endpoint: Endpoint) -> None:
        """A connection to an endpoint is free, or gone."""

    def stop_waiting(self, link: UpstreamLink) -> None:
        """Look for no address any more."""


class UpstreamLink:
    """One connection of a cluster, from the search for its address to its end; subclasses speak on it."""

    def __init__(self, cluster: LinkCluster) -> None:
        self.ready = False
        self.idle_since = 0.0
        self._cluster = cluster
        self._endpoint: Endpoint | None = None
        self._stream: Stream | None = None
        self._timer: Timer | None = None

    @property
    def endpoint(self) -> Endpoint | None:
        """The endpoint that it goes to, once one is known."""
        return self._endpoint

    @property
    def address(self) -> str:
        """Where it goes, for the log; empty while no address is known."""
        return "" if self._endpoint is None else self._endpoint.text

    def open(self, endpoint: Endpoint) -> None:
        """Start to connect."""
        cluster = self._cluster
        self._endpoint = endpoint
        self.placed(endpoint)
        if cluster.open >= MAX_CONNECTIONS:
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
            tls = TlsLayer(
                cluster.context, server_side=False, server_name=cluster.server_name, resumed=endpoint.session
            )
        error = sock.connect_ex(endpoint.address)
        if error not in (0, errno.EINPROGRESS):
            sock.close()
            self.fail_soon(TryFailure.CONNECT_FAILURE, "connect failed")
            return
        cluster.open += 1
        endpoint.links += 1
        self._stream = Stream(cluster.loop, sock, self, tls=tls, connecting=True)
        if self._timer is None:
            self.limit_connecting()

    def limit_connecting(self) -> None:
        """Give up after the cluster's connect timeout, the search for an address included."""
        self._timer = self._cluster.loop.call_later(
            self._cluster.connect_timeout,
            lambda: self.fail(TryFailure.CONNECT_FAILURE, "connect timeout"),
            self,
        )

    def fail_soon(self, failure: TryFailure, reason: str) -> None:
        """Fail from the loop and not from within the user's call."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._cluster.loop.call_later(0, lambda: self.fail(failure, reason), self)

    def fail(self, failure: TryFailure, reason: str) -> None:
        """The connection cannot be made, or is broken."""
        if failure is TryFailure.CONNECT_FAILURE and self._endpoint is not None:
            self._endpoint.failing = True
        self.failed(failure, reason)

    def keep_session(self) -> None:
        """Remember the TLS session for the next connection; what the peer gives for that comes with its first bytes."""
        stream, endpoint = self._stream, self._endpoint
        if stream is not None and stream.tls is not None and endpoint is not None:
            endpoint.session = stream.tls.resumable or endpoint.session

    def discard(self) -> None:
        """Close the connection, wherever it is."""
        if self.ready:
            self.keep_session()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._cluster.stop_waiting(self)
        self.withdrawn()
        if self._stream is not None and not self._stream.closed:
            self._stream.close()
            self._closed()

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
                self.fail(TryFailure.CONNECT_FAILURE, f"TLS: {error}")
                return
        self.ready = True
        if self._endpoint is not None:
            self._endpoint.failing = False
        self.up(stream)

    def lost(self, reason: str) -> None:
        """The stream is gone."""
        self._closed()
        self.fail(TryFailure.RESET if self.ready else TryFailure.CONNECT_FAILURE, reason)

    def _closed(self) -> None:
        self._stream = None
        self._cluster.open -= 1
        if self._endpoint is not None:
            self._endpoint.links -= 1
            self._cluster.released(self._endpoint)

    def crashed(self, error: Exception) -> None:
        """A timer's call raised."""
        self.fail(TryFailure.RESET, f"internal error: {type(error).__name__}")

    # What each protocol does.

    def placed(self, endpoint: Endpoint) -> None:
        """An endpoint was chosen."""

    def withdrawn(self) -> None:
        """The connection is closed: the endpoint no longer counts it."""

    def up(self, stream: Stream) -> None:
        """The connection is up and proven."""

    def failed(self, failure: TryFailure, reason: str) -> None:
        """The connection is of no more use: tell its users."""

    def received(self, data: bytes) -> None:
        """Bytes of the peer."""

    def ended(self, clean: bool, /) -> None:
        """The peer sends no more."""

    def drained(self) -> None:
        """Written bytes have left."""
