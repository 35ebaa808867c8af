"""A raw HTTP/1.1 client: it sends the bytes it is told to, and reads whatever comes back."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO, Final

PATIENCE: Final = 30.0
"""Seconds after which an answer is taken as never coming."""


Message = tuple[str, str, str, tuple[tuple[str, str], ...], bytes]
"""A request that is to be sent as HTTP/2: method, target, host, headers, body."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` None means that no HTTP answer did; `reason` says what happened then."""

    status: int | None
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def head_of(method: str, target: str, host: str, headers: tuple[tuple[str, str], ...], body: bytes = b"") -> bytes:
    """Return a request's bytes, as spelled. Text is written as Latin-1, so that any byte can be said."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    if body or method in {"POST", "PUT", "PATCH"}:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def exchange(
    address: tuple[str, int],
    request: bytes,
    *,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
    server_identity: str | None = None,
    patience: float = PATIENCE,
) -> Answer:
    """Send one request over a connection of its own and read one answer. No failure of the peer raises.

    With `server_identity`, a TLS server that shows any other URI name is an answer that never came.
    """
    try:
        with socket.create_connection(address, timeout=patience) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is None:
                plain.sendall(request)
                return _read_answer(plain, request.startswith(b"HEAD "))
            with tls.wrap_socket(plain, server_hostname=server_name) as connection:
                if server_identity is not None and server_identity not in uri_names(connection):
                    return Answer(None, f"the server is {uri_names(connection)}, not {server_identity}")
                connection.sendall(request)
                return _read_answer(connection, request.startswith(b"HEAD "))
    except TimeoutError:
        return Answer(None, f"no answer within {patience:g} s")
    except ssl.SSLError as error:
        return Answer(None, f"TLS refused: {error.reason or error}")
    except OSError as error:
        return Answer(None, f"connection ended: {error.strerror or error}")


def exchange_http2(
    address: tuple[str, int],
    message: Message,
    *,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
) -> Answer:
    """Send one request (method, target, host, headers, body) as HTTP/2, and read its answer with its trailers."""
    from support.http2_peer import ConnectionEnded, Http2Wire

    method, target, host, headers, body = message
    try:
        with Http2Wire(address, tls=tls, server_name=server_name, alpn=False) as wire:
            wire.sock.settimeout(PATIENCE)
            got = wire.ask(method, target, host, as_fields(headers), body=body or None)
    except ConnectionEnded as ended:
        return Answer(None, f"closed without an answer ({ended.code})")
    except OSError as error:
        return Answer(None, f"connection ended: {error.strerror or error}")
    if not got.ended and (got.reset or not got.status):
        return Answer(None, f"reset ({got.reset})")
    return Answer(got.status, "", (*got.headers, *got.trailers), got.body)


def as_fields(headers: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """Return headers as HTTP/2 can say them: names in lower case, values without space around (RFC 9113 §8.2.1)."""
    return [(name.lower(), value.strip(" \t")) for name, value in headers]


def converse(
    address: tuple[str, int],
    requests: tuple[bytes, ...],
    *,
    together: bool,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
) -> list[int | None]:
    """Send requests over one connection, one after the other's answer or all `together`; return the statuses.

    None stands for each request that the other side no longer answered.
    """
    statuses: list[int | None] = []
    with ExitStack() as open_sockets:
        connection = open_sockets.enter_context(socket.create_connection(address, timeout=PATIENCE))
        if tls is not None:
            connection = open_sockets.enter_context(tls.wrap_socket(connection, server_hostname=server_name))
        if together:
            connection.sendall(b"".join(requests))
        stream = open_sockets.enter_context(connection.makefile("rb"))
        for request in requests:
            try:
                if not together:
                    connection.sendall(request)
                statuses.append(_next_status(stream, is_head=request.startswith(b"HEAD ")))
            except OSError:
                statuses.append(None)
    return statuses


def _next_status(stream: BinaryIO, *, is_head: bool) -> int | None:
    status_line = stream.readline()
    if not status_line:
        return None
    status = int(status_line.split(b" ")[1])
    length = 0
    while (line := stream.readline().strip()) != b"":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        assert name.lower() != b"transfer-encoding", "the stand-ins and the proxies' own answers state their lengths"
    stream.read(0 if is_head else length)
    return status


def uri_names(connection: ssl.SSLSocket) -> list[str]:
    """Return the URI names in a server's certificate."""
    certificate = connection.getpeercert() or {}
    names: list[tuple[str, str]] = list(certificate.get("subjectAltName", ()))  # type: ignore[arg-type]
    return [value for kind, value in names if kind == "URI"]


def _read_answer(connection: socket.socket, is_head: bool) -> Answer:
    buffer = b""
    while True:
        while b"\r\n\r\n" not in buffer:
            chunk = connection.recv(65536)
            if not chunk:
                return Answer(None, "closed without an answer" if not buffer else f"half an answer: {buffer[:80]!r}")
            buffer += chunk
        head, _, rest = buffer.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        words = status_line.split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
            return Answer(None, f"not HTTP: {status_line[:80]!r}")
        if int(words[1]) >= 200:
            break
        buffer = rest  # an interim answer, as 100
    headers = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    status = int(words[1])
    body = b"" if is_head or status in {204, 304} else _read_body(connection, rest, dict(headers))
    return Answer(status, "", headers, body)


def _read_body(connection: socket.socket, rest: bytes, headers: dict[str, str]) -> bytes:
    """Read a body for messages. A body that is cut short is returned as far as it came."""
    chunked = headers.get("transfer-encoding", "").lower() == "chunked"
    length = int(headers["content-length"]) if headers.get("content-length", "").isdigit() else None
    while not (rest.endswith(b"0\r\n\r\n") if chunked else length is not None and len(rest) >= length):
        try:
            chunk = connection.recv(65536)
        except OSError:
            break
        if not chunk:
            break
        rest += chunk
    return rest
