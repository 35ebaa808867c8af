"""What a workload may call at all: names of the mesh, of externals, of nobody; the gateway; the pages for probes."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from meshc_backends.placement import Address
from meshc_compiler.ir.mesh import INGRESS, Mesh
from meshc_compiler.ir.setting import Settings
from meshc_compiler.ir.workload import External, TlsOrigination, TlsVersion
from support.authority import Issued, TestAuthority
from support.echo_backend import EchoBackend
from support.envoy_mesh import LOOPBACK, EnvoyMesh
from support.http_call import Answer, call, exchange
from support.ir_mesh import DOMAIN, allow, deny, header, http_port, match, service, settings, spiffe, workload

_TLS = TlsOrigination()


def external(name: str, *hosts: str, tls: TlsOrigination | None = _TLS, port: int = 443) -> External:
    return External(name=name, hosts=hosts, port=http_port(port), tls=tls)


@dataclass
class Outside:
    """Servers outside the mesh, by the host that means them."""

    servers: dict[str, EchoBackend]
    roots: Path

    @property
    def addresses(self) -> dict[str, Address]:
        return {host: Address(LOOPBACK, server.port) for host, server in self.servers.items()}


def server_context(issued: Issued, *, at_most: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.chain, issued.key)
    if at_most is not None:
        context.maximum_version = at_most
    return context


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    directory = tmp_path_factory.mktemp("outside")
    public = TestAuthority(directory, "public.example", name="public")

    def certificate(name: str, *dns: str, rogue: bool = False) -> Issued:
        return public.issue(name, "", without_uri=True, dns_names=dns, rogue=rogue)

    exact = certificate("exact", "pay.example")
    contexts = {
        "pay.example": server_context(exact),
        "wild.pay.example": server_context(certificate("wild", "*.pay.example")),
        "other.example": server_context(exact),
        "rogue.example": server_context(certificate("rogue", "rogue.example", rogue=True)),
        "old.example": server_context(certificate("old", "old.example"), at_most=ssl.TLSVersion.TLSv1_2),
        "new.example": server_context(certificate("new", "new.example")),
        "plain.example": None,
    }
    with ExitStack() as stack:
        servers = {host: stack.enter_context(EchoBackend(host, tls=tls)) for host, tls in contexts.items()}
        yield Outside(servers, exact.bundle)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory, outside: Outside) -> Iterator[EnvoyMesh]:
    retry: Settings = settings(limit=1, on=("5xx",), backoff_ms=(1, 1))
    value = Mesh(
        name="outbound",
        trust_domain=DOMAIN,
        workloads=(workload("api"), workload("far", "away"), workload(INGRESS), workload("web"), workload("wide")),
        services=(
            service("api"),
            service("far", namespace="away"),
            service("web"),
            service("wide", http_port(80, "first"), http_port(81, "second")),
        ),
        externals=(
            external("hidden", "hidden.example"),
            external("new", "new.example", "old.example", tls=TlsOrigination(minimum=TlsVersion.TLS_1_3)),
            external("pay", "pay.example", "wild.pay.example", "other.example", "rogue.example"),
            external("plain", "plain.example", tls=None, port=8000),
        ),
        rules=(
            allow("web", "api"),
            allow("web", "far"),
            allow("web", "wide", port=80),
            allow("web", "wide", match("/second"), port=81),
            allow(INGRESS, "api"),
            allow("any", "api", match("/any")),
            allow("web", "pay", match("/v1/**", "GET", "POST"), port=443),
            allow("web", "pay", match("/header", when=header("x-key", "k")), port=443),
            allow("api", "pay", match("/only-api"), port=443),
            deny("web", "pay", match("/v1/secret/**"), port=443),
            deny("api", "pay", match("/v1/not-api"), port=443),
            allow("api", "hidden", port=443),
            allow("web", "new", port=443),
            allow("web", "plain", port=8000),
        ),
        edge_settings=(("web", "plain", retry),),
    )
    directory = tmp_path_factory.mktemp("mesh")
    with EnvoyMesh(value, directory, externals=outside.addresses, roots=outside.roots) as running:
        yield running


def ask(mesh: EnvoyMesh, host: str, target: str = "/", *, method: str = "GET", **headers: str) -> Answer:
    lines = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return call(mesh.outbound("web"), method, target, host=host, headers=lines)


@pytest.mark.parametrize(
    ("host", "status", "backend"),
    [
        ("api", 200, "api"),
        ("API", 200, "api"),
        ("api:8080", 200, "api"),
        ("api.default", 200, "api"),
        ("api.default:8080", 200, "api"),
        ("api.default.svc", 200, "api"),
        ("api.default.svc.cluster.local", 200, "api"),
        ("api.default.svc.cluster.local:8080", 200, "api"),
        ("api.default.svc.cluster.local.", 200, "api"),
        ("far", 200, "far"),
        ("far.away", 200, "far"),
        ("wide", 200, "wide"),
        ("wide:80", 200, "wide"),
        ("wide:81", 403, None),
        ("wide:82", 403, None),
        ("api:80", 403, None),
        ("web", 403, None),
        ("nobody", 403, None),
        ("nobody:1", 403, None),
        ("NOBODY", 403, None),
        ("far.default", 403, None),
        ("x.away", 403, None),
        ("x.AWAY:80", 403, None),
        ("x.default", 403, None),
        ("x.unknown", 404, None),
        ("x.svc", 403, None),
        ("a.b.svc", 403, None),
        ("a.b.svc:80", 403, None),
        ("a.b.svc.cluster.local", 403, None),
        ("a.b.away", 404, None),
        ("xaway", 403, None),
        ("svc", 403, None),
        ("xsvc.example", 404, None),
        ("example.org", 404, None),
        ("example.org:443", 404, None),
        ("127.0.0.1", 404, None),
        ("127.0.0.1:15000", 404, None),
        ("[::1]", 404, None),
        ("[::1]:80", 404, None),
        ("hidden.example", 404, None),
        ("sub.pay.example", 404, None),
    ],
)
def test_names(mesh: EnvoyMesh, host: str, status: int, backend: str | None) -> None:
    answer = ask(mesh, host, "/v1")
    assert answer.status == status
    if backend is not None:
        assert answer.echo["backend"] == backend


def test_ports_of_one_service_have_rules_of_their_own(mesh: EnvoyMesh) -> None:
    assert ask(mesh, "wide", "/second").echo["backend"] == "wide"
    before = len(mesh.backend("wide", 80).seen), len(mesh.backend("wide", 81).seen)
    assert ask(mesh, "wide:81", "/second").status == 200
    assert ask(mesh, "wide:81", "/first").status == 403
    assert (len(mesh.backend("wide", 80).seen), len(mesh.backend("wide", 81).seen)) == (before[0], before[1] + 1)


@pytest.mark.parametrize("server_name", ["82.wide.default.mesh.internal", "wide", None])
def test_no_port_without_its_server_name(mesh: EnvoyMesh, server_name: str | None) -> None:
    with pytest.raises(OSError):
        call(mesh.inbound("wide"), "GET", "/", tls=mesh.peer("web"), server_name=server_name)
    assert call(mesh.inbound("api"), "GET", "/", tls=mesh.peer("web"), server_name=server_name).status == 200


def test_a_proxy_style_request_is_known_by_its_target(mesh: EnvoyMesh) -> None:
    assert ask(mesh, "example.org", "http://api/x").echo["target"] == "/x"
    assert ask(mesh, "api", "http://example.org/x").status == 404
    assert ask(mesh, "api", "http://nobody/x").status == 403


def test_no_tunnels(mesh: EnvoyMesh) -> None:
    for host in ("api:8080", "example.org:443"):
        request = f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        assert exchange(mesh.outbound("web"), request).status in {403, 404}


class TestExternals:
    @pytest.mark.parametrize(
        ("method", "target", "status"),
        [
            ("GET", "/v1/x", 200),
            ("POST", "/v1", 200),
            ("DELETE", "/v1", 403),
            ("GET", "/v2", 403),
            ("GET", "/v1/secret", 403),
            ("GET", "/v1/secret/x", 403),
            ("GET", "/v1/%73ecret", 403),
            ("GET", "/v1/not-api", 200),
            ("GET", "/only-api", 403),
            ("GET", "/header", 403),
            ("GET", "/v1/%", 400),
            ("GET", "/v1%2Fsecret", 400),
        ],
    )
    def test_rules_hold_at_the_caller(
        self, mesh: EnvoyMesh, outside: Outside, method: str, target: str, status: int
    ) -> None:
        server = outside.servers["pay.example"]
        server.forget()
        assert ask(mesh, "pay.example", target, method=method).status == status
        assert len(server.seen) == (1 if status == 200 else 0)

    def test_headers_count(self, mesh: EnvoyMesh) -> None:
        assert ask(mesh, "pay.example", "/header", x_key="k").status == 200

    def test_the_log_has_the_rule(self, mesh: EnvoyMesh) -> None:
        ask(mesh, "pay.example", "/v1/secret", x_request_id="external-1")
        line = mesh.sidecars["web"].logged_request("external-1")
        assert (line["rule"], line["callee"], line["port"]) == ("deny web -> pay * /v1/secret/**", "pay", 443)
        assert line["caller"] == str(spiffe("web"))

    @pytest.mark.parametrize(
        ("host", "sent"),
        [("pay.example", "pay.example"), ("PAY.example:443", "pay.example"), ("plain.example", "plain.example:8000")],
    )
    def test_the_host_that_is_sent(self, mesh: EnvoyMesh, outside: Outside, host: str, sent: str) -> None:
        assert ask(mesh, host, "/v1", x_forwarded_client_cert="URI=spiffe://forged").status == 200
        seen = outside.servers[host.lower().split(":")[0]].last
        assert seen.all("host") == [sent]
        assert seen.get("x-forwarded-client-cert") is None
        assert [name for name, _ in seen.headers if name.startswith("x-envoy")] == []

    def test_a_wildcard_certificate_covers_its_hosts(self, mesh: EnvoyMesh) -> None:
        assert ask(mesh, "wild.pay.example", "/v1").status == 200

    def test_a_newer_tls_is_spoken_where_asked_for(self, mesh: EnvoyMesh) -> None:
        assert ask(mesh, "new.example").status == 200

    @pytest.mark.parametrize("host", ["other.example", "rogue.example", "old.example"])
    def test_wrong_name_unknown_authority_old_tls(self, mesh: EnvoyMesh, outside: Outside, host: str) -> None:
        answer = ask(mesh, host, "/v1", x_request_id=f"tls-{host}")
        assert (answer.status, answer.body) == (503, b"service unavailable")
        assert outside.servers[host].seen == []
        assert mesh.sidecars["web"].logged_request(f"tls-{host}")["tls_failure"]

    def test_settings_hold(self, mesh: EnvoyMesh, outside: Outside) -> None:
        server = outside.servers["plain.example"]
        server.forget()
        assert ask(mesh, "plain.example", x_echo_status="503").status == 503
        assert len(server.seen) == 2


class TestGateway:
    """The gateway takes calls of anybody, and believes nothing they say about themselves."""

    def ask(self, mesh: EnvoyMesh, host: str, **headers: str) -> Answer:
        lines = [(name.replace("_", "-"), value) for name, value in headers.items()]
        return call(mesh.outbound(INGRESS), "GET", "/x", host=host, headers=lines)

    def test_it_calls_under_its_own_identity(self, mesh: EnvoyMesh) -> None:
        assert self.ask(mesh, "api").status == 200
        [line] = mesh.backend("api").last.all("x-forwarded-client-cert")
        assert line.endswith(f";URI={mesh.identity(INGRESS)}")
        assert self.ask(mesh, "web").status == 403

    def test_it_has_no_way_in_for_the_mesh(self, mesh: EnvoyMesh) -> None:
        with pytest.raises(OSError):
            call(mesh.inbound(INGRESS), "GET", "/", tls=mesh.peer("web"))

    def test_forwarding_headers_are_its_own(self, mesh: EnvoyMesh) -> None:
        self.ask(mesh, "api", x_request_id="theirs", x_forwarded_for="192.0.2.1", x_forwarded_client_cert="URI=forged")
        seen = mesh.backend("api").last
        assert seen.get("x-request-id") != "theirs"
        # Envoy writes the machine's own address for a peer on loopback.
        assert re.fullmatch(r"192\.0\.2\.1,[0-9.]+", seen.get("x-forwarded-for") or "")
        assert "forged" not in str(seen.headers)

    def test_a_sidecar_lets_its_own_workload_keep_them(self, mesh: EnvoyMesh) -> None:
        ask(mesh, "api", "/x", x_request_id="ours", x_forwarded_for="192.0.2.1")
        seen = mesh.backend("api").last
        assert (seen.get("x-request-id"), seen.get("x-forwarded-for")) == ("ours", "192.0.2.1")


class TestPages:
    def test_readiness(self, mesh: EnvoyMesh) -> None:
        port = mesh.listeners["api"].readiness.port
        assert call(port, "GET", "/ready").status == 200
        for target in ("/", "/ready/x", "/stats/prometheus", "/config_dump"):
            assert call(port, "GET", target).status == 404

    def test_metrics(self, mesh: EnvoyMesh) -> None:
        port = mesh.listeners["api"].metrics.port
        answer = call(port, "GET", "/stats/prometheus")
        assert answer.status == 200
        assert b"envoy_http_downstream_rq_total" in answer.body
        for method, target in [("GET", "/stats"), ("POST", "/quitquitquit"), ("POST", "/stats/prometheus")]:
            assert call(port, method, target).status == 404

    def test_the_applications_server_header_is_left_alone(self, mesh: EnvoyMesh) -> None:
        answer = ask(mesh, "api", "/x")
        assert (answer.get("server") or "").startswith("BaseHTTP")
        assert [name for name, _ in answer.headers if name.startswith("x-envoy")] == []
