"""A small mesh that uses everything the Envoy backend can say."""

from __future__ import annotations

import pytest

from meshc_compiler.ir.match import Not
from meshc_compiler.ir.mesh import INGRESS, Mesh
from meshc_compiler.ir.policy import Effect
from meshc_compiler.ir.route import Route
from meshc_compiler.ir.workload import External, Protocol, TlsOrigination, TlsVersion
from support.ir_mesh import (
    DOMAIN,
    allow,
    callers,
    deny,
    header,
    http_port,
    limit,
    match,
    route_rule,
    rule,
    service,
    settings,
    workload,
)


@pytest.fixture(scope="session")
def shop() -> Mesh:
    """Web and jobs call an API of two versions; the API calls payments by gRPC, and a bank outside."""
    retry = settings(limit=2, on=("connect-failure", "s503"), budget_percent=20, per_try_ms=500, backoff_ms=(25, 250))
    return Mesh(
        name="shop",
        trust_domain=DOMAIN,
        workloads=tuple(workload(name) for name in ("api", INGRESS, "job", "pay", "store", "web")),
        services=(
            service("api", http_port(8080, "http"), http_port(8081, "admin"), versions=("v1", "v2")),
            service("job"),
            service("pay", http_port(9090, protocol=Protocol.GRPC)),
            service("store", http_port(6379, protocol=Protocol.TCP)),
            service("web"),
        ),
        externals=(
            External(
                name="bank",
                hosts=("bank.example",),
                port=http_port(443),
                tls=TlsOrigination(minimum=TlsVersion.TLS_1_3),
            ),
            External(name="weather", hosts=("weather.example", "sky.example"), port=http_port(80)),
        ),
        rules=(
            allow(INGRESS, "web", match("/**", "GET", "HEAD")),
            rule(Effect.ALLOW, callers("job", "web"), "api", match("/v1/carts/{id:uuid}/**", "DELETE", "GET")),
            allow("web", "api", match("/v1/orders", "POST", when=header("x-csrf", "a", "b"))),
            allow("any", "api", match("/health", "GET"), port=8081),
            deny("any", "api", match("/v1/carts/{id}/secret", when=Not(header("x-role", "sre")))),
            allow("api", "pay", match("/pay.v1.Payments/Charge", "POST"), port=9090),
            allow("api", "bank", match("~/accounts/[0-9]+", "GET"), port=443),
            deny("api", "bank", match("/accounts/0"), port=443),
            allow("api", "weather", port=80),
            allow("api", "store", port=6379),
        ),
        limits=(
            limit(callers("job", "web"), "api", 500, burst=100, per_header="x-user"),
            limit(callers(), "api", 60, seconds=60, port=8081),
        ),
        routes=(
            Route(
                service="api",
                port=8080,
                rules=(
                    route_rule("beta", match("/v1/**", when=header("x-beta", "1")), ("api", "v2", 100)),
                    route_rule(
                        "canary",
                        match("/v1/**"),
                        ("api", "v1", 95),
                        ("api", "v2", 5),
                        settings=settings(timeout_ms=2500),
                    ),
                ),
            ),
        ),
        mesh_settings=settings(timeout_ms=5000),
        service_settings=(("api", retry),),
        edge_settings=(("api", "pay", settings(timeout_ms=1000, limit=0)),),
    )
