"""HTTP/2 over real sockets by the `h2` library: a client that asks, and a server that answers as a script says."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from meshc_runtime.snapshot import CertificateFiles

Headers = tuple[tuple[str, str], ...]
SECONDS = 20.0
WINDOW = 1 << 20


@dataclass
class Message:
    """A request or a response as it came; `ended` when all of it did, `reset` with a code when it never will."""

    headers: Headers = ()
    body: bytes = b""
    trailers: Headers = ()
    interim: list[Headers] = field(default_factory=list)
    ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> int:
        return int(self.get(":status") or 0)

    def get(self, name: str) -> str | None:
        return next((value for key, value in (*self.headers, *self.trailers) if key == name), None)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


class ConnectionEnded(Exception):  # noqa: N818 - it may be what a test waits for
    """The other side ended the connection; `code` is that of its GOAWAY."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"ended ({code})")
        self.code = code


class Http2Peer:
    """One end over a socket; `messages` by stream are what the other end sent."""

    def __init__(self, sock: socket.socket, *, client: bool, window: int = WINDOW) -> None:
        self.sock = sock
        self.messages: dict[int, Message] = {}
        self.going_away: int | None = None
        config = h2.config.H2Configuration(client_side=client, header_encoding="latin-1")
        # What a test sends need not be right.
        config.validate_outbound_headers = False
        config.normalize_outbound_headers = False
        self.h2 = h2.connection.H2Connection(config)
        self.h2.local_settings = h2.settings.Settings(
            client=client, initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
        )
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(WINDOW)
        self.acknowledges = True
        self.flush()

    def flush(self) -> None:
        self.sock.sendall(self.h2.data_to_send())

    def read(self) -> list[h2.events.Event]:
        """Take some bytes, and what they say.

        Raises:
            ConnectionEnded: there are no more.
        """
        try:
            data = self.sock.recv(1 << 17)
        except (ConnectionResetError, ssl.SSLError):
            data = b""
        if not data:
            raise ConnectionEnded(self.going_away)
        events = self.h2.receive_data(data)
        for event in events:
            self._note(event)
        with contextlib.suppress(OSError):
            self.flush()
        return events

    def until(self, done: Callable[[], bool]) -> None:
        while not done():
            self.read()

    def end(self) -> int | None:
        """Wait for the end of the connection; the code of the other side's GOAWAY."""
        try:
            while True:
                self.read()
        except ConnectionEnded as ended:
            return ended.code

    def whole(self, stream: int) -> Message:
        """The message on a stream, when it is whole or reset."""
        self.until(lambda: stream in self.messages and (self.messages[stream].ended or self._was_reset(stream)))
        return self.messages[stream]

    def send(self, stream: int, body: bytes, *, end: bool = True) -> None:
        """Send a body as far as windows allow, and go on as they open."""
        while body:
            room = min(len(body), self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if room:
                self.h2.send_data(stream, body[:room])
                body = body[room:]
                self.flush()
            else:
                self.read()
                if self._was_reset(stream):
                    return
        if end:
            self.h2.end_stream(stream)
        self.flush()

    def _was_reset(self, stream: int) -> bool:
        return stream in self.messages and self.messages[stream].reset is not None

    def _note(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived() | h2.events.ResponseReceived():
                self._of(event.stream_id).headers = tuple(event.headers)  # type: ignore[arg-type]
            case h2.events.InformationalResponseReceived():
                self._of(event.stream_id).interim.append(tuple(event.headers))  # type: ignore[arg-type]
            case h2.events.TrailersReceived():
                self._of(event.stream_id).trailers = tuple(event.headers)  # type: ignore[arg-type]
            case h2.events.DataReceived():
                self._of(event.stream_id).body += event.data
                if self.acknowledges and event.flow_controlled_length:
                    with contextlib.suppress(h2.exceptions.ProtocolError):
                        self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                self._of(event.stream_id).ended = True
            case h2.events.StreamReset():
                self._of(event.stream_id).reset = int(event.error_code or 0)
            case h2.events.ConnectionTerminated():
                self.going_away = int(event.error_code or 0)
                if not self.going_away:  # the library takes nothing any more, but what runs is still answered
                    states = h2.connection.ConnectionState
                    self.h2.state_machine.state = states.CLIENT_OPEN if self.h2.config.client_side else states.IDLE
            case _:
                pass

    def _of(self, stream: int | None) -> Message:
        assert stream is not None
        return self.messages.setdefault(stream, Message())


class Http2Wire(Http2Peer):
    """A client on a connection of its own, cleartext or mutual TLS."""

    def __init__(
        self,
        address: str | tuple[str, int],
        *,
        identity: CertificateFiles | None = None,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        alpn: bool = True,
        window: int = WINDOW,
    ) -> None:
        if isinstance(address, str):
            host, _, port = address.rpartition(":")
            address = (host, int(port))
        sock: socket.socket = socket.create_connection(address, SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if identity is not None:
                from support.proxy_wire import client_context

                tls = client_context(identity)
            if tls is not None:
                if alpn:
                    tls.set_alpn_protocols(["h2"])
                sock = tls.wrap_socket(sock, server_hostname=server_name)
            super().__init__(sock, client=True, window=window)
        except BaseException:
            sock.close()
            raise

    def __enter__(self) -> Http2Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sock.close()

    def begin(
        self, method: str, path: str, host: str, headers: Iterable[tuple[str, str]] = (), *, end: bool = True
    ) -> int:
        """Send a request's head; the number of its stream."""
        stream: int = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "http"), (":authority", host), (":path", path), *headers]
        self.h2.send_headers(stream, head, end_stream=end)
        self.flush()
        return stream

    def ask(
        self,
        method: str,
        path: str,
        host: str,
        headers: Iterable[tuple[str, str]] = (),
        *,
        body: bytes | None = None,
        trailers: Iterable[tuple[str, str]] = (),
    ) -> Message:
        """One request and its whole response."""
        after = list(trailers)
        stream = self.begin(method, path, host, headers, end=body is None and not after)
        if body is not None:
            self.send(stream, body, end=not after)
        if after:
            self.h2.send_headers(stream, after, end_stream=True)
            self.flush()
        return self.whole(stream)


Answering = Callable[[Http2Peer, int, Message], None]


def respond(
    peer: Http2Peer, stream: int, status: int, headers: Headers = (), body: bytes = b"", trailers: Headers = ()
) -> None:
    """Send a whole response."""
    end = not body and not trailers
    peer.h2.send_headers(stream, [(":status", str(status)), *headers], end_stream=end)
    peer.flush()
    if not end:
        peer.send(stream, body, end=not trailers)
        if trailers:
            peer.h2.send_headers(stream, list(trailers), end_stream=True)
            peer.flush()


def serve_http2(sock: socket.socket, answer: Answering, first: bytes = b"") -> None:
    """Answer requests when they are whole, until the client closes. `first` was read before."""
    peer = Http2Peer(sock, client=False)
    answered: set[int] = set()

    def look() -> None:
        for stream, message in list(peer.messages.items()):
            if message.ended and stream not in answered and message.reset is None:
                answered.add(stream)
                answer(peer, stream, message)

    with contextlib.suppress(ConnectionEnded, h2.exceptions.ProtocolError, OSError):
        if first:
            for event in peer.h2.receive_data(first):
                peer._note(event)
            peer.flush()
        while True:
            look()
            peer.read()
