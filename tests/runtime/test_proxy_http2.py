"""HTTP/2 through real proxies: an app that speaks either version, a client that speaks either, and what is between."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from meshc_runtime.http2_frame import ErrorCode
from meshc_runtime.snapshot import CertificateFiles, ConnectionGuards, Snapshot
from support.http2_peer import Headers, Http2Peer, Http2Wire, Message, respond, serve_http2
from support.proxy_app import ScriptedApp, ok
from support.proxy_authority import ProxyAuthority
from support.proxy_mesh import API_NAME, allow, callee, caller, deny, mesh_cluster, route, service
from support.proxy_process import RunningProxy
from support.proxy_wire import CutShortError, Wire

GRPC: Headers = (("content-type", "application/grpc"), ("te", "trailers"))


def echo(peer: Http2Peer, stream: int, request: Message) -> None:
    trailers = request.trailers or (("x-after", "1"),)
    told = tuple((f"saw-{name}", value) for name, value in request.headers if not name.startswith(":"))
    path = request.get(":path") or ""
    match path.split("?")[0].split("/")[1:]:
        case ["wait"]:
            pass
        case ["status", code]:
            respond(peer, stream, int(code), told)
        case ["trailers-only", code]:
            respond(peer, stream, 200, (("content-type", "application/grpc"), ("grpc-status", code)))
        case ["reset", code]:
            peer.h2.reset_stream(stream, ErrorCode[code])
            peer.flush()
        case ["cut"]:
            peer.h2.send_headers(stream, [(":status", "200")])
            peer.h2.send_data(stream, b"half")
            peer.h2.reset_stream(stream, ErrorCode.INTERNAL_ERROR)
            peer.flush()
        case ["goaway"]:
            respond(peer, stream, 200, told, b"last")
            peer.h2.close_connection()
            peer.flush()
        case ["big", size]:
            respond(peer, stream, 200, told, b"b" * int(size), trailers)
        case ["malformed"]:
            peer.h2.send_headers(stream, [(":status", "200"), ("connection", "x")], end_stream=True)
            peer.flush()
        case ["too-short"]:
            respond(peer, stream, 200, (("content-length", "10"),), b"short")
        case _:
            respond(peer, stream, 200, told, request.body or path.encode(), trailers)


@dataclass
class Http2App:
    """An app behind a proxy that speaks HTTP/2 in the clear."""

    seen: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.app = ScriptedApp(raw=self._serve)

    @property
    def connections(self) -> int:
        return self.app.connections

    def _serve(self, sock: socket.socket) -> None:
        def answer(peer: Http2Peer, stream: int, request: Message) -> None:
            self.seen.append(request)
            echo(peer, stream, request)

        serve_http2(sock, answer)


@dataclass
class Chain:
    """The way of a request: `web`'s proxy, `api`'s proxy, an app that speaks HTTP/2 and one that does not."""

    modern: Http2App
    plain: ScriptedApp
    web: RunningProxy
    api: RunningProxy
    identity: CertificateFiles

    def outbound(self) -> Http2Wire:
        return Http2Wire(self.web.addresses["outbound"])

    def inbound(self, *, alpn: bool = True, name: str = API_NAME) -> Http2Wire:
        return Http2Wire(self.api.addresses["inbound"], identity=self.identity, server_name=name, alpn=alpn)


PLAIN_NAME = "8081.api.default.mesh.internal"
RULES = (allow("web-may", "web"), deny("no-admin", "web", path="/admin/**"))


def both_ports(authority: ProxyAuthority, modern: int, plain: int, guards: ConnectionGuards | None = None) -> Snapshot:
    snapshot = callee(authority.issue("api"), modern, rules=RULES, guards=guards)
    first = snapshot.inbound[0].model_copy(update={"protocol": "grpc"})
    other = callee(authority.issue("api"), plain, rules=RULES).inbound[0]
    other = other.model_copy(update={"number": 8081, "server_name": PLAIN_NAME})
    return snapshot.model_copy(update={"inbound": (first, other)})


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    folder: Path = tmp_path_factory.mktemp("http2")
    authority = ProxyAuthority(folder / "certs")
    modern = Http2App()
    with modern.app, ScriptedApp() as plain:
        snapshot = both_ports(authority, modern.app.port, plain.port)
        with RunningProxy(snapshot, folder / "api") as api:
            grpc = mesh_cluster("api", api.addresses["inbound"]).model_copy(update={"speaks": "h2"})
            http = mesh_cluster("old", api.addresses["inbound"])
            http = http.model_copy(update={"transport": http.transport.model_copy(update={"server_name": PLAIN_NAME})})
            services = [service([route("api")]), service([route("old")], name="old", port=8081)]
            services[0] = services[0].model_copy(update={"protocol": "grpc"})
            with RunningProxy(caller(authority.issue("web"), services, [grpc, http]), folder / "web") as web:
                yield Chain(modern=modern, plain=plain, web=web, api=api, identity=authority.issue("web"))


@pytest.fixture
def chain(opened: Chain) -> Chain:
    opened.modern.seen.clear()
    opened.plain.requests.clear()
    opened.plain.script = lambda request, sock: ok(request.body or request.path.encode())
    return opened


def test_a_request_on_its_whole_way_in_http2(chain: Chain) -> None:
    with chain.outbound() as wire:
        answer = wire.ask("POST", "/a/../b?c=1", "api", [("x-a", "1"), *GRPC], body=b"hello", trailers=[("x-t", "2")])
    assert (answer.status, answer.body, answer.trailers) == (200, b"hello", (("x-t", "2"),))
    assert answer.get("saw-x-a") == "1"
    assert answer.get("saw-te") == "trailers"
    assert "URI=spiffe://shop.example/ns/default/sa/web" in (answer.get("saw-x-forwarded-client-cert") or "")
    (seen,) = chain.modern.seen
    assert (seen.get(":path"), seen.get(":authority"), seen.trailers) == ("/b?c=1", "api", (("x-t", "2"),))


def test_many_requests_at_once_share_a_connection(chain: Chain) -> None:
    with chain.outbound() as wire:
        before = chain.modern.connections
        streams = [wire.begin("GET", f"/n/{number}", "api") for number in range(90)]
        bodies = [wire.whole(stream).body for stream in streams]
        assert bodies == [f"/n/{number}".encode() for number in range(90)]
        assert chain.modern.connections - before <= 1


@pytest.mark.parametrize("alpn", [True, False])
def test_http2_is_agreed_on_or_known_beforehand(chain: Chain, alpn: bool) -> None:
    with chain.inbound(alpn=alpn) as wire:
        assert wire.ask("GET", "/x", "api").body == b"/x"


def test_either_version_on_either_side(chain: Chain) -> None:
    with chain.outbound() as wire:
        answer = wire.ask("POST", "/up", "old", [("cookie", "a=1"), ("cookie", "b=2")], body=b"body")
        assert (answer.status, answer.body) == (200, b"body")
        assert wire.ask("HEAD", "/up", "old").body == b""
        assert wire.ask("GET", "/get", "old").get("content-length") == "4"
    assert chain.plain.requests[0].headers["transfer-encoding"] == ["chunked"]
    assert chain.plain.requests[0].headers["cookie"] == ["a=1; b=2"]
    assert not {"te", ":path", "content-length"} & chain.plain.requests[1].headers.keys()
    with Wire(chain.web.addresses["outbound"]) as old:
        answer2 = old.ask("POST", "/down", "api", "X-Upper: Case", body=b"data")
        assert (answer2.status, answer2.body) == (200, b"data")
        assert answer2.headers["saw-x-upper"] == ["Case"]
        assert old.ask("GET", "/status/204", "api").status == 204
        assert old.ask("GET", "/status/503", "api").headers["content-length"] == ["0"]
        assert old.ask("HEAD", "/status/200", "api").status == 200


def test_trailers_cross_into_chunks_and_back(chain: Chain) -> None:
    with Wire(chain.web.addresses["outbound"]) as wire:
        wire.send(
            b"POST /t HTTP/1.1\r\nHost: api\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\nX-Sum: 1\r\nContent-Length: 7\r\nx-forwarded-client-cert: me\r\n\r\n"
        )
        data = b""
        while b"x-sum: 1\r\n\r\n" not in data:
            data += wire.sock.recv(1000)
        assert b"\r\n0\r\nx-sum: 1\r\n\r\n" in data
    assert chain.modern.seen[0].trailers == (("x-sum", "1"),)


def test_refusals_in_the_form_of_the_caller(chain: Chain) -> None:
    with chain.outbound() as wire:
        answer = wire.ask("GET", "/admin/x", "api")
        assert (answer.status, answer.body) == (403, b"forbidden\n")
        answer = wire.ask("POST", "/admin/x", "api", GRPC, body=b"")
        assert (answer.status, answer.get("grpc-status"), answer.get("grpc-message")) == (200, "7", "forbidden")
        assert answer.body == b""
        assert wire.ask("GET", "/", "nowhere.example").status == 404
        assert wire.ask("POST", "/", "nowhere.example", GRPC, body=b"").get("grpc-status") == "12"
    with Wire(chain.web.addresses["outbound"]) as old:
        refused = old.ask("POST", "/admin/x", "api", "Content-Type: application/grpc+proto")
        assert refused.headers["grpc-status"] == ["7"]
        assert refused.headers["content-length"] == ["0"]
    record = chain.api.log(lambda record: record["path"] == "/admin/x")[0]
    assert record["rule"] == "no-admin"


def test_a_trailers_only_answer_stays_one_block(chain: Chain) -> None:
    with chain.outbound() as wire:
        answer = wire.ask("POST", "/trailers-only/5", "api", GRPC, body=b"")
    assert (answer.get("grpc-status"), answer.body, answer.trailers) == ("5", b"", ())
    assert answer.get("content-length") is None


MALFORMED: dict[str, list[tuple[str, str]]] = {
    "upper case": [("X-Upper", "1")],
    "connection": [("connection", "close")],
    "transfer-encoding": [("transfer-encoding", "chunked")],
    "upgrade": [("upgrade", "websocket")],
    "keep-alive": [("keep-alive", "1")],
    "te": [("te", "gzip")],
    "space before": [("x", " a")],
    "space after": [("x", "a ")],
    "line in value": [("x", "a\r\nhost: evil")],
    "bare line feed": [("x", "a\nb")],
    "nul": [("x", "a\0b")],
    "space in name": [("x y", "1")],
    "colon in name": [("x:y", "1")],
    "empty name": [("", "1")],
    "late pseudo-header": [("x", "1"), (":path", "/other")],
    "unknown pseudo-header": [(":protocol", "websocket")],
    "two paths": [(":path", "/b")],
    "status": [(":status", "200")],
    "other host": [("host", "other")],
    "two hosts": [("host", "api"), ("host", "api")],
    "two lengths": [("content-length", "0"), ("content-length", "0")],
    "signed length": [("content-length", "+0")],
    "length without body": [("content-length", "5")],
    "underscore": [("transfer_encoding", "chunked")],
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_requests_are_refused_alone(chain: Chain, name: str) -> None:
    for host in ("api", "old"):
        with chain.outbound() as wire:
            good = wire.begin("POST", "/good", host, end=False)
            answer = wire.ask("GET", "/bad", host, MALFORMED[name])
            assert answer.status == 400
            wire.send(good, b"fine")
            assert wire.whole(good).body == b"fine"
    assert [request.get(":path") for request in chain.modern.seen] == ["/good"]
    assert chain.plain.paths == ["/good"]


@pytest.mark.parametrize(
    ("method", "path", "host", "status"),
    [
        ("CONNECT", "/x", "api", 405),
        ("GET", "x", "api", 400),
        ("GET", "/a b", "api", 400),
        ("GET", "/a#b", "api", 400),
        ("GET", "/a%2fb", "api", 400),
        ("GET", "http://api/x", "api", 400),
        ("OPTIONS", "*", "api", 400),
        ("get", "/", "api", 400),
        ("GET", "/", "api:99999", 400),
        ("GET", "/", "user@api", 400),
        ("GET", "/", "", 400),
        ("FOO", "/", "api", 400),
    ],
)
def test_odd_targets_are_refused(chain: Chain, method: str, path: str, host: str, status: int) -> None:
    with chain.outbound() as wire:
        assert wire.ask(method, path, host).status == status
    assert chain.modern.seen == []


def test_bodies_that_are_not_as_announced_reset_the_stream(chain: Chain) -> None:
    with chain.outbound() as wire:
        for host in ("api", "old"):
            for announced in (3, 50):
                stream = wire.begin("POST", "/x", host, [("content-length", str(announced))], end=False)
                wire.send(stream, b"ten bytes!")
                assert wire.whole(stream).reset == ErrorCode.PROTOCOL_ERROR
        assert wire.ask("GET", "/after", "old").status == 200
    assert [path for path in chain.plain.paths if path != "/after"] == []


def test_head_too_large(chain: Chain) -> None:
    with chain.outbound() as wire:
        assert wire.ask("GET", "/", "api", [("x", "v" * 16_000)] * 4).status == 431
        assert wire.ask("GET", "/", "api", [(f"x-{n}", "v") for n in range(120)]).status == 431
        assert wire.ask("GET", "/", "api").status == 200


def test_a_claimed_identity_is_dropped(chain: Chain) -> None:
    with chain.inbound() as wire:
        wire.ask("GET", "/x", "api", [("x-forwarded-client-cert", "URI=evil")])
        assert wire.ask("GET", "/x", "api", [("x_forwarded_client_cert", "evil")]).status == 400
    values = [value for name, value in chain.modern.seen[0].headers if "client" in name]
    assert len(values) == 1
    assert "evil" not in values[0]


def test_upstream_streams_that_fail(chain: Chain) -> None:
    with chain.outbound() as wire:
        assert wire.ask("GET", "/reset/REFUSED_STREAM", "api").status == 503
        assert wire.ask("GET", "/reset/INTERNAL_ERROR", "api").status == 503
        assert wire.ask("POST", "/reset/CANCEL", "api", GRPC, body=b"").get("grpc-status") == "14"
        assert wire.ask("GET", "/malformed", "api").status == 502
        cut = wire.ask("GET", "/cut", "api")
        assert (cut.status, cut.body, cut.ended) == (200, b"half", False)
        assert cut.reset == ErrorCode.INTERNAL_ERROR
        assert wire.ask("GET", "/too-short", "api").reset is not None
        assert wire.ask("GET", "/fine", "api").status == 200
    with Wire(chain.web.addresses["outbound"]) as old, pytest.raises(CutShortError):
        old.ask("GET", "/cut", "api")


def test_a_server_that_goes_away_gets_no_more(chain: Chain) -> None:
    with chain.outbound() as wire:
        for _ in range(5):
            assert wire.ask("GET", "/goaway", "api").body == b"last"


def test_large_bodies_both_ways_and_slow_readers(chain: Chain) -> None:
    size = 3_000_000
    with chain.outbound() as wire:
        answer = wire.ask("POST", "/echo", "api", body=b"u" * size)
        assert len(answer.body) == size
        answer = wire.ask("POST", "/echo", "old", body=b"u" * size)
        assert len(answer.body) == size
    with Wire(chain.web.addresses["outbound"]) as old:
        assert len(old.ask("GET", f"/big/{size}", "api").body) == size
    with Http2Wire(chain.web.addresses["outbound"], window=1000) as slow:
        slow.acknowledges = False
        stream = slow.begin("GET", f"/big/{size}", "api")
        slow.until(lambda: len(slow.messages.get(stream, Message()).body) == 1000)
        other = slow.begin("GET", "/small", "old")
        assert slow.whole(other).body == b"/small"  # one stream's reader does not hold up the others
        slow.h2.increment_flow_control_window(size, stream)
        slow.h2.increment_flow_control_window(size)
        slow.flush()
        assert len(slow.whole(stream).body) == size


def test_a_client_that_gives_up_is_seen_by_the_app(chain: Chain) -> None:
    with chain.outbound() as wire:
        stream = wire.begin("GET", "/wait", "api")
        while not chain.modern.seen:
            time.sleep(0.01)
        wire.h2.reset_stream(stream, ErrorCode.CANCEL)
        wire.flush()
        while chain.modern.seen[0].reset is None:
            time.sleep(0.01)
        assert wire.ask("GET", "/next", "api").status == 200
    record = chain.web.log(lambda record: record["path"] == "/wait")[0]
    assert "reset by peer" in record["reason"]


def test_an_answer_before_the_request_is_whole(chain: Chain) -> None:
    """The rest of the request is not wanted: the stream is reset without an error, and the connection lives."""
    with chain.outbound() as wire:
        stream = wire.begin("POST", "/admin/x", "api", end=False)
        answer = wire.whole(stream)
        assert (answer.status, answer.ended) == (403, True)
        wire.until(lambda: answer.reset is not None)
        assert answer.reset == ErrorCode.NO_ERROR
        assert wire.ask("GET", "/next", "api").status == 200


def test_expect_continue(chain: Chain) -> None:
    with chain.outbound() as wire:
        stream = wire.begin("POST", "/x", "old", [("expect", "100-continue")], end=False)
        wire.until(lambda: bool(wire.messages.get(stream, Message()).interim))
        wire.send(stream, b"now")
        assert wire.whole(stream).body == b"now"
        assert wire.ask("POST", "/x", "old", [("expect", "200-ok")], body=b"").status == 417


def test_rapid_reset_ends_the_connection(chain: Chain) -> None:
    with chain.outbound() as wire:
        with contextlib.suppress(OSError):
            for _ in range(2000):
                stream = wire.begin("GET", "/x", "api")
                wire.h2.reset_stream(stream, ErrorCode.CANCEL)
                wire.flush()
        assert wire.end() in (ErrorCode.ENHANCE_YOUR_CALM, None)
    with chain.outbound() as wire:
        assert wire.ask("GET", "/x", "api").status == 200


def test_a_proxy_that_stops_ends_what_runs_and_says_so(tmp_path: Path) -> None:
    authority = ProxyAuthority(tmp_path)
    go_on = threading.Event()

    def script(request: object, sock: socket.socket) -> bytes:
        go_on.wait(10)
        return ok(b"late")

    with (
        ScriptedApp(script=script) as app,
        RunningProxy(callee(authority.issue("api"), app.port), tmp_path / "api") as proxy,
        Http2Wire(proxy.addresses["inbound"], identity=authority.issue("web"), server_name=API_NAME) as wire,
    ):
        stream = wire.begin("GET", "/slow", "api")
        while not app.requests:
            time.sleep(0.01)
        proxy.process.terminate()
        wire.until(lambda: wire.going_away is not None)
        assert wire.going_away == ErrorCode.NO_ERROR
        go_on.set()
        assert wire.messages.get(stream) is None or not wire.messages[stream].ended
        assert wire.whole(stream).body == b"late"
        assert wire.end() == ErrorCode.NO_ERROR
        assert proxy.process.wait(10) == 0


def test_deadlines_of_connections_and_bodies(tmp_path: Path) -> None:
    authority = ProxyAuthority(tmp_path)
    guards = ConnectionGuards(head_timeout_ms=300, body_idle_timeout_ms=300, idle_timeout_ms=1500)
    modern = Http2App()
    with (
        modern.app,
        RunningProxy(both_ports(authority, modern.app.port, 1, guards), tmp_path / "api") as proxy,
    ):
        identity = authority.issue("web")

        def enter(**more: Any) -> Http2Wire:
            return Http2Wire(proxy.addresses["inbound"], identity=identity, server_name=API_NAME, **more)

        with enter() as wire:
            assert wire.ask("POST", "/x", "api", [("content-length", "9")], body=None).status == 400
            stream = wire.begin("POST", "/x", "api", end=False)
            answer = wire.whole(stream)
            assert answer.status == 408
        with enter(window=10) as wire:
            wire.acknowledges = False
            stream = wire.begin("GET", "/big/1000", "api")
            assert wire.whole(stream).reset == ErrorCode.CANCEL
        for bytes_of_nothing in (b"\0\0\x05\1\4\0\0\0\1", b""):  # a frame that does not end, and none
            with enter() as wire:
                assert wire.ask("GET", "/x", "api").status == 200
                wire.sock.sendall(bytes_of_nothing)
                assert wire.end() == ErrorCode.NO_ERROR
