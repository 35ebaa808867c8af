"""Bounds, ejection, balancing, connecting, key headers: a real Envoy does what the program states about calls."""

from __future__ import annotations

import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from meshc_backends.envoy.cluster_terms import NO_TERMS, ClusterTerms, cluster_terms
from meshc_backends.placement import Address
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.setting import BalancePolicy
from support.echo_backend import Behaviour
from support.envoy_mesh import LOOPBACK, EnvoyMesh
from support.http_call import Answer, call
from support.mesh_text import mesh_of_text

PROGRAM = """\
mesh settings { trust-domain: "test.example" }
service web {}
service lazy {}
service api { port: 8080/http, versions: [v1, v2, v3] }
service app { port: 8080/http, versions: [v1, v2] }
service one { port: 8080/http }
service raw { port: 9090/tcp }
allow web -> api : /**
allow web -> app : /**
allow web -> one : /**
allow web -> raw : tcp
allow lazy -> raw : tcp
route api {
  /header/** => api as by-header { balance { policy: ring-hash, header: "x-user" } }
  /cookie/** => api as by-cookie { balance { policy: ring-hash, cookie: "session" } }
  /source/** => api as by-source { balance { policy: ring-hash, source: on } }
  /random/** => api as at-random { balance: random }
  /least/** => api as least { balance: least-request }
}
route one {
  /two-at-once => one { breaker { max-requests: 2 } }
  /one-waits => one { breaker { max-connections: 1, max-pending: 1 } }
  /key => one { retry { limit: 2, on: [s503], backoff: 1ms..1ms, key-header: "Idempotency-Key" } }
}
external deaf { hosts: ["deaf.example"], port: 443/tls }
external patient { hosts: ["slow.example"], port: 443/tls }
allow web -> deaf : /**
allow web -> patient : /**
edge web -> deaf { timeout: 10s, connect-timeout: 300ms }
edge web -> patient { timeout: 1s }
edge web -> app { breaker { consecutive-5xx: 3, eject: 2s, interval: 100ms, max-ejected: 50% } }
edge lazy -> raw { idle-timeout: 500ms }
edge web -> raw { idle-timeout: 2h }
"""


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvoyMesh]:
    with socket.create_server((LOOPBACK, 0)) as deaf:
        # Connections are taken by the system, and nobody ever speaks TLS on them.
        hosts = dict.fromkeys(("deaf.example", "slow.example"), Address(LOOPBACK, deaf.getsockname()[1]))
        with EnvoyMesh(mesh_of_text(PROGRAM), tmp_path_factory.mktemp("mesh"), externals=hosts) as running:
            yield running


@pytest.fixture(autouse=True)
def fresh(mesh: EnvoyMesh) -> None:
    for backend in mesh.backends.values():
        backend.forget()


def ask(mesh: EnvoyMesh, target: str, *, host: str, method: str = "GET", **headers: str) -> Answer:
    lines = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return call(mesh.outbound("web"), method, target, host=host, headers=lines)


def instances(mesh: EnvoyMesh, target: str, times: int, **headers: str) -> Counter[str]:
    return Counter(str(ask(mesh, target, host="api", **headers).echo["backend"]) for _ in range(times))


class TestBalancing:
    def test_a_header_keeps_its_instance(self, mesh: EnvoyMesh) -> None:
        users = [instances(mesh, "/header/x", 5, x_user=f"user-{number}") for number in range(24)]
        assert all(len(seen) == 1 for seen in users)
        assert len({next(iter(seen)) for seen in users}) == 3

    def test_a_cookie_keeps_its_instance(self, mesh: EnvoyMesh) -> None:
        users = [instances(mesh, "/cookie/x", 5, cookie=f"a=b; session=s{number}") for number in range(24)]
        assert all(len(seen) == 1 for seen in users)
        assert len({next(iter(seen)) for seen in users}) == 3
        answer = ask(mesh, "/cookie/x", host="api")
        assert answer.get("set-cookie") is None

    def test_the_source_keeps_its_instance(self, mesh: EnvoyMesh) -> None:
        assert len(instances(mesh, "/source/x", 20)) == 1

    def test_at_random_and_by_least_requests_every_instance_is_called(self, mesh: EnvoyMesh) -> None:
        for target in ("/random/x", "/least/x"):
            assert instances(mesh, target, 90).keys() == {"api-v1", "api-v2", "api-v3"}

    def test_in_turn_where_nothing_is_stated(self, mesh: EnvoyMesh) -> None:
        assert instances(mesh, "/other", 9) == {"api-v1": 3, "api-v2": 3, "api-v3": 3}


class TestBounds:
    def statuses(self, mesh: EnvoyMesh, target: str, times: int) -> Counter[int]:
        mesh.backend("one").queue(*[Behaviour(stall=1.0)] * times)
        with ThreadPoolExecutor(times) as pool:
            return Counter(answer.status for answer in pool.map(lambda _: ask(mesh, target, host="one"), range(times)))

    def test_no_more_calls_at_once_than_stated(self, mesh: EnvoyMesh) -> None:
        assert self.statuses(mesh, "/two-at-once", 8) == {200: 2, 503: 6}
        assert len(mesh.backend("one").seen) == 2

    def test_no_more_wait_for_a_connection_than_stated(self, mesh: EnvoyMesh) -> None:
        assert self.statuses(mesh, "/one-waits", 8) == {200: 2, 503: 6}
        assert len(mesh.backend("one").seen) == 2

    def test_none_where_none_is_stated(self, mesh: EnvoyMesh) -> None:
        assert self.statuses(mesh, "/unbounded", 8) == {200: 8}


class TestEjection:
    def answers(self, mesh: EnvoyMesh, times: int) -> Counter[str]:
        backends = [json.loads(ask(mesh, "/", host="app").body)["backend"] for _ in range(times)]
        return Counter(backends)

    def test_an_instance_that_fails_in_a_row_is_left_alone_for_a_while(self, mesh: EnvoyMesh) -> None:
        assert self.answers(mesh, 4) == {"app-v1": 2, "app-v2": 2}
        mesh.backend("app-v1").queue(*[Behaviour(status=500)] * 3)
        while len(mesh.backend("app-v1").seen) < 5:
            self.answers(mesh, 1)
        assert self.answers(mesh, 10) == {"app-v2": 10}
        end = time.monotonic() + 30
        while "app-v1" not in self.answers(mesh, 2) and time.monotonic() < end:
            time.sleep(0.1)
        assert self.answers(mesh, 4) == {"app-v1": 2, "app-v2": 2}

    def test_at_most_the_stated_share_is_out(self, mesh: EnvoyMesh) -> None:
        for name in ("app-v1", "app-v2"):
            mesh.backend(name).queue(*[Behaviour(status=500)] * 8)
        for _ in range(16):
            ask(mesh, "/", host="app")
        assert ask(mesh, "/", host="app").status == 200


class TestKeyHeader:
    @pytest.mark.parametrize(
        ("method", "key", "tries"),
        [("POST", None, 1), ("PATCH", None, 1), ("POST", "k-1", 3), ("GET", None, 3), ("PUT", None, 3)],
    )
    def test_what_need_not_be_idempotent_is_tried_again_with_a_key_alone(
        self, mesh: EnvoyMesh, method: str, key: str | None, tries: int
    ) -> None:
        mesh.backend("one").queue(*[Behaviour(status=503)] * 3)
        more = {} if key is None else {"idempotency_key": key}
        assert ask(mesh, "/key", host="one", method=method, **more).status == 503
        assert len(mesh.backend("one").seen) == tries


class TestConnections:
    def test_what_takes_longer_to_connect_to_is_a_connect_failure(self, mesh: EnvoyMesh) -> None:
        assert ask(mesh, "/", host="deaf.example", x_request_id="deaf").status == 503
        assert "UF" in mesh.sidecars["web"].logged_request("deaf")["flags"]
        assert ask(mesh, "/", host="slow.example").status == 504

    def test_an_unused_connection_is_ended_as_stated(self, mesh: EnvoyMesh) -> None:
        address = mesh.outbound_tcp["lazy", "raw", 9090]
        with socket.create_connection((address.host, address.port), timeout=20) as connection:
            assert connection.recv(1) == b""

    def test_the_callee_does_not_end_it_before(self, mesh: EnvoyMesh) -> None:
        chains = config(mesh, "raw", "listeners")
        proxies = [message for message in everything(chains) if message.get("cluster") == "application:9090"]
        assert [proxy["idle_timeout"] for proxy in proxies] == ["7200s"]


def config(mesh: EnvoyMesh, instance: str, kind: str) -> Any:
    admin = mesh.listeners[instance].admin
    return json.loads(call(admin.port, "GET", f"/config_dump?resource=static_{kind}").body)


def everything(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from everything(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from everything(inner)


def terms_of(stated: str) -> ClusterTerms:
    head = 'mesh m { trust-domain: "m.example" }\nservice web {}\nservice api { port: 80/http }\nallow web -> api : /\n'
    index = MeshIndex(mesh_of_text(f"{head}edge web -> api {{ {stated} }}\n"))
    return cluster_terms(index.settings("web", "api", 80, None))


def test_terms_that_differ_are_called_otherwise() -> None:
    stated = (
        "timeout: 1s",
        "connect-timeout: 250ms",
        "idle-timeout: 10m",
        "breaker { max-requests: 5 }",
        "breaker { max-pending: 5 }",
        "breaker { max-connections: 5 }",
        "breaker { consecutive-5xx: 5 }",
        "breaker { consecutive-5xx: 5, eject: 1s }",
        "breaker { consecutive-5xx: 5, interval: 1s }",
        "breaker { consecutive-5xx: 5, max-ejected: 1% }",
        "balance: random",
        "balance: least-request",
        'balance { policy: ring-hash, header: "a" }',
        "retry { limit: 1, on: [reset], budget: 20% }",
    )
    labels = [terms_of(one).label for one in stated]
    assert len(set(labels)) == len(stated)
    assert labels[:2] == ["", "connect 250ms"]
    assert labels[6] == "eject 5 30s/10s 50%"
    assert labels[-1] == "budget 20%"
    assert terms_of("breaker: off, balance: off, timeout: 1s") == NO_TERMS
    assert terms_of("breaker { eject: 5s }") == NO_TERMS
    assert NO_TERMS.balance is BalancePolicy.ROUND_ROBIN
