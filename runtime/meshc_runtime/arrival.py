"""A connection that has just come: who it is, and what it speaks; then it is handed to those who speak that."""

from __future__ import annotations

from meshc_runtime.call import ClientConnection, ClientRegistry, Side, refuse_connection
from meshc_runtime.client_http1 import Http1Client
from meshc_runtime.client_http2 import Http2Client
from meshc_runtime.http2_frame import PREFACE
from meshc_runtime.judge import RefusedConnectionError
from meshc_runtime.stream import Stream
from meshc_runtime.tcp_relay import TcpRelay

_H2 = "h2"


class Arrival:
    """A client's connection until its first bytes."""

    def __init__(self, registry: ClientRegistry, side: Side) -> None:
        self.side = side
        self.deadline: float | None = registry.loop.now + registry.guards.handshake_timeout_ms / 1000
        self._registry = registry
        self._stream: Stream | None = None
        self._greeted = False
        self._first = b""

    def attach(self, stream: Stream) -> None:
        """Begin, on a stream whose owner this is; one without TLS is up already."""
        self._stream = stream
        if stream.established:
            self.connected()

    def connected(self) -> None:
        """The stream is up: see who it is, and what was agreed on to speak."""
        stream = self._stream
        if stream is None:
            return
        try:
            self.side.greet(stream)
        except RefusedConnectionError as error:
            self._refuse(error.kind, str(error))
            return
        self._greeted = True
        if self.side.opaque:
            relay = TcpRelay(self._registry, self.side, stream)
            self._hand_over(stream, relay)
            relay.begin()
            return
        agreed = None if stream.tls is None else stream.tls.session.selected_alpn_protocol()
        if agreed == _H2:
            self._hand_over(stream, Http2Client(self._registry, self.side, stream))
        elif agreed is not None:
            self._hand_over(stream, Http1Client(self._registry, self.side, stream))
        else:
            self.deadline = self._registry.loop.now + self._registry.guards.idle_timeout_ms / 1000

    def received(self, data: bytes) -> None:
        """The first bytes: the preface of HTTP/2, or HTTP/1.1."""
        stream = self._stream
        if stream is None:
            return
        first = self._first + data
        if len(first) < len(PREFACE) and PREFACE.startswith(first):
            if not self._first:
                self.deadline = self._registry.loop.now + self._registry.guards.head_timeout_ms / 1000
            self._first = first
            return
        client: Http1Client | Http2Client
        if first.startswith(PREFACE):
            client = Http2Client(self._registry, self.side, stream)
        else:
            client = Http1Client(self._registry, self.side, stream)
        self._hand_over(stream, client)
        client.received(first)

    def ended(self, clean: bool, /) -> None:
        """The client sends no more: what it has sent is no request, or no whole one."""
        del clean
        self.close()

    def drained(self) -> None:
        """Nothing was written."""

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        if self._greeted:
            self.close()
        else:
            self._refuse("handshake", reason)

    def timed_out(self) -> None:
        """The deadline has passed."""
        self.deadline = None
        if not self._greeted:
            self._refuse("timeout", "handshake timeout")
        elif self._first and self._stream is not None:
            stream = self._stream
            client = Http1Client(self._registry, self.side, stream)
            self._hand_over(stream, client)
            client.head_timed_out()
        else:
            self.close()

    def drain(self) -> None:
        """Nothing runs here."""
        if self._greeted:
            self.close()

    def close(self) -> None:
        """Close now."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
            self._registry.closed(self)

    def give_up(self, reason: str) -> None:
        """Close now; there is no request to log."""
        del reason
        self.close()

    def _hand_over(self, stream: Stream, client: Http1Client | Http2Client | TcpRelay) -> None:
        self._stream = None
        stream.owner = client
        after: ClientConnection = client
        self._registry.replaced(self, after)

    def _refuse(self, kind: str, reason: str) -> None:
        refuse_connection(self._registry, self.side, kind, reason)
        self.close()
