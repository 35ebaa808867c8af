"""gRPC and HTTP/2: both hops are HTTP/2, rpcs are rules, and refusals are gRPC's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from meshc_backends.placement import Address
from meshc_compiler.ir.mesh import Mesh
from meshc_compiler.ir.route import Route
from meshc_compiler.ir.workload import Protocol
from support.echo_backend import EchoBackend
from support.envoy_mesh import LOOPBACK, EnvoyMesh
from support.envoy_process import EnvoyProcess
from support.http_call import Answer, call
from support.ir_mesh import DOMAIN, allow, callers, http_port, limit, match, route_rule, service, settings, workload
from support.loopback_ports import own_ports


def address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


def manager(codec: str, cluster: str) -> dict[str, Any]:
    package = "type.googleapis.com/envoy.extensions.filters"
    return {
        "name": "http",
        "typed_config": {
            "@type": f"{package}.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": codec,
            "codec_type": codec,
            "http_filters": [
                {"name": "router", "typed_config": {"@type": f"{package}.http.router.v3.Router"}},
            ],
            "route_config": {
                "virtual_hosts": [
                    {
                        "name": "all",
                        "domains": ["*"],
                        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "0s"}}],
                    }
                ]
            },
        },
    }


def http2_only(port: int, readiness: int, behind: int) -> bytes:
    """The bootstrap of a small server that speaks nothing but HTTP/2 in plain text, in front of an HTTP/1.1 one."""

    def listener(name: str, at: int, codec: str) -> dict[str, Any]:
        return {"name": name, "address": address(at), "filter_chains": [{"filters": [manager(codec, "behind")]}]}

    return json.dumps(
        {
            "static_resources": {
                "listeners": [listener("http2", port, "HTTP2"), listener("readiness", readiness, "HTTP1")],
                "clusters": [
                    {
                        "name": "behind",
                        "load_assignment": {
                            "cluster_name": "behind",
                            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(behind)}}]}],
                        },
                    }
                ],
            }
        }
    ).encode()


@pytest.fixture(scope="module")
def application() -> Iterator[EchoBackend]:
    with EchoBackend("pay") as backend:
        yield backend


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory, application: EchoBackend) -> Iterator[EnvoyMesh]:
    directory = tmp_path_factory.mktemp("mesh")
    ports = own_ports()
    http2, readiness = ports.take(), ports.take()
    retry = settings(limit=2, on=("unavailable",), backoff_ms=(1, 1))
    value = Mesh(
        name="grpc",
        trust_domain=DOMAIN,
        workloads=tuple(workload(name) for name in ("pay", "web")),
        services=(service("pay", http_port(9090, protocol=Protocol.GRPC)),),
        rules=(
            allow("web", "pay", match("/pay.v1.Payments/Charge", "POST"), port=9090),
            allow("web", "pay", match("/pay.v1.Refunds/*", "POST"), port=9090),
        ),
        limits=(limit(callers(), "pay", 6, seconds=3600, port=9090, per_header="x-limited"),),
        routes=(
            Route(
                service="pay",
                port=9090,
                rules=(route_rule("retried", match("/pay.v1.Refunds/*"), ("pay", None, 100), settings=retry),),
            ),
        ),
    )
    with ExitStack() as stack:
        server = http2_only(http2, readiness, application.port)
        stack.enter_context(EnvoyProcess("http2-only", server, directory, readiness=readiness))
        yield stack.enter_context(EnvoyMesh(value, directory, applications={("pay", 9090): Address(LOOPBACK, http2)}))


def rpc(mesh: EnvoyMesh, path: str, **headers: str) -> Answer:
    lines = [("Content-Type", "application/grpc"), ("TE", "trailers")]
    lines += [(name.replace("_", "-"), value) for name, value in headers.items()]
    return call(mesh.outbound("web"), "POST", path, host="pay", headers=lines, body=b"\0\0\0\0\0")


def counter(mesh: EnvoyMesh, instance: str, name: str, label: str) -> int:
    metrics = call(mesh.listeners[instance].metrics.port, "GET", "/stats/prometheus").body.decode()
    return sum(int(line.split()[-1]) for line in metrics.splitlines() if line.startswith(f"{name}{{") and label in line)


def test_both_hops_are_http2(mesh: EnvoyMesh, application: EchoBackend) -> None:
    answer = rpc(mesh, "/pay.v1.Payments/Charge", x_limited="no")
    assert answer.status == 200
    assert answer.echo["target"] == "/pay.v1.Payments/Charge"
    assert application.last.body == b"\0\0\0\0\0"
    assert counter(mesh, "web", "envoy_cluster_upstream_cx_http2_total", '"pay_9090"') == 1
    assert counter(mesh, "pay", "envoy_http_downstream_cx_http2_total", '"inbound_pay_9090"') == 1
    assert counter(mesh, "pay", "envoy_cluster_upstream_cx_http2_total", '"application_9090"') == 1


def test_a_denied_rpc_is_told_so_in_grpc(mesh: EnvoyMesh) -> None:
    answer = rpc(mesh, "/pay.v1.Payments/Steal", x_limited="no")
    assert (answer.status, answer.get("grpc-status")) == (200, "7")  # PERMISSION_DENIED
    assert answer.get("grpc-message") == "forbidden"


def test_a_limited_rpc_is_told_so_in_grpc(mesh: EnvoyMesh) -> None:
    codes = [rpc(mesh, "/pay.v1.Payments/Charge", x_limited="yes").get("grpc-status") for _ in range(7)]
    assert codes == [None] * 6 + ["8"]  # RESOURCE_EXHAUSTED


@pytest.mark.parametrize(("code", "tries"), [("14", 3), ("13", 1), ("0", 1)])
def test_grpc_statuses_are_retried(mesh: EnvoyMesh, application: EchoBackend, code: str, tries: int) -> None:
    application.forget()
    answer = rpc(mesh, "/pay.v1.Refunds/Pay", x_limited=f"code-{code}", x_echo_header=f"grpc-status: {code}")
    assert answer.get("grpc-status") == code
    assert len(application.seen) == tries


def test_http_1_from_a_peer_is_translated(mesh: EnvoyMesh) -> None:
    answer = call(
        mesh.inbound("pay"), "POST", "/pay.v1.Payments/Charge", headers=[("X-Limited", "no")], tls=mesh.peer("web")
    )
    assert answer.status == 200
