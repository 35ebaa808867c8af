"""What a caller meets at a workload's door: TLS, identities, rules, limits, ports, and broken HTTP."""

from __future__ import annotations

import socket
import ssl
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from meshc_runtime.snapshot import Address, AuthorizationRule, CertificateFiles, HeaderEquals, NotCondition, RateLimit
from support.loopback_ports import own_ports
from support.proxy_app import ScriptedApp, always, ok
from support.proxy_authority import ProxyAuthority, spiffe_id
from support.proxy_mesh import API_NAME, allow, callee, deny
from support.proxy_process import RunningProxy
from support.proxy_wire import CutShortError, Wire


@dataclass
class Door:
    app: ScriptedApp
    proxy: RunningProxy
    authority: ProxyAuthority
    identities: dict[str, CertificateFiles]

    def enter(self, who: str = "web", server_name: str | None = API_NAME) -> Wire:
        return Wire(self.proxy.addresses["inbound"], identity=self.identities[who], server_name=server_name)

    def refused(self, identity: CertificateFiles, server_name: str = API_NAME) -> bool:
        """Whether the door stays shut: in TLS 1.3 a client learns of it at its first read."""
        try:
            with Wire(self.proxy.addresses["inbound"], identity=identity, server_name=server_name) as wire:
                wire.send(b"GET /open HTTP/1.1\r\nHost: api\r\n\r\n")
                return wire.rest() == b""
        except (OSError, ssl.SSLError):
            return True


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder: Path = tmp_path_factory.mktemp("inbound")
    authority = ProxyAuthority(folder / "certs")
    beta = AuthorizationRule(
        id="beta",
        effect="deny",
        callers=(spiffe_id("web"),),
        condition=NotCondition(of=HeaderEquals(name="x-beta", value="yes")),
        path=allow("x", path="/beta/**").path,
    )
    rules = [allow("web-may", "web", "batch"), deny("no-admin", "web", path="/admin/**"), beta]
    limits = [
        RateLimit(id="slow", callers=(spiffe_id("batch"),), amount=1, per_seconds=3600, burst=2, per_header="x-user")
    ]
    identities = {name: authority.issue(name) for name in ("web", "batch", "stranger")}
    with (
        ScriptedApp() as app,
        RunningProxy(callee(authority.issue("api"), app.port, rules=rules, limits=limits), folder / "api") as proxy,
    ):
        yield Door(app=app, proxy=proxy, authority=authority, identities=identities)


@pytest.fixture
def door(opened: Door) -> Door:
    opened.app.script = always(ok())
    opened.app.requests.clear()
    return opened


def test_plaintext_is_closed(door: Door) -> None:
    with Wire(door.proxy.addresses["inbound"]) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: api\r\n\r\n")
        assert b"HTTP" not in wire.rest()
    assert door.app.requests == []


def test_client_without_certificate_is_closed(door: Door) -> None:
    nameless = CertificateFiles(cert_chain="", private_key="", trust_bundle=door.identities["web"].trust_bundle)
    assert door.refused(nameless)
    assert door.app.requests == []


@pytest.mark.parametrize(
    "spoiled", ["other authority", "expired", "not yet", "no uri", "two uris", "not spiffe", "no path", "an authority"]
)
def test_certificate_that_proves_nothing_is_closed(door: Door, tmp_path: Path, spoiled: str) -> None:
    authority = ProxyAuthority(tmp_path) if spoiled == "other authority" else door.authority
    web = spiffe_id("web")
    match spoiled:
        case "expired":
            files = authority.issue("spoiled", uris=[web], ends=timedelta(hours=-1))
        case "not yet":
            files = authority.issue("spoiled", uris=[web], begins=timedelta(hours=1))
        case "no uri":
            files = authority.issue("spoiled", uris=[], dns=["web"])
        case "two uris":
            files = authority.issue("spoiled", uris=[web, spiffe_id("api")])
        case "not spiffe":
            files = authority.issue("spoiled", uris=["https://shop.example/ns/default/sa/web"])
        case "no path":
            files = authority.issue("spoiled", uris=["spiffe://shop.example"])
        case "an authority":
            files = authority.issue("spoiled", uris=[web], authority=True)
        case _:
            files = authority.issue("spoiled", uris=[web])
    files = files.model_copy(update={"trust_bundle": door.identities["web"].trust_bundle})
    assert door.refused(files)
    assert door.app.requests == []


def test_old_tls_is_closed(door: Door) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(door.identities["web"].trust_bundle)
    context.load_cert_chain(door.identities["web"].cert_chain, door.identities["web"].private_key)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    host, _, port = door.proxy.addresses["inbound"].rpartition(":")
    with socket.create_connection((host, int(port)), 20) as plain, pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(plain, server_hostname=API_NAME)


def test_stranger_is_refused_without_a_reason(door: Door) -> None:
    with door.enter("stranger") as wire:
        answer = wire.ask("GET", "/", "api")
    assert (answer.status, answer.body) == (403, b"forbidden\n")
    record = door.proxy.log(lambda record: record["caller"] == spiffe_id("stranger"))[-1]
    assert (record["status"], record["rule"], record["reason"]) == (403, "", "not allowed")


def test_deny_wins_and_is_named_in_the_log_only(door: Door) -> None:
    with door.enter() as wire:
        assert wire.ask("GET", "/admin/x", "api").body == b"forbidden\n"
        assert wire.ask("GET", "/beta/x", "api").status == 403
        assert wire.ask("GET", "/beta/x", "api", "X-Beta: no, yes").status == 200
        assert wire.ask("GET", "/beta/x", "api", "X-Beta: yes", "Connection: x-beta").status == 403
    record = door.proxy.log(lambda record: record["path"] == "/admin/x")[-1]
    assert (record["rule"], record["callee"], record["port"]) == ("no-admin", "api", 8080)
    series = 'meshc_denied_total{direction="inbound",service="api",rule="no-admin"}'
    assert door.proxy.metric(series) >= 1


def test_trace_is_refused_even_where_every_method_is_allowed(door: Door) -> None:
    with door.enter() as wire:
        assert wire.ask("TRACE", "/a", "api").status == 405
    with door.enter("stranger") as wire:
        assert wire.ask("TRACE", "/a", "api").status == 403
    assert door.app.requests == []


def test_refused_request_does_not_end_the_connection(door: Door) -> None:
    with door.enter() as wire:
        assert [wire.ask("GET", path, "api").status for path in ("/admin", "/a", "/admin", "/b")] == [
            403,
            200,
            403,
            200,
        ]
    assert door.app.paths == ["/a", "/b"]


def test_limits(door: Door) -> None:
    with door.enter("batch") as wire:
        statuses = [wire.ask("GET", "/l", "api", f"X-User: {user}").status for user in "aababb"]
    assert statuses == [200, 200, 200, 429, 200, 429]
    with door.enter() as wire:
        assert [wire.ask("GET", "/l", "api").status for _ in range(5)] == [200] * 5
    assert door.proxy.log(lambda record: record["status"] == 429)[0]["reason"] == "limit slow"


def test_expect_continue_is_answered_here_and_not_passed_on(door: Door) -> None:
    with door.enter() as wire:
        wire.send(b"POST /e HTTP/1.1\r\nHost: api\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert wire.sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.send(b"ok")
        assert wire.response().status == 200
        wire.send(b"POST /admin HTTP/1.1\r\nHost: api\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert wire.rest().startswith(b"HTTP/1.1 403")
    (seen,) = door.app.requests
    assert "expect" not in seen.headers
    assert seen.body == b"ok"


def test_pipelined_requests_are_answered_in_order(door: Door) -> None:
    door.app.script = lambda request, sock: ok(request.path.encode())
    with door.enter() as wire:
        wire.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: api\r\n\r\n" % number for number in range(50)))
        assert [wire.response().body for _ in range(50)] == [b"/%d" % number for number in range(50)]


def test_one_byte_at_a_time(door: Door) -> None:
    with door.enter() as wire:
        for byte in b"\r\nPOST /slowly HTTP/1.1\r\nHost: api\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n":
            wire.send(bytes([byte]))
        assert wire.response().status == 200
    assert door.app.requests[-1].body == b"ok"


def test_half_closed_client_gets_its_answer(door: Door) -> None:
    with door.enter() as wire:
        wire.send(b"GET /half HTTP/1.1\r\nHost: api\r\n\r\n")
        raw = wire.sock
        assert isinstance(raw, ssl.SSLSocket)
        socket.socket.shutdown(raw, socket.SHUT_WR)
        assert wire.response().body == b"ok"


def test_edits_stay_in_the_head(door: Door) -> None:
    body = b"\r\nConnection: keep-alive\r\nX-Forwarded-Client-Cert: mine\r\n\r\n"
    with door.enter() as wire:
        wire.ask("POST", "/edit", "api", "Connection: keep-alive", body=body)
    assert door.app.requests[-1].body == body
    assert "connection" not in door.app.requests[-1].headers


@pytest.mark.parametrize("kind", ["websocket2", "foo/2"])
def test_upgrade_is_refused(door: Door, kind: str) -> None:
    with door.enter() as wire:
        assert wire.ask("GET", "/ws", "api", "Connection: Upgrade", f"Upgrade: {kind}").status == 403
        assert (
            wire.ask(
                "GET", "/h2c", "api", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: x"
            ).status
            == 200
        )
    (seen,) = door.app.requests
    assert not {"upgrade", "http2-settings", "connection"} & seen.headers.keys()


NEXT = b"GET /x HTTP/1.1\r\nHost: api\r\n\r\n"


def post(*lines: bytes) -> bytes:
    return b"\r\n".join((b"POST /s HTTP/1.1", b"Host: api", *lines, b"", b""))


@pytest.mark.parametrize(
    ("status", "request_bytes"),
    [
        (400, post(b"Content-Length: 6", b"Transfer-Encoding: chunked") + b"0\r\n\r\n"),
        (400, post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x") + b"0\r\n\r\n"),
        (400, post(b"Content-Length: 0", b"Content-Length: 44")),
        (400, post(b"Transfer-Encoding : chunked") + b"0\r\n\r\n"),
        (400, b"GET /s HTTP/1.1\r\nHost: api\r\nX: 1\n\n"),
        (400, b"GET /s HTTP/1.1\r\nHost: api\r\n\rX: 1\r\n\r\n"),
        (400, b"GET /s HTTP/1.1\r\nHost: api\r\nX: 1\r\n 2\r\n\r\n"),
        (426, b"GET /s HTTP/1.0\r\nHost: api\r\nConnection: keep-alive\r\n\r\n"),
        (405, b"CONNECT api:80 HTTP/1.1\r\nHost: api:80\r\n\r\n"),
        (417, post(b"Expect: maybe", b"Content-Length: 1") + b"1"),
        (431, b"GET /s HTTP/1.1\r\nHost: api\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"),
        (431, b"GET /s HTTP/1.1\r\nHost: api\r\n" + b"X: y\r\n" * 120 + b"\r\n"),
    ],
)
def test_broken_request_is_answered_once_and_nothing_after_it_is_read(
    door: Door, status: int, request_bytes: bytes
) -> None:
    with door.enter() as wire:
        wire.send(request_bytes + NEXT)
        answer = wire.rest()
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"connection: close") == answer.count(b"content-length") == 1
    assert door.app.requests == []


def test_broken_chunks_end_the_call_to_the_app(door: Door) -> None:
    with door.enter() as wire:
        wire.send(post(b"Transfer-Encoding: chunked") + b"3\r\nabc\r\nzz\r\n" + NEXT)
        assert wire.rest().startswith(b"HTTP/1.1 400 ")
    assert door.app.requests == []


def test_app_that_is_down_is_503(door: Door, tmp_path: Path) -> None:
    port = own_ports().take()
    web = door.identities["web"]
    with (
        RunningProxy(callee(door.authority.issue("api"), port), tmp_path) as proxy,
        Wire(proxy.addresses["inbound"], identity=web, server_name=API_NAME) as wire,
    ):
        assert wire.ask("GET", "/", "api").status == 503
        assert wire.ask("GET", "/", "api").status == 503


def test_ports_are_chosen_by_server_name(door: Door, tmp_path: Path) -> None:
    with ScriptedApp(script=always(ok(b"second"))) as second:
        snapshot = callee(door.authority.issue("api"), door.app.port)
        first_port = snapshot.inbound[0]
        other = first_port.model_copy(
            update={
                "number": 9090,
                "server_name": "9090.api.default.mesh.internal",
                "app": Address(host="127.0.0.1", port=second.port),
                "rules": (allow("batch-only", "batch"),),
            }
        )
        raw = first_port.model_copy(
            update={"number": 50051, "server_name": "50051.api.default.mesh.internal", "protocol": "tcp"}
        )
        snapshot = snapshot.model_copy(update={"inbound": (first_port, other, raw)})
        with RunningProxy(snapshot, tmp_path) as proxy:

            def enter(who: str, name: str | None) -> Wire:
                return Wire(proxy.addresses["inbound"], identity=door.identities[who], server_name=name)

            with enter("web", API_NAME) as wire:
                assert wire.ask("GET", "/", "api").body == b"ok"
            with enter("web", "9090.api.default.mesh.internal") as wire:
                assert wire.ask("GET", "/", "api").status == 403
            with enter("batch", "9090.API.default.mesh.internal") as wire:
                assert wire.ask("GET", "/", "api").body == b"second"
            for unknown in ("1.api.default.mesh.internal", None):
                with pytest.raises((ssl.SSLError, OSError, CutShortError)), enter("web", unknown) as wire:
                    wire.ask("GET", "/", "api")
            with enter("web", raw.server_name) as wire:
                wire.send(b"GET / HTTP/1.1\r\nHost: api\r\n\r\n")  # bytes like any others
                assert wire.response().body == b"ok"
