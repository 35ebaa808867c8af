"""TCP without any protocol: an application that counts its connections, and the client's side of one connection."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from types import TracebackType
from typing import Self

SECONDS = 10.0


class TcpApplication:
    """An application that sends back each piece as it comes, and ` and that is all` at the end of input.

    `greeting` is what it says before anything is said to it.
    """

    def __init__(self, greeting: bytes = b"") -> None:
        self._connections: list[bytearray] = []
        application = self

        class Handler(socketserver.BaseRequestHandler):
            request: socket.socket

            def handle(self) -> None:
                heard = bytearray()
                application._connections.append(heard)
                with contextlib.suppress(OSError):
                    self.request.settimeout(SECONDS)
                    if greeting:
                        self.request.sendall(greeting)
                    while piece := self.request.recv(65536):
                        heard.extend(piece)
                        self.request.sendall(piece)
                    self.request.sendall(b" and that is all")

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def heard(self) -> list[bytes]:
        """What came on each connection so far."""
        return [bytes(one) for one in self._connections]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def talk(
    port: int, *pieces: bytes, tls: ssl.SSLContext | None = None, server_name: str | None = None, end: bool = False
) -> bytes:
    """Send pieces, each after the last came back; with `end` then close the sending half. Return all that came back.

    Without TLS the sending half can be closed by itself. A peer that closes or resets ends the talk.
    """
    got = bytearray()
    with contextlib.suppress(ConnectionError, ssl.SSLError), contextlib.ExitStack() as opened:
        sock = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=SECONDS))
        if tls is not None:
            sock = opened.enter_context(tls.wrap_socket(sock, server_hostname=server_name))
        sent = 0
        for piece in pieces:
            sock.sendall(piece)
            sent += len(piece)
            while len(got) < sent:
                answer = sock.recv(65536)
                if not answer:
                    return bytes(got)
                got.extend(answer)
        if end:
            sock.shutdown(socket.SHUT_WR)
            while answer := sock.recv(65536):
                got.extend(answer)
    return bytes(got)
