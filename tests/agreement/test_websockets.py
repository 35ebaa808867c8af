"""WebSockets: opened by a request that is judged as any other, and then the two ends' own."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from meshc_backends.placement import server_name
from support.agreement_mesh import AgreementMesh
from support.agreement_probe import Credential
from support.agreement_process import Voice
from support.agreement_stage import Stage
from support.recorder import ID_HEADER, SCRIPT_HEADER

NUMBERS = itertools.count()


def _callers_python(workload: str) -> Voice:
    return Voice.PYTHON if workload == "web" else Voice.ENVOY


def _callers_envoy(workload: str) -> Voice:
    return Voice.ENVOY if workload == "web" else Voice.PYTHON


@pytest.fixture(scope="module")
def stage(stage_of: Any) -> Iterator[Stage]:
    with stage_of("protocols", voices=(Voice.PYTHON, Voice.ENVOY, _callers_python, _callers_envoy)) as running:
        yield running


@contextlib.contextmanager
def opened(mesh: AgreementMesh, callee: str, *, straight: bool) -> Iterator[socket.socket]:
    address = mesh.inbound(callee) if straight else mesh.outbound("web")
    with contextlib.ExitStack() as stack:
        sock: socket.socket = stack.enter_context(socket.create_connection(address, timeout=20))
        if straight:
            service = mesh.index.services[callee]
            tls: ssl.SSLContext = mesh.certificates.client("web", Credential.OWN)
            sock = stack.enter_context(tls.wrap_socket(sock, server_hostname=server_name(service, service.ports[0])))
        yield sock


def upgrade(callee: str, path: str, script: str = "switch", protocol: str = "websocket") -> tuple[bytes, str]:
    number = f"websocket {next(NUMBERS)}"
    lines = [f"GET {path} HTTP/1.1", f"Host: {callee}", "Connection: Upgrade", f"Upgrade: {protocol}"]
    lines += ("Sec-WebSocket-Version: 13", f"{ID_HEADER}: {number}", f"{SCRIPT_HEADER}: {script}")
    return "\r\n".join([*lines, "", ""]).encode(), number


def head_from(sock: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(1)
        if not piece:
            break
        data += piece
    return data.lower()


@pytest.mark.parametrize("straight", [False, True], ids=["outbound", "inbound"])
@pytest.mark.parametrize("number", range(4))
def test_a_websocket_carries_bytes_both_ways(stage: Stage, number: int, straight: bool) -> None:
    mesh = stage.meshes[number]
    with opened(mesh, "old", straight=straight) as sock:
        request, name = upgrade("old", "/chat/../room")
        sock.sendall(request + b"early")
        head = head_from(sock)
        assert head.startswith(b"http/1.1 101")
        assert b"\r\nupgrade: websocket\r\n" in head
        got = b""
        for piece in (b"", b"GET /secret HTTP/1.1\r\n\r\n", bytes(range(256)) * 1000):
            sock.sendall(piece)
            wanted = len(got) + len(piece) + (5 if not piece else 0)
            while len(got) < wanted:
                got += sock.recv(65536)
        assert got == b"early" + b"GET /secret HTTP/1.1\r\n\r\n" + bytes(range(256)) * 1000
    (seen,) = mesh.recorder.received(name)
    assert seen.target == "/room"
    assert (seen.members("upgrade") or "").lower() == "websocket"


@pytest.mark.parametrize("straight", [False, True], ids=["outbound", "inbound"])
@pytest.mark.parametrize("number", range(4))
def test_who_may_not_call_opens_none(stage: Stage, number: int, straight: bool) -> None:
    mesh = stage.meshes[number]
    for request, name, status in (
        (*upgrade("old", "/secret/x"), b"403"),
        (*upgrade("old", "/x", protocol="tunnel"), b"403"),
        (*upgrade("feed", "/x"), b"403"),
        (*upgrade("old", "/x", script="404"), b"404"),
        (*upgrade("old", "/x", script="200"), b"200"),
    ):
        with opened(mesh, "feed" if b"Host: feed" in request else "old", straight=straight) as sock:
            sock.sendall(request)
            assert head_from(sock)[9:12] == status, request
            assert len(mesh.recorder.received(name)) == (status != b"403")
