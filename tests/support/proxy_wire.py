"""A client that says exactly what it is told, in the clear or with mTLS, and reads responses by itself."""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import dataclass
from types import TracebackType

from meshc_runtime.snapshot import CertificateFiles


@dataclass
class WireResponse:
    status: int
    headers: dict[str, list[str]]
    body: bytes
    head: bytes


class CutShortError(Exception):
    """The connection ended in the middle of a response, or before one."""


class Wire:
    """One connection to a proxy."""

    def __init__(
        self,
        address: str,
        *,
        identity: CertificateFiles | None = None,
        server_name: str | None = None,
        timeout: float = 20,
    ) -> None:
        host, _, port = address.rpartition(":")
        plain = socket.create_connection((host, int(port)), timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock: socket.socket = plain
        self._buffer = bytearray()
        if identity is not None:
            try:
                self.sock = client_context(identity).wrap_socket(plain, server_hostname=server_name)
            except BaseException:
                plain.close()
                raise

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def ask(self, method: str, path: str, host: str, *lines: str, body: bytes = b"") -> WireResponse:
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n"
        if body:
            head += f"Content-Length: {len(body)}\r\n"
        self.send((head + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode("latin-1") + body)
        return self.response(method)

    def response(self, method: str = "GET") -> WireResponse:
        """The next final response.

        Raises:
            CutShortError: the connection ended first.
        """
        while True:
            head = self._until(b"\r\n\r\n")
            line, *fields = head.decode("latin-1").split("\r\n")
            code = int(line.split(" ")[1])
            if code >= 200:
                break
        headers: dict[str, list[str]] = {}
        for text in fields:
            name, _, value = text.partition(":")
            headers.setdefault(name.lower(), []).append(value.strip())
        body = b""
        if method == "HEAD" or code in (204, 304):
            pass
        elif "transfer-encoding" in headers:
            while size := int(self._until(b"\r\n"), 16):
                body += self._exactly(size)
                self._exactly(2)
            self._exactly(2)
        else:
            body = self._exactly(int(headers["content-length"][0]))
        return WireResponse(status=code, headers=headers, body=body, head=head)

    def rest(self) -> bytes:
        """Everything until the other side closes."""
        with contextlib.suppress(ConnectionResetError, ssl.SSLError):
            while data := self.sock.recv(65_536):
                self._buffer += data
        taken, self._buffer = self._buffer, bytearray()
        return bytes(taken)

    def closed_by_peer(self) -> bool:
        """Wait for the other side to close; true when nothing more came first."""
        return self.rest() == b""

    def _more(self) -> None:
        try:
            data = self.sock.recv(65_536)
        except (ConnectionResetError, ssl.SSLError) as error:
            raise CutShortError(str(error)) from error
        if not data:
            raise CutShortError("closed")
        self._buffer += data

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._more()
        end = self._buffer.index(mark)
        taken = bytes(self._buffer[:end])
        del self._buffer[: end + len(mark)]
        return taken

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._more()
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


def client_context(identity: CertificateFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(identity.trust_bundle)
    if identity.cert_chain:
        context.load_cert_chain(identity.cert_chain, identity.private_key)
    return context
