"""One HTTP/1.1 request, byte for byte as the test writes it, over plain TCP or mutual TLS."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from support.authority import Issued

SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A response; header names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def echo(self) -> dict[str, Any]:
        """What an `EchoBackend` told back."""
        value: dict[str, Any] = json.loads(self.body)
        return value


def client_context(issued: Issued | None, bundle: Issued | None = None) -> ssl.SSLContext:
    """Return a context of a mesh peer: it shows a certificate and believes the trust bundle, whatever the name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations((bundle or issued or _nothing()).bundle)
    if issued is not None:
        context.load_cert_chain(issued.chain, issued.key)
    return context


def _nothing() -> Issued:
    raise ValueError("a client needs a certificate or a bundle")


def request_bytes(
    method: str,
    target: str | bytes,
    host: str,
    headers: Iterable[tuple[str, str | bytes]] = (),
    body: bytes = b"",
) -> bytes:
    """Return a request head and body. Strings are latin-1; lines are written in order and never joined."""
    target_bytes = target if isinstance(target, bytes) else target.encode("latin-1")
    lines = [method.encode() + b" " + target_bytes + b" HTTP/1.1", b"Host: " + host.encode()]
    for name, value in headers:
        lines.append(name.encode() + b": " + (value if isinstance(value, bytes) else value.encode("latin-1")))
    if body:
        lines.append(b"Content-Length: " + str(len(body)).encode())
    return b"\r\n".join([*lines, b"", b""]) + body


def exchange(
    port: int,
    request: bytes,
    *,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
    method: str = "GET",
    seconds: float = SECONDS,
) -> Answer:
    """Send bytes to a port of loopback and read one response. Raises OSError if the peer closes without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a handshake is several small writes
        sock: socket.socket = plain
        if tls is not None:
            sock = tls.wrap_socket(plain, server_hostname=server_name)
        try:
            sock.sendall(request)
            response = http.client.HTTPResponse(sock, method=method)
            try:
                response.begin()
                body = response.read()
            except http.client.HTTPException as error:
                raise ConnectionError(repr(error)) from error
            finally:
                response.close()
        finally:
            sock.close()
    return Answer(
        status=response.status,
        headers=tuple((key.lower(), value) for key, value in response.getheaders()),
        body=body,
    )


def call(
    port: int,
    method: str,
    target: str | bytes,
    *,
    host: str = "test",
    headers: Iterable[tuple[str, str | bytes]] = (),
    body: bytes = b"",
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
    seconds: float = SECONDS,
) -> Answer:
    """Make one request on a connection of its own."""
    return exchange(
        port,
        request_bytes(method, target, host, [("Connection", "close"), *headers], body),
        tls=tls,
        server_name=server_name,
        method=method,
        seconds=seconds,
    )
