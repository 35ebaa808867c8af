"""Terms of calls on a running proxy: what only the Python proxy has, and what a mesh of sidecars hides."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from meshc_runtime.snapshot import Breaker, Cluster, Ejection, RateLimit, Snapshot
from support.loopback_ports import own_ports
from support.proxy_app import ScriptedApp, SeenRequest, ok, status
from support.proxy_authority import ProxyAuthority
from support.proxy_mesh import API_NAME, callee, caller, plain_cluster, route, service
from support.proxy_process import RunningProxy
from support.proxy_wire import Wire


@contextmanager
def proxied(folder: Path, cluster: Cluster) -> Iterator[RunningProxy]:
    snapshot: Snapshot = caller(ProxyAuthority(folder / "certs").issue("web"), [service([route("main")])], [cluster])
    with RunningProxy(snapshot, folder / "web") as proxy:
        yield proxy


def on_terms(*ports: int, **terms: Any) -> Cluster:
    return plain_cluster("main", *ports).model_copy(update=terms)


def ask(proxy: RunningProxy, path: str = "/") -> Any:
    with proxy.outbound() as wire:
        return wire.ask("GET", path, "api")


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def late(request: SeenRequest, sock: socket.socket) -> bytes:
    time.sleep(0.15)
    return ok()


@pytest.mark.parametrize(
    ("key", "requests"),
    [
        ({"per_query": "user"}, [("/?user=a%62", ""), ("/?user=c&x=1", ""), ("/?x=1", "")]),
        ({"per_cookie": "user"}, [("/", 'cookie: x=1; user="ab"'), ("/", "cookie: user=c"), ("/", "cookie: x=1")]),
    ],
)
def test_each_value_of_a_key_has_a_bucket(tmp_path: Path, key: dict[str, str], requests: list[tuple[str, str]]) -> None:
    authority = ProxyAuthority(tmp_path / "certs")
    limit = RateLimit(id="l", callers=None, amount=1, per_seconds=3600, burst=2, **key)
    with (
        ScriptedApp() as app,
        RunningProxy(callee(authority.issue("api"), app.port, limits=[limit]), tmp_path / "api") as proxy,
        Wire(proxy.addresses["inbound"], identity=authority.issue("web"), server_name=API_NAME) as wire,
    ):
        for path, line in requests:
            lines = [line] if line else []
            assert [wire.ask("GET", path, "api", *lines).status for _ in range(3)] == [200, 200, 429]


def test_the_slow_instance_is_called_less(tmp_path: Path) -> None:
    with (
        ScriptedApp(script=late) as slow,
        ScriptedApp() as fast,
        proxied(tmp_path, on_terms(slow.port, fast.port, balance="peak-ewma")) as proxy,
    ):
        assert all(ask(proxy).status == 200 for _ in range(40))
        assert len(slow.requests) <= 2
        assert len(fast.requests) >= 38


def test_an_unused_connection_is_closed_as_stated(tmp_path: Path) -> None:
    closed: list[float] = []

    def serve(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(ok())
        assert sock.recv(1) == b""
        closed.append(time.monotonic())

    with ScriptedApp(raw=serve) as app, proxied(tmp_path, on_terms(app.port, idle_timeout_ms=300)) as proxy:
        assert ask(proxy).status == 200
        answered = time.monotonic()
        until(lambda: bool(closed))
        assert closed[0] - answered > 0.2


def test_an_instance_that_cannot_be_reached_is_left_alone(tmp_path: Path) -> None:
    dead = own_ports().take()
    terms = Ejection(consecutive_5xx=2, eject_ms=60_000, interval_ms=1000, max_percent=50)
    with ScriptedApp() as app, proxied(tmp_path, on_terms(dead, app.port, ejection=terms)) as proxy:
        statuses = [ask(proxy).status for _ in range(12)]
        assert statuses.count(503) == 2
        assert statuses[-6:] == [200] * 6


def test_where_nobody_is_well_calls_are_refused_at_once(tmp_path: Path) -> None:
    terms = Ejection(consecutive_5xx=1, eject_ms=600, interval_ms=100, max_percent=100)
    answers = [status(500)]
    with (
        ScriptedApp(script=lambda request, sock: answers.pop() if answers else ok()) as app,
        proxied(tmp_path, on_terms(app.port, ejection=terms)) as proxy,
    ):
        assert ask(proxy).status == 500
        assert ask(proxy, "/refused").status == 503
        assert (
            proxy.log(lambda record: record["path"] == "/refused")[-1]["reason"] == "no-endpoint: no endpoint is well"
        )
        until(lambda: bool(ask(proxy).status == 200))


def test_a_call_that_waits_takes_the_next_free_connection(tmp_path: Path) -> None:
    with (
        ScriptedApp(script=late) as app,
        proxied(tmp_path, on_terms(app.port, breaker=Breaker(max_connections=1))) as proxy,
    ):
        wires = [proxy.outbound() for _ in range(5)]
        for wire in wires:
            wire.send(b"GET / HTTP/1.1\r\nhost: api\r\n\r\n")
        assert [wire.response().status for wire in wires] == [200] * 5
        assert app.connections == 1
        for wire in wires:
            wire.close()


def test_a_caller_that_leaves_makes_room(tmp_path: Path) -> None:
    with (
        ScriptedApp(script=late) as app,
        proxied(tmp_path, on_terms(app.port, breaker=Breaker(max_requests=1))) as proxy,
    ):
        for _ in range(3):
            gone = proxy.outbound()
            reached = len(app.requests)
            gone.send(b"GET / HTTP/1.1\r\nhost: api\r\n\r\n")
            until(lambda reached=reached: len(app.requests) > reached)  # type: ignore[misc]
            assert ask(proxy).status == 503
            gone.close()
            until(lambda: bool(ask(proxy).status == 200))
