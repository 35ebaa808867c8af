"""Applications behind a proxy: a thread that answers raw HTTP as a script says, and keeps what it saw."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType


@dataclass
class SeenRequest:
    """A request as it arrived: its head's bytes, its decoded body, and which connection it came on."""

    connection: int
    line: str
    head: bytes
    headers: dict[str, list[str]]
    body: bytes

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]


def ok(body: bytes = b"ok", *lines: str) -> bytes:
    extra = "".join(f"{line}\r\n" for line in lines)
    return f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n{extra}\r\n".encode() + body


def status(code: int, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {code} Code\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def receive(sock: socket.socket) -> bytes:
    """Some bytes; ValueError at the end."""
    data = sock.recv(1 << 20)
    if not data:
        raise ValueError("closed")
    return data


Script = Callable[[SeenRequest, socket.socket], bytes | None]


def always(answer: bytes) -> Script:
    return lambda request, sock: answer


@dataclass
class ScriptedApp:
    """Serves on a loopback port until closed. A script gives the bytes to send, or null to close.

    `raw` instead takes over each connection whole.
    """

    script: Script = field(default_factory=lambda: always(ok()))
    raw: Callable[[socket.socket], None] | None = None
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self.requests: list[SeenRequest] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._closing = False
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def __enter__(self) -> ScriptedApp:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        self._accepting.join(5)
        for thread in self._threads:
            thread.join(5)

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def _accept(self) -> None:
        while not self._closing:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                number = self.connections
                self._open.add(sock)
            thread = threading.Thread(target=self._serve, args=(sock, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        served = sock
        try:
            sock.settimeout(20)
            if self.tls is not None:
                served = self.tls.wrap_socket(sock, server_side=True)
            if self.raw is not None:
                self.raw(served)
            else:
                self._requests(served, number)
        except (OSError, ValueError):
            pass
        finally:
            with self._lock:
                self._open.discard(sock)
            served.close()
            sock.close()

    def _requests(self, sock: socket.socket, number: int) -> None:
        reader = _Reader(sock)
        while True:
            request = reader.request(number)
            if request is None:
                return
            with self._lock:
                self.requests.append(request)
            answer = self.script(request, sock)
            if answer is None:
                return
            sock.sendall(answer)


class _Reader:
    """A deliberately plain reader: it believes Content-Length and chunked, as an application would."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray()

    def _more(self) -> bool:
        data = self._sock.recv(65_536)
        self._buffer += data
        return bool(data)

    def _until(self, mark: bytes) -> bytes | None:
        while mark not in self._buffer:
            if not self._more():
                return None
        end = self._buffer.index(mark)
        taken = bytes(self._buffer[:end])
        del self._buffer[: end + len(mark)]
        return taken

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            if not self._more():
                raise ValueError("cut short")
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def request(self, connection: int) -> SeenRequest | None:
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        line, *fields = head.decode("latin-1").split("\r\n")
        headers: dict[str, list[str]] = {}
        for text in fields:
            name, _, value = text.partition(":")
            headers.setdefault(name.lower(), []).append(value.strip())
        body = b""
        if "chunked" in headers.get("transfer-encoding", []):
            while size := int(self._until(b"\r\n") or b"cut short", 16):
                body += self._exactly(size)
                self._exactly(2)
            while self._until(b"\r\n"):
                pass  # trailers
        elif "content-length" in headers:
            body = self._exactly(int(headers["content-length"][0]))
        return SeenRequest(connection=connection, line=line, head=head, headers=headers, body=body)
