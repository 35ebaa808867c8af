"""HTTP that is malformed, oversized or too old: refused before any rule, on both of a sidecar's sides."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meshc_compiler.ir.mesh import Mesh
from support.envoy_mesh import EnvoyMesh
from support.http_call import Answer, exchange
from support.ir_mesh import DOMAIN, allow, service, workload

HOST = b"Host: api\r\nConnection: close\r\n"


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvoyMesh]:
    value = Mesh(
        name="http",
        trust_domain=DOMAIN,
        workloads=(workload("api"), workload("web")),
        services=(service("api"),),
        rules=(allow("web", "api"),),
    )
    with EnvoyMesh(value, tmp_path_factory.mktemp("mesh")) as running:
        yield running


def send(mesh: EnvoyMesh, direction: str, request: bytes) -> Answer:
    if direction == "outbound":
        return exchange(mesh.outbound("web"), request)
    return exchange(mesh.inbound("api"), request, tls=mesh.peer("web"))


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", 200),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X-Long: " + b"x" * 50_000 + b"\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X-Long: " + b"x" * 62_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X-%d: x\r\n" % n for n in range(110)) + b"\r\n", 431),
        (b"GET / HTTP/1.0\r\n" + HOST + b"\r\n", 426),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: +1\r\n\r\na", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X-A : b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X-A: b\x00c\r\n\r\n", 400),
        (b"G\x01T / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: api\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: api\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n", 403),
    ],
)
def test_heads(mesh: EnvoyMesh, direction: str, request_: bytes, status: int) -> None:
    backend = mesh.backend("api")
    backend.forget()
    assert send(mesh, direction, request_).status == status
    assert len(backend.seen) == (1 if status == 200 else 0)


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
def test_headers_about_the_connection_stay_on_it(mesh: EnvoyMesh, direction: str) -> None:
    request = (
        b"GET / HTTP/1.1\r\nHost: api\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 3\r\nX-End: 1\r\n\r\n"
    )
    assert send(mesh, direction, request).status == 200
    seen = mesh.backend("api").last
    assert seen.get("x-end") == "1"
    assert seen.get("x-hop") is None
    assert seen.get("keep-alive") is None


def test_bodies_of_either_framing_arrive(mesh: EnvoyMesh) -> None:
    chunked = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    sized = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc"
    for direction in ("inbound", "outbound"):
        assert send(mesh, direction, sized).echo["body"] == "abc"
        assert send(mesh, direction, chunked).echo["headers"].count(["transfer-encoding", "chunked"]) == 1
