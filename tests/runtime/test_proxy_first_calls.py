"""The whole path once: an app calls through its proxy, the callee's proxy judges, the callee's app answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.proxy_app import ScriptedApp, ok
from support.proxy_authority import ProxyAuthority, spiffe_id
from support.proxy_mesh import allow, callee, caller, deny, mesh_cluster, route, service
from support.proxy_process import RunningProxy


@dataclass
class Pair:
    app: ScriptedApp
    api: RunningProxy
    web: RunningProxy


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder: Path = tmp_path_factory.mktemp("mesh")
    authority = ProxyAuthority(folder / "certs")
    rules = (
        allow("read-orders", "web", methods=("GET", "HEAD"), path="/v1/orders/**"),
        allow("write-orders", "web", methods=("POST",), path="/v1/orders"),
        deny("no-secrets", "web", path="/v1/orders/secret/**"),
    )
    with (
        ScriptedApp(script=lambda request, sock: ok(request.path.encode())) as app,
        RunningProxy(callee(authority.issue("api"), app.port, rules=rules), folder / "api") as api,
    ):
        clusters = [mesh_cluster("api", api.addresses["inbound"])]
        web_snapshot = caller(authority.issue("web"), [service([route("api")])], clusters)
        with RunningProxy(web_snapshot, folder / "web") as web:
            yield Pair(app=app, api=api, web=web)


def test_allowed_call_reaches_the_app_with_the_callers_identity(pair: Pair) -> None:
    with pair.web.outbound() as wire:
        answer = wire.ask(
            "GET", "/v1/orders/42?full=1", "api", "X-Forwarded-Client-Cert: URI=spiffe://shop.example/root"
        )
    assert (answer.status, answer.body) == (200, b"/v1/orders/42?full=1")
    seen = pair.app.requests[-1]
    assert seen.headers["host"] == ["api"]
    (identity,) = seen.headers["x-forwarded-client-cert"]
    assert identity.startswith(f"By={spiffe_id('api')};Hash=")
    assert identity.endswith(f";URI={spiffe_id('web')}")


def test_body_reaches_the_app(pair: Pair) -> None:
    body = b"x" * 300_000
    with pair.web.outbound() as wire:
        assert wire.ask("POST", "/v1/orders", "api:8080", body=body).status == 200
    assert pair.app.requests[-1].body == body


@pytest.mark.parametrize(
    ("method", "path", "host", "status"),
    [
        ("GET", "/v1/users", "api", 403),
        ("DELETE", "/v1/orders/42", "api", 403),
        ("GET", "/v1/orders/secret/1", "api", 403),
        ("GET", "/v1/orders/./%73ecret//1", "api", 403),
        ("GET", "/v1/orders/x/../secret/1", "api", 403),
        ("GET", "/v1/orders/%2e%2e/users", "api", 403),
        ("GET", "/v1/orders/a%2Fb", "api", 400),
        ("GET", "/v1/orders/..;/users", "api", 400),
        ("GET", "/v1/orders/1", "ledger", 403),
        ("GET", "/v1/orders/1", "ledger.default", 403),
        ("GET", "/v1/orders/1", "x.y.svc.cluster.local", 403),
        ("GET", "/v1/orders/1", "api:9999", 403),
        ("GET", "/v1/orders/1", "example.org", 404),
        ("GET", "/v1/orders/1", "192.0.2.1", 404),
        ("GET", "/v1//orders/%31", "API.default.svc", 200),
    ],
)
def test_status_a_caller_sees(pair: Pair, method: str, path: str, host: str, status: int) -> None:
    before = len(pair.app.requests)
    with pair.web.outbound() as wire:
        answer = wire.ask(method, path, host)
    assert answer.status == status
    assert len(pair.app.requests) == before + (status == 200)
    if status == 200:
        assert pair.app.requests[-1].path == "/v1/orders/1"
