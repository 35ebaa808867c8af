"""What an app meets when it calls through its proxy: routes, splits, timeouts, retries, broken services."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from meshc_runtime.snapshot import Address, Cluster, PlainTransport, Retry
from support.loopback_ports import own_ports
from support.proxy_app import ScriptedApp, SeenRequest, always, ok, receive, status
from support.proxy_authority import ProxyAuthority
from support.proxy_mesh import allow, caller, plain_cluster, route, service
from support.proxy_process import RunningProxy
from support.proxy_wire import CutShortError


def retry(limit: int, *on: str, per_try: int | None = None, budget: float | None = None, minimum: int = 3) -> Retry:
    return Retry(
        limit=limit,
        on=on,
        per_try_timeout_ms=per_try,
        backoff_base_ms=1,
        backoff_max_ms=2,
        budget_percent=budget,
        budget_min_concurrency=minimum,
    )


@dataclass
class Outbound:
    app: ScriptedApp
    other: ScriptedApp
    proxy: RunningProxy

    def ask(self, path: str, method: str = "GET", host: str = "api", body: bytes = b"") -> Any:
        with self.proxy.outbound() as wire:
            return wire.ask(method, path, host, body=body)

    def record(self, path: str) -> dict[str, Any]:
        return self.proxy.log(lambda record: record["path"] == path)[-1]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outbound]:
    folder: Path = tmp_path_factory.mktemp("outbound")
    authority = ProxyAuthority(folder / "certs")
    dead = own_ports().take()
    with ScriptedApp() as app, ScriptedApp() as other:
        routes = [
            route("main", name="timeout", path="/timeout/**", timeout_ms=300),
            route("main", name="per-try", path="/per-try/**", retry=retry(2, "reset", per_try=250)),
            route("main", name="per-try-only", path="/per-try-only/**", retry=retry(0, per_try=250)),
            route("main", name="both", path="/both/**", timeout_ms=600, retry=retry(9, "5xx", per_try=250)),
            route("main", name="5xx", path="/5xx/**", retry=retry(2, "5xx")),
            route("main", name="s503", path="/s503/**", retry=retry(2, "s503")),
            route("main", name="reset", path="/reset/**", retry=retry(2, "reset")),
            route("main", name="connect-only", path="/connect-only/**", retry=retry(2, "connect-failure")),
            route("half-dead", name="half-dead", path="/half-dead/**", retry=retry(1, "connect-failure")),
            route("dead", name="dead", path="/dead/**"),
            route("main", name="no-budget", path="/no-budget/**", retry=retry(3, "5xx", budget=1, minimum=0)),
            route(("main", 75), ("other", 25), name="split", path="/split/**"),
            route("main", name="rest"),
        ]
        external = service(
            [route("main", name="ext")],
            name="pay",
            hosts=["pay.example.com"],
            port=80,
            rules=[allow("may-pay", "web", methods=("POST",), path="/charge")],
        )
        named = Cluster(
            name="named",
            endpoints=(Address(host="localhost", port=app.port),),
            transport=PlainTransport(),
        )
        unnamed = Cluster(
            name="unnamed",
            endpoints=(Address(host="nowhere.invalid", port=1),),
            transport=PlainTransport(),
        )
        clusters = [
            plain_cluster("main", app.port),
            plain_cluster("other", other.port),
            plain_cluster("dead", dead),
            plain_cluster("half-dead", dead, app.port),
            named,
            unnamed,
        ]
        by_name = service([route("named")], name="named", port=80)
        by_wrong_name = service([route("unnamed")], name="unnamed", port=80)
        grpc = service([route("main")], name="charger", port=50051).model_copy(update={"protocol": "tcp"})
        services = [service(routes), external, by_name, by_wrong_name, grpc]
        snapshot = caller(authority.issue("web"), services, clusters)
        with RunningProxy(snapshot, folder / "web") as proxy:
            yield Outbound(app=app, other=other, proxy=proxy)


@pytest.fixture
def mesh(running: Outbound) -> Outbound:
    running.app.script = always(ok())
    running.app.requests.clear()
    return running


def in_turn(*answers: bytes | None) -> Callable[[SeenRequest, socket.socket], bytes | None]:
    left = list(answers)
    return lambda request, sock: left.pop(0)


def silent(request: SeenRequest, sock: socket.socket) -> bytes | None:
    sock.recv(1)  # until the proxy gives up
    return None


def test_split_by_weight(mesh: Outbound) -> None:
    mesh.other.requests.clear()
    with mesh.proxy.outbound() as wire:
        for _ in range(400):
            assert wire.ask("GET", "/split/x", "api").status == 200
    share = len(mesh.other.requests) / 400
    assert 0.15 < share < 0.35
    assert len(mesh.other.requests) + len(mesh.app.requests) == 400


def test_no_timeout_and_no_retry_unless_stated(mesh: Outbound) -> None:
    mesh.app.script = in_turn(status(503), None)
    assert mesh.ask("/rest/a").status == 503
    assert mesh.ask("/rest/b").status == 503
    assert mesh.app.paths == ["/rest/a", "/rest/b"]
    assert mesh.record("/rest/b")["reason"].startswith("reset")


def test_total_timeout(mesh: Outbound) -> None:
    mesh.app.script = silent
    assert mesh.ask("/timeout/a").status == 504
    record = mesh.record("/timeout/a")
    assert (record["status"], record["reason"], record["route"]) == (504, "timeout", "timeout")
    assert record["duration_ms"] >= 300


def test_timeout_in_the_middle_of_a_response_cuts_it(mesh: Outbound) -> None:
    def stall(request: SeenRequest, sock: socket.socket) -> bytes | None:
        sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345")
        return silent(request, sock)

    mesh.app.script = stall
    with pytest.raises(CutShortError):
        mesh.ask("/timeout/cut")
    assert "timeout" in mesh.record("/timeout/cut")["reason"]


def test_per_try_timeout_counts_as_a_reset(mesh: Outbound) -> None:
    waits = iter([silent, silent])

    def twice_silent(request: SeenRequest, sock: socket.socket) -> bytes | None:
        wait = next(waits, None)
        return ok(b"third") if wait is None else wait(request, sock)

    mesh.app.script = twice_silent
    assert mesh.ask("/per-try/a").body == b"third"
    assert mesh.record("/per-try/a")["attempts"] == 3


def test_per_try_timeout_without_tries_left_is_504(mesh: Outbound) -> None:
    mesh.app.script = silent
    assert mesh.ask("/per-try-only/a").status == 504
    assert mesh.record("/per-try-only/a")["attempts"] == 1


def test_total_timeout_covers_the_retries(mesh: Outbound) -> None:
    mesh.app.script = silent
    assert mesh.ask("/both/a").status == 504
    record = mesh.record("/both/a")
    assert record["attempts"] == 3
    assert record["duration_ms"] >= 600


def test_retry_on_5xx_until_it_works(mesh: Outbound) -> None:
    mesh.app.script = in_turn(status(500), status(503), ok(b"fine"))
    assert mesh.ask("/5xx/a").body == b"fine"
    assert mesh.record("/5xx/a")["attempts"] == 3


def test_last_answer_is_passed_on_when_tries_are_used_up(mesh: Outbound) -> None:
    mesh.app.script = in_turn(status(500, b"a"), status(502, b"b"), status(503, b"c"))
    answer = mesh.ask("/5xx/b")
    assert (answer.status, answer.body) == (503, b"c")
    assert mesh.proxy.metric('meshc_retries_total{service="api",route="5xx",outcome="exhausted"}') == 1


def test_only_the_named_status_is_retried(mesh: Outbound) -> None:
    mesh.app.script = in_turn(status(503), status(500), ok())
    assert mesh.ask("/s503/a").status == 500
    assert len(mesh.app.requests) == 2


def test_retry_sends_the_same_body_again(mesh: Outbound) -> None:
    body = bytes(range(256)) * 200
    mesh.app.script = in_turn(status(500), None, ok())
    assert mesh.ask("/5xx/body", "POST", body=body).status == 200
    assert [request.body for request in mesh.app.requests] == [body] * 3


def test_chunked_body_is_sent_again_too(mesh: Outbound) -> None:
    mesh.app.script = in_turn(status(500), ok())
    with mesh.proxy.outbound() as wire:
        wire.send(b"POST /5xx/chunks HTTP/1.1\r\nHost: api\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n")
        wire.send(b"6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n")
        assert wire.response().status == 200
    assert [request.body for request in mesh.app.requests] == [b"hello world"] * 2


def test_body_too_large_to_keep_is_not_retried(mesh: Outbound) -> None:
    mesh.app.script = in_turn(status(500), ok())
    assert mesh.ask("/5xx/large", "POST", body=b"x" * 1_000_000).status == 500
    assert len(mesh.app.requests) == 1
    assert mesh.proxy.metric('meshc_retries_total{service="api",route="5xx",outcome="body-too-large"}') == 1


def test_connection_closed_without_an_answer_is_a_reset(mesh: Outbound) -> None:
    mesh.app.script = in_turn(None, ok(b"second"))
    assert mesh.ask("/reset/a").body == b"second"
    mesh.app.script = in_turn(None, ok())
    assert mesh.ask("/connect-only/a").status == 503
    assert mesh.record("/connect-only/a")["attempts"] == 1


def test_connect_failure(mesh: Outbound) -> None:
    assert mesh.ask("/dead/a").status == 503
    assert mesh.record("/dead/a")["reason"].startswith("connect-failure")
    assert [mesh.ask("/half-dead/a").status for _ in range(4)] == [200] * 4
    assert any(record["attempts"] == 2 for record in mesh.proxy.log(lambda r: r["path"] == "/half-dead/a", 4))


def test_a_retry_goes_to_another_endpoint_however_busy_that_is(mesh: Outbound) -> None:
    """An endpoint that refuses connections runs no requests; that must not draw the retries to it."""
    everyone = threading.Barrier(8)

    def all_together(request: SeenRequest, sock: socket.socket) -> bytes | None:
        everyone.wait(20)
        return ok()

    mesh.app.script = all_together
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(mesh.ask("/half-dead/busy").status)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert statuses == [200] * 8
    attempts = [record["attempts"] for record in mesh.proxy.log(lambda r: r["path"] == "/half-dead/busy", 8)]
    assert max(attempts) == 2
    assert attempts.count(1) >= 2, "the endpoint that is reached has its turns"


def test_budget_stops_retries(mesh: Outbound) -> None:
    mesh.app.script = in_turn(status(500), ok())
    assert mesh.ask("/no-budget/a").status == 500
    assert mesh.proxy.metric('meshc_retries_total{service="api",route="no-budget",outcome="over-budget"}') == 1


def test_names_of_endpoints_are_resolved(mesh: Outbound) -> None:
    assert mesh.ask("/a", host="named").status == 200
    assert mesh.ask("/a", host="unnamed").status == 503


def test_protocol_that_is_not_carried_is_refused_clearly(mesh: Outbound) -> None:
    answer = mesh.ask("/x.Y/Z", "POST", host="charger")
    assert answer.status == 503
    assert b"tcp" in answer.body
    assert "charger:50051" in mesh.proxy.errors()
    assert mesh.app.requests == []


def test_service_outside_the_mesh_is_judged_here(mesh: Outbound) -> None:
    assert mesh.ask("/charge", "POST", host="pay.example.com").status == 200
    assert mesh.ask("/charge", "GET", host="pay.example.com").status == 403
    assert mesh.ask("/%63harge/../refund", "POST", host="pay.example.com:80").status == 403
    assert len(mesh.app.requests) == 1
    record = mesh.proxy.log(lambda record: record["callee"] == "pay")[0]
    assert (record["rule"], record["direction"]) == ("may-pay", "outbound")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok",
        b"HTTP/1.1 200 OK\r\nx : 1\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20,
        b"SSH-2.0-OpenSSH_9.0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
)  # fmt: skip
def test_answer_that_breaks_http_is_502(mesh: Outbound, answer: bytes) -> None:
    def script(request: SeenRequest, sock: socket.socket) -> bytes | None:
        sock.sendall(answer)
        return None

    mesh.app.script = script
    assert mesh.ask("/broken").status == 502


def test_interim_responses_are_swallowed(mesh: Outbound) -> None:
    mesh.app.script = always(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + ok(b"final"))
    answer = mesh.ask("/interim")
    assert (answer.status, answer.body) == (200, b"final")


def test_bodies_without_length_end_with_their_connection(mesh: Outbound) -> None:
    def until_close(request: SeenRequest, sock: socket.socket) -> bytes | None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nconnection: x-hop\r\nx-hop: 1\r\nx-end: 2\r\n\r\n" + b"y" * 100_000)
        return None

    mesh.app.script = until_close
    answer = mesh.ask("/until-close")
    assert answer.body == b"y" * 100_000
    assert "x-hop" not in answer.headers
    assert answer.headers["x-end"] == ["2"]


def test_chunked_answer_that_is_cut_is_cut_for_the_caller(mesh: Outbound) -> None:
    def cut(request: SeenRequest, sock: socket.socket) -> bytes | None:
        sock.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
        return None

    mesh.app.script = cut
    with pytest.raises(CutShortError):
        mesh.ask("/cut")


def test_malformed_chunk_in_an_answer_is_cut_for_the_caller(mesh: Outbound) -> None:
    mesh.app.script = always(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n")
    with pytest.raises(CutShortError):
        mesh.ask("/bad-chunk")


@pytest.mark.parametrize(
    ("method", "answer", "length"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", ["5"]),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", None),
        ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", ["5"]),
    ],
)
def test_answers_without_a_body_leave_the_connections_in_step(
    mesh: Outbound, method: str, answer: bytes, length: list[str] | None
) -> None:
    mesh.app.script = in_turn(answer, ok(b"next"))
    with mesh.proxy.outbound() as wire:
        assert wire.ask(method, "/no-body", "api").headers.get("content-length") == length
        assert wire.ask("GET", "/next", "api").body == b"next"


def test_connections_to_the_service_are_kept(mesh: Outbound) -> None:
    before = mesh.app.connections
    with mesh.proxy.outbound() as wire:
        for _ in range(20):
            wire.ask("GET", "/kept", "api")
    assert mesh.app.connections <= before + 1


def test_bytes_on_an_idle_connection_end_it(mesh: Outbound) -> None:
    """A second response that nobody asked for must not answer the next request."""
    mesh.app.script = always(ok(b"one") + ok(b"smuggled"))
    for _ in range(3):
        assert mesh.ask("/twice").body == b"one"


def test_early_answer_is_passed_on_and_its_connection_never_used_again(mesh: Outbound) -> None:
    def raw(sock: socket.socket) -> None:
        while True:
            data = b""
            while b"\r\n\r\n" not in data:
                data += receive(sock)
            sock.sendall(ok(data.split(b" ")[1]))

    with ScriptedApp(raw=raw) as app:
        folder = mesh.proxy.log_path.parent.parent / "early"
        files = ProxyAuthority(folder / "certs").issue("web")
        with RunningProxy(caller(files, [service([route("c")])], [plain_cluster("c", app.port)]), folder) as proxy:
            with proxy.outbound() as wire:
                wire.send(b"POST /early HTTP/1.1\r\nHost: api\r\nContent-Length: 100000\r\n\r\nxx")
                answer = wire.response()
                assert answer.body == b"/early"
                assert answer.headers["connection"] == ["close"]
            with proxy.outbound() as wire:
                assert wire.ask("GET", "/after", "api").body == b"/after"
            assert app.connections == 2


def test_answers_to_many_clients_are_not_mixed_up(mesh: Outbound) -> None:
    mesh.app.script = lambda request, sock: ok(request.path.encode())
    wrong: Counter[str] = Counter()

    def client(number: int) -> None:
        with mesh.proxy.outbound() as wire:
            for turn in range(25):
                path = f"/c{number}/{turn}"
                if wire.ask("GET", path, "api", *(["Connection: close"] if turn == 24 else [])).body != path.encode():
                    wrong[path] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert len(mesh.app.requests) == 16 * 25


def test_slow_reader_holds_the_service_back_and_gets_everything(mesh: Outbound) -> None:
    size = 32 * 1024 * 1024
    sent = threading.Event()

    def large(request: SeenRequest, sock: socket.socket) -> bytes | None:
        sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        sock.sendall(bytes(size))
        sent.set()
        return b""

    mesh.app.script = large
    with mesh.proxy.outbound() as wire:
        wire.send(b"GET /large HTTP/1.1\r\nHost: api\r\n\r\n")
        assert not sent.wait(0.7), "the proxy took the whole response in"
        assert len(wire.response().body) == size


def test_slow_service_holds_the_client_back(mesh: Outbound) -> None:
    may_read = threading.Event()

    def raw(sock: socket.socket) -> None:
        data = receive(sock)
        may_read.wait(20)
        left = 32 * 1024 * 1024 - (len(data) - data.index(b"\r\n\r\n") - 4)
        while left:
            left -= len(receive(sock))
        sock.sendall(ok(b"all of it"))

    folder = mesh.proxy.log_path.parent.parent / "slow"
    files = ProxyAuthority(folder / "certs").issue("web")
    size = 32 * 1024 * 1024
    with ScriptedApp(raw=raw) as app:
        snapshot = caller(files, [service([route("c")])], [plain_cluster("c", app.port)])
        with RunningProxy(snapshot, folder) as proxy, proxy.outbound() as wire:
            wire.send(b"POST /up HTTP/1.1\r\nHost: api\r\nContent-Length: %d\r\n\r\n" % size)
            sent = 0
            wire.sock.settimeout(0.7)
            with contextlib.suppress(TimeoutError):
                while sent < size:
                    sent += wire.sock.send(bytes(1 << 20))
            assert sent < size, "the proxy took the whole request in"
            may_read.set()
            wire.sock.settimeout(20)
            wire.send(bytes(size - sent))
            assert wire.response().body == b"all of it"


def test_client_that_goes_away_ends_the_call(mesh: Outbound) -> None:
    ended = threading.Event()

    def wait_for_end(request: SeenRequest, sock: socket.socket) -> bytes | None:
        if sock.recv(1) == b"":
            ended.set()
        return None

    mesh.app.script = wait_for_end
    with mesh.proxy.outbound() as wire:
        wire.send(b"POST /gone HTTP/1.1\r\nHost: api\r\nContent-Length: 0\r\n\r\n")
        while not mesh.app.requests:
            time.sleep(0.01)
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert ended.wait(20)
    assert mesh.record("/gone")["status"] == 0
