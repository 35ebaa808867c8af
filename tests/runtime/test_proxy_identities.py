"""Whom a caller's proxy trusts: the callee's exact identity in the mesh, declared names outside it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshc_runtime.snapshot import Address, CertificateFiles, Cluster, TlsTransport
from meshc_runtime.tls import IdentityError, PeerIdentities
from support.proxy_app import ScriptedApp, SeenRequest, always, ok
from support.proxy_authority import ProxyAuthority, spiffe_id
from support.proxy_mesh import API_NAME, allow, callee, caller, mesh_cluster, route, service
from support.proxy_process import RunningProxy
from support.proxy_wire import CutShortError, client_context


def server_context(files: CertificateFiles, *, mutual: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert_chain, files.private_key)
    if mutual:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(files.trust_bundle)
    return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> ProxyAuthority:
    return ProxyAuthority(tmp_path_factory.mktemp("certs"))


@pytest.fixture
def app() -> Iterator[ScriptedApp]:
    with ScriptedApp() as running:
        yield running


def test_only_the_callees_own_identity_is_called(authority: ProxyAuthority, tmp_path: Path, app: ScriptedApp) -> None:
    everything = [allow("all", "web")]
    with RunningProxy(callee(authority.issue("api"), app.port, rules=everything), tmp_path / "api") as api:
        inbound = api.addresses["inbound"]
        services = [service([route(name)], name=name) for name in ("api", "ledger")]
        clusters = [mesh_cluster("api", inbound), mesh_cluster("ledger", inbound, identity="ledger")]
        with (
            RunningProxy(caller(authority.issue("web"), services, clusters), tmp_path / "web") as web,
            web.outbound() as wire,
        ):
            assert wire.ask("GET", "/", "api").status == 200
            assert wire.ask("GET", "/", "ledger").status == 503
            (record,) = web.log(lambda record: record["callee"] == "ledger")
            assert "the peer is" in record["reason"]
    assert len(app.requests) == 1


def test_callee_of_another_authority_is_not_called(authority: ProxyAuthority, tmp_path: Path, app: ScriptedApp) -> None:
    forged = ProxyAuthority(tmp_path / "forged").issue("api")
    with (
        ScriptedApp(tls=server_context(forged)) as impostor,
        RunningProxy(
            caller(
                authority.issue("web"), [service([route("api")])], [mesh_cluster("api", f"127.0.0.1:{impostor.port}")]
            ),
            tmp_path / "web",
        ) as web,
        web.outbound() as wire,
    ):
        assert wire.ask("GET", "/", "api").status == 503
        assert impostor.requests == []
        assert "CERTIFICATE_VERIFY_FAILED" in web.log()[0]["reason"]


def test_callee_that_refuses_the_caller_is_503(authority: ProxyAuthority, tmp_path: Path, app: ScriptedApp) -> None:
    """In TLS 1.3 the caller hears of it only after its own handshake is done."""
    other = ProxyAuthority(tmp_path / "other")
    web_files = other.issue("web").model_copy(update={"trust_bundle": authority.issue("x").trust_bundle})
    with RunningProxy(callee(authority.issue("api"), app.port), tmp_path / "api") as api:
        clusters = [mesh_cluster("api", api.addresses["inbound"])]
        with (
            RunningProxy(caller(web_files, [service([route("api")])], clusters), tmp_path / "web") as web,
            web.outbound() as wire,
        ):
            assert wire.ask("GET", "/", "api").status == 503
            series = 'meshc_connections_refused_total{direction="inbound",reason="handshake"}'
            assert api.metric(series) == 1
    assert app.requests == []


def test_response_that_a_cut_tls_connection_ends_is_not_taken_for_whole(
    authority: ProxyAuthority, tmp_path: Path
) -> None:
    def cut(request: SeenRequest, sock: socket.socket) -> bytes | None:
        if request.path == "/whole":
            return ok()
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nhalf of it")
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
        return None

    with (
        ScriptedApp(script=cut, tls=server_context(authority.issue("api"), mutual=True)) as api,
        RunningProxy(
            caller(authority.issue("web"), [service([route("api")])], [mesh_cluster("api", f"127.0.0.1:{api.port}")]),
            tmp_path / "web",
        ) as web,
        web.outbound() as wire,
    ):
        assert wire.ask("GET", "/whole", "api").status == 200
        with pytest.raises(CutShortError):
            wire.ask("GET", "/half", "api")


@pytest.mark.parametrize(
    ("carried", "accepted", "minimum", "trusted", "status"),
    [
        (["pay.example.com"], ("pay.example.com",), "1.2", True, 200),
        (["pay.example.com"], ("other.example.com", "pay.example.com"), "1.3", True, 200),
        (["*.example.com"], ("pay.example.com",), "1.2", True, 200),
        (["*.example.com"], ("a.pay.example.com",), "1.2", True, 503),
        (["*.com"], ("example.com",), "1.2", True, 503),
        (["evil.example.org"], ("pay.example.com",), "1.2", True, 503),
        (["pay.example.com"], ("pay.example.com",), "1.2", False, 503),
        ([], ("pay.example.com",), "1.2", True, 503),
    ],
)
def test_service_outside_the_mesh_must_carry_a_declared_name(
    authority: ProxyAuthority,
    tmp_path: Path,
    carried: list[str],
    accepted: tuple[str, ...],
    minimum: str,
    trusted: bool,
    status: int,
) -> None:
    outside = ProxyAuthority(tmp_path / "outside")
    files = outside.issue("pay", uris=[], dns=carried)
    roots = files.trust_bundle if trusted else None
    with ScriptedApp(script=always(ok(b"paid")), tls=server_context(files)) as pay:
        cluster = Cluster(
            name="pay",
            endpoints=(Address(host="127.0.0.1", port=pay.port),),
            transport=TlsTransport(
                server_name="pay.example.com",
                minimum_version="1.3" if minimum == "1.3" else "1.2",
                ca_file=roots,
                dns_names=accepted,
            ),
        )
        external = service([route("pay")], name="pay", hosts=["pay.example.com"], port=443, rules=[allow("pay", "web")])
        with (
            RunningProxy(caller(authority.issue("web"), [external], [cluster]), tmp_path / "web") as web,
            web.outbound() as wire,
        ):
            assert wire.ask("GET", "/", "pay.example.com").status == status
        assert len(pay.requests) == (status == 200)


def test_sessions_are_resumed_by_callers(authority: ProxyAuthority, tmp_path: Path) -> None:
    resumed: list[bool | None] = []

    def script(request: SeenRequest, sock: socket.socket) -> bytes:
        assert isinstance(sock, ssl.SSLSocket)
        resumed.append(sock.session_reused)
        return ok(b"ok", "connection: close")

    with ScriptedApp(tls=server_context(authority.issue("api"), mutual=True), script=script) as app:
        clusters = [mesh_cluster("api", f"127.0.0.1:{app.port}")]
        snapshot = caller(authority.issue("web"), [service([route("api")])], clusters)
        with RunningProxy(snapshot, tmp_path / "web") as web, web.outbound() as wire:
            for _ in range(3):
                assert wire.ask("GET", "/", "api").status == 200
    assert resumed == [False, True, True]


def test_sessions_are_resumed_by_callees_and_rules_go_by_who_resumes(
    authority: ProxyAuthority, tmp_path: Path, app: ScriptedApp
) -> None:
    rules = [allow("all", "web")]
    with RunningProxy(callee(authority.issue("api"), app.port, rules=rules), tmp_path / "api") as api:
        host, _, port = api.addresses["inbound"].rpartition(":")
        for who, status in (("web", b"200"), ("batch", b"403")):
            context = client_context(authority.issue(who))
            session: ssl.SSLSession | None = None
            for reused in (False, True):
                with (
                    socket.create_connection((host, int(port)), 10) as plain,
                    context.wrap_socket(plain, server_hostname=API_NAME, session=session) as sock,
                ):
                    sock.sendall(b"GET / HTTP/1.1\r\nHost: api\r\n\r\n")
                    assert sock.recv(1000)[9:12] == status
                    assert sock.session_reused is reused
                    session = sock.session


def test_a_certificate_that_expires_ends_what_it_began(authority: ProxyAuthority) -> None:
    files = authority.issue("web")
    der = ssl.PEM_cert_to_DER_cert(Path(files.cert_chain).read_text())

    class Session:
        def getpeercert(self, binary: bool) -> bytes:
            return der

    now = [0.0]
    identities = PeerIdentities(lambda: now[0])
    assert identities.read(Session()).spiffe_id == spiffe_id("web")  # type: ignore[arg-type]
    now[0] = 1e11
    with pytest.raises(IdentityError, match="expired"):
        identities.read(Session())  # type: ignore[arg-type]
