"""Connections of a client that keeps them: most of a question's time is otherwise its TLS handshake.

A request for which a kept connection has no answer is asked once more over a new one, as the other side may have closed
the old one meanwhile. What comes behind an answer, before the next request is sent, is an answer to nothing.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass, field
from typing import Any

from support.agreement_client import PATIENCE, Answer, Message, as_fields, exchange, exchange_http2, uri_names
from support.http2_peer import ConnectionEnded, Http2Wire

_Key = tuple[Any, ...]


@dataclass(eq=False, slots=True)
class _Kept:
    socket: socket.socket
    buffer: bytearray = field(default_factory=bytearray)

    def line(self) -> bytes:
        """Return the next line; ConnectionError where there is none."""
        while b"\n" not in self.buffer:
            self.fill()
        line, _, rest = bytes(self.buffer).partition(b"\n")
        self.buffer[:] = rest
        return line.rstrip(b"\r")

    def take(self, length: int) -> bytes:
        while len(self.buffer) < length:
            self.fill()
        taken = bytes(self.buffer[:length])
        del self.buffer[:length]
        return taken

    def fill(self) -> None:
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionError("closed without an answer")
        self.buffer += chunk

    def has_more(self) -> bool:
        """Tell whether something has come that nobody asked for, the other side's farewell included."""
        if self.buffer:
            return True
        self.socket.settimeout(0)
        try:
            self.buffer += self.socket.recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            self.socket.settimeout(PATIENCE)
        return True


class Connections:
    """What a client keeps open to the proxies of a mesh; safe for threads. Close it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[_Key, list[Any]] = {}

    def exchange(
        self,
        address: tuple[str, int],
        request: bytes,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        server_identity: str | None = None,
    ) -> Answer:
        """Send one request and read its answer, as `agreement_client.exchange` does."""
        key = (address, id(tls), server_name, server_identity)
        kept = self._taken(key)
        if kept is not None:
            if kept.has_more():
                kept.socket.close()
                if kept.buffer:
                    return Answer(None, f"an answer to nothing: {bytes(kept.buffer[:80])!r}")
            else:
                answer = self._ask(key, kept, request)
                if answer is not None:
                    return answer
        try:
            kept = _Kept(_connected(address, tls, server_name))
        except OSError:
            kept = None
        if kept is not None:
            if server_identity is not None and server_identity not in uri_names(kept.socket):
                kept.socket.close()
                return Answer(None, f"the server is not {server_identity}")
            answer = self._ask(key, kept, request)
            if answer is not None:
                return answer
        # Whatever goes wrong is told in the words of the client that keeps nothing.
        return exchange(address, request, tls=tls, server_name=server_name, server_identity=server_identity)

    def exchange_http2(
        self,
        address: tuple[str, int],
        message: Message,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
    ) -> Answer:
        """Send one request as HTTP/2, as `agreement_client.exchange_http2` does."""
        key = ("h2", address, id(tls), server_name)
        wire = self._taken(key)
        if wire is None:
            try:
                wire = Http2Wire(address, tls=tls, server_name=server_name, alpn=False)
            except (OSError, ConnectionEnded):
                return exchange_http2(address, message, tls=tls, server_name=server_name)
        method, target, host, headers, body = message
        try:
            got = wire.ask(method, target, host, as_fields(headers), body=body or None)
        except (OSError, ConnectionEnded):
            got = None
        if got is None or not got.ended or not got.status:
            wire.sock.close()
            return exchange_http2(address, message, tls=tls, server_name=server_name)
        self._put_back(key, wire)
        return Answer(got.status, "", (*got.headers, *got.trailers), got.body)

    def close(self) -> None:
        """Close what is open."""
        with self._lock:
            for one in (one for kept in self._idle.values() for one in kept):
                (one.sock if isinstance(one, Http2Wire) else one.socket).close()
            self._idle.clear()

    def _taken(self, key: _Key) -> Any:
        with self._lock:
            idle = self._idle.get(key)
            return idle.pop() if idle else None

    def _put_back(self, key: _Key, kept: Any) -> None:
        with self._lock:
            self._idle.setdefault(key, []).append(kept)

    def _ask(self, key: _Key, kept: _Kept, request: bytes) -> Answer | None:
        """Return the answer over an open connection; None where none comes."""
        try:
            kept.socket.sendall(request)
            answer = _read(kept, is_head=request.startswith(b"HEAD "))
        except (OSError, ValueError):
            kept.socket.close()
            return None
        if answer.reason:
            kept.socket.close()
            return Answer(answer.status, "", answer.headers, answer.body)
        self._put_back(key, kept)
        return answer


def _connected(address: tuple[str, int], tls: ssl.SSLContext | None, server_name: str | None) -> socket.socket:
    plain = socket.create_connection(address, timeout=PATIENCE)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls is None:
        return plain
    try:
        return tls.wrap_socket(plain, server_hostname=server_name)
    except OSError:
        plain.close()
        raise


def _read(kept: _Kept, *, is_head: bool) -> Answer:
    """Return the next answer; one with a reason is the last of its connection."""
    status = 100
    while status < 200:
        status = int(kept.line().split(b" ")[1])
        headers = []
        while line := kept.line():
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name.lower(), value.strip()))
    fields = dict(headers)
    last = "close" if "close" in fields.get("connection", "").lower() else ""
    body = b""
    if not is_head and status not in {204, 304}:
        if "content-length" in fields:
            body = kept.take(int(fields["content-length"]))
        elif fields.get("transfer-encoding", "").lower() == "chunked":
            while length := int(kept.line(), 16):
                body += kept.take(length)
                kept.line()
            kept.line()
        else:
            last = "close"
            with contextlib.suppress(OSError):
                while True:
                    kept.fill()
            body = bytes(kept.buffer)
    return Answer(status, last, tuple(headers), body)
