"""Connections that stop to speak HTTP: only to what was asked for, and never before the service agrees."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.proxy_app import ScriptedApp, SeenRequest, ok
from support.proxy_authority import ProxyAuthority
from support.proxy_mesh import caller, plain_cluster, route, service
from support.proxy_process import RunningProxy

ASK = (
    b"GET /ws HTTP/1.1\r\nHost: api\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
    b"Sec-WebSocket-Key: k\r\n\r\n"
)
AGREE = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: a\r\n\r\n"
)


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[tuple[ScriptedApp, RunningProxy]]:
    files = ProxyAuthority(tmp_path / "certs").issue("web")
    with (
        ScriptedApp() as app,
        RunningProxy(caller(files, [service([route("c")])], [plain_cluster("c", app.port)]), tmp_path / "web") as proxy,
    ):
        yield app, proxy


def test_bytes_wait_for_the_service_to_agree(mesh: tuple[ScriptedApp, RunningProxy]) -> None:
    app, proxy = mesh
    waited = threading.Event()

    def script(request: SeenRequest, sock: socket.socket) -> bytes | None:
        waited.wait(10)
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(1)  # nothing of the other protocol has come
        sock.setblocking(True)
        sock.sendall(AGREE + b"hello")
        while data := sock.recv(1000):
            sock.sendall(data.upper())
        return None

    app.script = script
    with proxy.outbound() as wire:
        wire.send(ASK + b"first")
        time.sleep(0.2)
        waited.set()
        head = wire._until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols")
        assert b"Sec-WebSocket-Accept: a" in head
        assert wire._exactly(10) == b"helloFIRST"
        wire.send(b"x" * 200_000)
        assert wire._exactly(200_000) == b"X" * 200_000
    record = proxy.log(lambda record: record["path"] == "/ws")[0]
    assert (record["status"], record["request_bytes"], record["response_bytes"]) == (101, 200_005, 200_010)
    assert app.requests[0].headers["upgrade"] == ["websocket"]
    assert app.requests[0].headers["connection"] == ["upgrade"]


def test_a_service_that_ends_the_tunnel_ends_it_for_the_client(mesh: tuple[ScriptedApp, RunningProxy]) -> None:
    app, proxy = mesh

    def script(request: SeenRequest, sock: socket.socket) -> bytes | None:
        sock.sendall(AGREE + b"bye")
        return None

    app.script = script
    with proxy.outbound() as wire:
        wire.send(ASK)
        wire._until(b"\r\n\r\n")
        assert wire.rest() == b"bye"


def test_a_service_that_does_not_agree_answers_as_ever(mesh: tuple[ScriptedApp, RunningProxy]) -> None:
    app, proxy = mesh
    app.script = lambda request, sock: ok(request.path.encode())
    with proxy.outbound() as wire:
        wire.send(ASK + b"GET /next HTTP/1.1\r\nHost: api\r\n\r\n")
        assert wire.response().body == b"/ws"
        assert wire.response().body == b"/next"
    assert app.paths == ["/ws", "/next"]


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (b"GET / HTTP/1.1\r\nHost: api\r\n\r\n", AGREE),  # nobody asked
        (ASK, AGREE.replace(b"websocket", b"other")),
        (ASK, AGREE.replace(b"Upgrade: websocket\r\n", b"")),
        (ASK, AGREE.replace(b"Connection: Upgrade\r\n", b"")),
    ],
)
def test_a_switch_that_was_not_asked_for_is_none(
    mesh: tuple[ScriptedApp, RunningProxy], ask: bytes, answer: bytes
) -> None:
    app, proxy = mesh
    app.script = lambda request, sock: answer
    with proxy.outbound() as wire:
        wire.send(ask)
        assert wire.response().status == 502


def test_only_a_bare_get_asks(mesh: tuple[ScriptedApp, RunningProxy]) -> None:
    app, proxy = mesh
    for ask in (ASK.replace(b"GET", b"POST"), ASK.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\nabc")):
        with proxy.outbound() as wire:
            wire.send(ask)
            assert wire.response().status == 400
    assert app.requests == []


def test_a_client_that_leaves_is_told_to_the_service(mesh: tuple[ScriptedApp, RunningProxy]) -> None:
    app, proxy = mesh
    ended = threading.Event()

    def script(request: SeenRequest, sock: socket.socket) -> bytes | None:
        sock.sendall(AGREE)
        if sock.recv(10) == b"":
            ended.set()
        return None

    app.script = script
    with proxy.outbound() as wire:
        wire.send(ASK)
        wire._until(b"\r\n\r\n")
    assert ended.wait(10)
    with proxy.outbound() as wire:
        wire.send(ASK)
        wire._until(b"\r\n\r\n")
        wire.half_close()
        assert wire.closed_by_peer()
