"""A small application behind a sidecar: it tells back what it was asked, and misbehaves when told to.

A request is steered by its headers: `x-echo-status` is the status to answer, `x-echo-stall` the seconds to wait first,
`x-echo-close` closes the connection without an answer, `x-echo-garbage` answers something that is not HTTP,
`x-echo-header` is a header (`name: value`) of the answer. A test may also queue `Behaviour`s, which go before headers.
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import ssl
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Self


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What to do with one request."""

    status: int = 200
    stall: float = 0.0
    close: bool = False
    garbage: bool = False


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request as the application got it; header names in lower case, lines in order."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def get(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)


@dataclass
class _State:
    name: str
    seen: list[Seen] = field(default_factory=list)
    queue: deque[Behaviour] = field(default_factory=deque)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopping: threading.Event = field(default_factory=threading.Event)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: unbuffered writes meet delayed acknowledgements
    state: _State

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length) if length else b""
        seen = Seen(
            method=self.command,
            target=self.requestline.split(" ")[1],  # `path` is not what was sent: `//x` is `/x` there
            headers=tuple((key.lower(), value) for key, value in self.headers.items()),
            body=body,
        )
        with self.state.lock:
            self.state.seen.append(seen)
            behaviour = self.state.queue.popleft() if self.state.queue else None
        if behaviour is None:
            behaviour = Behaviour(
                status=int(seen.get("x-echo-status") or 200),
                stall=float(seen.get("x-echo-stall") or 0),
                close=seen.get("x-echo-close") is not None,
                garbage=seen.get("x-echo-garbage") is not None,
            )
        if behaviour.stall:
            self.state.stopping.wait(behaviour.stall)
        if behaviour.close or behaviour.garbage:
            if behaviour.garbage:
                self.wfile.write(b"this is not HTTP\r\n\r\n")
                self.wfile.flush()
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        content = json.dumps(
            {
                "backend": self.state.name,
                "method": seen.method,
                "target": seen.target,
                "headers": [list(line) for line in seen.headers],
                "body": body.decode("latin-1"),
            }
        ).encode()
        self.send_response(behaviour.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        for line in seen.all("x-echo-header"):
            name, _, value = line.partition(":")
            self.send_header(name, value.strip())
        self.end_headers()
        if seen.method != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    def do_GET(self) -> None:
        self._serve()

    def __getattr__(self, name: str) -> object:
        if name.startswith("do_"):
            return self.do_GET
        raise AttributeError(name)

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            super().handle()

    def log_message(self, *_args: object) -> None:
        pass


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class EchoBackend:
    """The application, listening on loopback while its `with` block runs."""

    def __init__(self, name: str, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._state = _State(name)
        handler = type("Handler", (_Handler,), {"state": self._state})
        self._server = _Server(("127.0.0.1", port), handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def seen(self) -> list[Seen]:
        """All requests so far."""
        with self._state.lock:
            return list(self._state.seen)

    @property
    def last(self) -> Seen:
        return self.seen[-1]

    def forget(self) -> None:
        """Forget requests and queued behaviours."""
        with self._state.lock:
            self._state.seen.clear()
            self._state.queue.clear()

    def queue(self, *behaviours: Behaviour) -> None:
        """Treat the next requests so, whatever their headers say."""
        with self._state.lock:
            self._state.queue.extend(behaviours)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._state.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
