"""Stand-in workloads on loopback: they write down every request that reaches them, and misbehave on command.

A request is recorded under its `x-agreement-id`. `x-agreement-do` is a script with one word for each try, the last of
which repeats: `NNN` answers that status, `gate-NAME-NNN` does so once the gate is opened, `late` answers 200 after
`LATE` seconds, `stall` holds the request until it is released, `close` ends the connection without an answer, `reset`
ends it by RST, `garbage` answers something that is not HTTP, `switch` takes up the protocol asked for and sends
back what comes.

A connection that begins with the preface of HTTP/2 is spoken to so. There `grpc-N` answers a call of gRPC with that
status and nothing else, `refused` refuses the stream, `reset` resets it, and a body is sent back, with trailers if it
has a type.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from dataclasses import dataclass
from typing import Final

from support.http2_peer import Http2Peer, Message, respond, serve_http2

ID_HEADER: Final = "x-agreement-id"
SCRIPT_HEADER: Final = "x-agreement-do"

LATE: Final = 16.0
"""Longer than any time that a proxy limits calls to by itself: Envoy's is 15 s."""

_LONGEST_STALL: Final = 40.0
_TLS_HANDSHAKE: Final = 22
"""The first byte of a TLS client, which a stand-in in plain text hangs up on (RFC 8446 §5.1)."""
_LARGEST_HEAD: Final = 256 * 1024


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A stand-in: whose workload it stands for, which version of it, on which of its ports."""

    service: str
    version: str | None
    port: int

    def __str__(self) -> str:
        version = f"/{self.version}" if self.version else ""
        return f"{self.service}{version}:{self.port}"


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came in. `target` and header values are bytes read as Latin-1."""

    place: Place
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def members(self, name: str) -> str | None:
        """Return the header's lines joined by `, `; None where there is no line."""
        lines = [value for key, value in self.headers if key == name]
        return ", ".join(lines) if lines else None


class Recorder:
    """All stand-ins of one mesh and what they have received. Close it: it owns sockets and threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received: dict[str, list[Received]] = {}
        self._connections_taken: dict[Place, int] = {}
        self._released: dict[str, threading.Event] = {}
        self._open: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._listeners: list[socket.socket] = []
        self._closed = False

    def listen(self, place: Place, address: tuple[str, int], tls: ssl.SSLContext | None = None) -> None:
        """Open a stand-in at an address; with `tls` it ends TLS itself."""
        listener = socket.create_server(address, backlog=256)
        self._listeners.append(listener)
        self._start(self._accept, listener, place, tls, None)

    def hang_up(self, place: Place, address: tuple[str, int]) -> None:
        """Open a place that closes every connection at once, and counts them (`connections`)."""
        listener = socket.create_server(address, backlog=256)
        self._listeners.append(listener)
        self._start(self._accept, listener, place, None, 0)

    def received(self, number: str) -> tuple[Received, ...]:
        """Return the tries of one request so far, in order."""
        with self._lock:
            return tuple(self._received.get(number, ()))

    def total(self, service: str) -> int:
        """Return how many tries a service has got so far."""
        with self._lock:
            return sum(one.place.service == service for tries in self._received.values() for one in tries)

    def connections(self, place: Place) -> int:
        """Return how many connections the place has taken."""
        with self._lock:
            return self._connections_taken.get(place, 0)

    def release(self, number: str) -> None:
        """End all stalls of a request."""
        self._release_of(number).set()

    def open_gate(self, name: str) -> None:
        """Let all tries answer that wait at a gate, and all that come to it."""
        self._release_of(f"gate {name}").set()

    def close(self) -> None:
        """Close every socket and wait for every thread."""
        self._closed = True
        for listener in self._listeners:
            _shut(listener)
        with self._lock:
            events = list(self._released.values())
            sockets = list(self._open)
        for event in events:
            event.set()
        for connection in sockets:
            _shut(connection)
        while True:
            with self._lock:
                threads = [thread for thread in self._threads if thread is not threading.current_thread()]
            if not threads:
                break
            for thread in threads:
                thread.join(timeout=5)
                with self._lock:
                    self._threads.discard(thread)

    # -- inside

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=self._guarded, args=(target, *arguments), daemon=True)
        with self._lock:
            self._threads.add(thread)
        thread.start()

    def _guarded(self, target: object, *arguments: object) -> None:
        try:
            with contextlib.suppress(OSError, ValueError):  # a peer that went away is its own affair
                target(*arguments)  # type: ignore[operator]
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _accept(self, listener: socket.socket, place: Place, tls: ssl.SSLContext | None, answers: int | None) -> None:
        with listener:
            while not self._closed:
                connection, _ = listener.accept()
                with self._lock:
                    self._connections_taken[place] = self._connections_taken.get(place, 0) + 1
                if answers == 0 or self._closed:
                    connection.close()
                else:
                    self._start(self._serve, connection, place, tls)

    def _serve(self, plain: socket.socket, place: Place, tls: ssl.SSLContext | None) -> None:
        connection = plain
        with self._lock:
            self._open.add(plain)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(_LONGEST_STALL)
            if tls is not None:
                connection = tls.wrap_socket(plain, server_side=True)
                with self._lock:
                    self._open.discard(plain)
                    self._open.add(connection)
            buffer = bytearray(connection.recv(65536))
            if buffer.startswith(b"PRI * HTTP/2.0"):
                self._serve_http2(connection, place, bytes(buffer))
                return
            while not self._closed and self._answer_one(connection, place, buffer):
                pass
        finally:
            with self._lock:
                self._open.discard(plain)
                self._open.discard(connection)
            connection.close()
            plain.close()

    def _answer_one(self, connection: socket.socket, place: Place, buffer: bytearray) -> bool:
        """Answer one request; tell whether the connection stays open."""
        head = _read_head(connection, buffer)
        if head is None:
            return False
        request_line, headers = head
        method, target, _ = request_line.split(" ", 2)
        fields = dict(headers)
        body = _read_body(connection, buffer, fields)
        number = fields.get(ID_HEADER, "")
        with self._lock:
            tries = self._received.setdefault(number, [])
            script = fields.get(SCRIPT_HEADER, "200").split()
            action = script[min(len(tries), len(script) - 1)]
            tries.append(Received(place=place, method=method, target=target, headers=headers, body=body))
        if action == "stall":
            self._release_of(number).wait(_LONGEST_STALL)
            return False
        if action == "close":
            return False
        if action == "late":
            self._release_of("never").wait(LATE)
            action = "200"
        if action.startswith("gate-"):
            _, gate, action = action.split("-")
            self._release_of(f"gate {gate}").wait(_LONGEST_STALL)
        if action == "switch":
            kind = fields.get("upgrade", "nothing")
            connection.sendall(f"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: {kind}\r\n\r\n".encode())
            while piece := bytes(buffer) or connection.recv(65536):
                buffer.clear()
                connection.sendall(piece)
            return False
        if action == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if action == "garbage":
            connection.sendall(b"this is no answer\r\n\r\n")
            return False
        content = b"" if method == "HEAD" or action in {"204", "304"} else f"{place} stands in\n".encode()
        length = "" if action in {"204", "304"} else f"content-length: {len(content)}\r\n"
        answer = f"HTTP/1.1 {action} Status\r\n{length}x-agreement-place: {place}\r\n\r\n"
        connection.sendall(answer.encode() + content)
        return True

    def _serve_http2(self, connection: socket.socket, place: Place, first: bytes) -> None:
        def answer(peer: Http2Peer, stream: int, message: Message) -> None:
            plain = tuple((name, value) for name, value in message.headers if not name.startswith(":"))
            fields = dict(plain)
            number = fields.get(ID_HEADER, "")
            request = Received(
                place=place,
                method=message.get(":method") or "",
                target=message.get(":path") or "",
                headers=(("host", message.get(":authority") or ""), *plain),
                body=message.body,
            )
            with self._lock:
                tries = self._received.setdefault(number, [])
                script = fields.get(SCRIPT_HEADER, "200").split()
                action = script[min(len(tries), len(script) - 1)]
                tries.append(request)
            if action == "stall":
                self._release_of(number).wait(_LONGEST_STALL)
            elif action == "close":
                raise ConnectionError("as told")
            elif action in {"reset", "refused"}:
                peer.h2.reset_stream(stream, 7 if action == "refused" else 2)
                peer.flush()
            elif action.startswith("grpc-"):
                respond(peer, stream, 200, (("content-type", "application/grpc"), ("grpc-status", action[5:])))
            else:
                content = (
                    b""
                    if request.method == "HEAD" or action == "204"
                    else message.body or f"{place} stands in\n".encode()
                )
                kind = (("content-type", fields["content-type"]),) if "content-type" in fields else ()
                trailers = (("grpc-status", "0"), ("x-agreement-end", "1")) if kind else ()
                respond(peer, stream, int(action), (("x-agreement-place", str(place)), *kind), content, trailers)

        serve_http2(connection, answer, first)

    def _release_of(self, number: str) -> threading.Event:
        with self._lock:
            return self._released.setdefault(number, threading.Event())


def _read_head(connection: socket.socket, buffer: bytearray) -> tuple[str, tuple[tuple[str, str], ...]] | None:
    while b"\r\n\r\n" not in buffer:
        if len(buffer) > _LARGEST_HEAD:
            return None
        chunk = connection.recv(65536)
        if not chunk:
            return None
        buffer += chunk
        if buffer[0] == _TLS_HANDSHAKE:
            return None
    head, _, rest = bytes(buffer).partition(b"\r\n\r\n")
    buffer[:] = rest
    request_line, *lines = head.decode("latin-1").split("\r\n")
    headers = []
    for line in lines:
        name, _, value = line.partition(":")
        headers.append((name.lower(), value.strip(" \t")))
    return request_line, tuple(headers)


def _read_body(connection: socket.socket, buffer: bytearray, fields: dict[str, str]) -> bytes:
    """Read a body; a chunked one is returned with its framing."""
    if fields.get("transfer-encoding", "").lower() == "chunked":
        while b"0\r\n\r\n" not in buffer:
            _fill(connection, buffer)
        length = buffer.index(b"0\r\n\r\n") + 5
    else:
        length = int(fields.get("content-length", "0"))
    while len(buffer) < length:
        _fill(connection, buffer)
    body = bytes(buffer[:length])
    del buffer[:length]
    return body


def _fill(connection: socket.socket, buffer: bytearray) -> None:
    chunk = connection.recv(65536)
    if not chunk:
        raise ConnectionError("the request ended early")
    buffer += chunk


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    if connection.fileno() != -1:
        connection.close()
