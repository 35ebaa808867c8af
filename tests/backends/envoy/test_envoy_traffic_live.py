"""Where a call goes and how it behaves on the way: routes, shares, timeouts, retries, budgets."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from meshc_compiler.ir.match import AllOf, Not
from meshc_compiler.ir.mesh import Mesh
from meshc_compiler.ir.route import Route
from support.echo_backend import Behaviour
from support.envoy_mesh import EnvoyMesh
from support.http_call import Answer, call
from support.ir_mesh import DOMAIN, allow, header, match, present, route_rule, service, settings, workload

CONDITIONS = (
    "5xx",
    "connect-failure",
    "gateway-error",
    "refused-stream",
    "reset",
    "s418",
    "s503",
    "s504",
    "unavailable",
)
TRIES = 3


def retrying(callee: str) -> Route:
    """A route with a path for each retry condition."""
    return Route(
        service=callee,
        port=8080,
        rules=tuple(
            route_rule(
                f"on {condition} {name}",
                match(f"/{name}{condition}"),
                (callee, None, 100),
                settings=settings(limit=TRIES - 1, on=(condition,), per_try_ms=per_try, backoff_ms=(1, 1)),
            )
            for condition in CONDITIONS
            for name, per_try in (("", None), ("hurried-", 200))
        ),
    )


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvoyMesh]:
    api = Route(
        service="api",
        port=8080,
        rules=(
            route_rule("beta", match("/v1/**", when=header("x-beta", "1", "yes")), ("api", "v2", 100)),
            route_rule(
                "odd",
                match("/v1/**", "GET", "PUT", when=AllOf((Not(header("x-odd", "")), present("x-odd")))),
                ("api", "v2", 100),
            ),
            route_rule("split", match("/v1/**"), ("api", "v1", 80), ("api", "v2", 20)),
            route_rule("write", match("/w/{id:int}", "POST", "PUT"), ("api", "v1", 100)),
            route_rule("expression", match("~/e/[ab]+"), ("api", "v1", 100)),
        ),
    )
    slow = Route(
        service="app",
        port=8080,
        rules=(
            route_rule("timely", match("/timely"), ("app", None, 100), settings=settings(timeout_ms=300)),
            route_rule(
                "both",
                match("/both"),
                ("app", None, 100),
                settings=settings(timeout_ms=700, per_try_ms=300, limit=9, on=("reset",), backoff_ms=(1, 1)),
            ),
            route_rule(
                "budget",
                match("/budget"),
                ("app", None, 100),
                settings=settings(limit=1, on=("s503",), backoff_ms=(1, 1), budget_percent=20),
            ),
            route_rule(
                "no budget",
                match("/no-budget"),
                ("app", None, 100),
                settings=settings(limit=1, on=("s503",), backoff_ms=(1, 1)),
            ),
            route_rule("off", match("/off"), ("app", None, 100), settings=settings(limit=0, on=("5xx",))),
            *retrying("app").rules,
        ),
    )
    value = Mesh(
        name="traffic",
        trust_domain=DOMAIN,
        workloads=tuple(workload(name) for name in ("api", "app", "gone", "impostor", "web")),
        services=(service("api", versions=("v1", "v2")), service("app"), service("gone"), service("impostor")),
        rules=tuple(allow("web", callee) for callee in ("api", "app", "gone", "impostor")),
        routes=(api, slow, retrying("gone")),
    )
    with EnvoyMesh(value, tmp_path_factory.mktemp("mesh")) as running:
        running.sidecars["gone"].stop()
        yield running


@pytest.fixture(autouse=True)
def fresh(mesh: EnvoyMesh) -> None:
    for backend in mesh.backends.values():
        backend.forget()


def ask(mesh: EnvoyMesh, target: str, *, method: str = "GET", host: str = "app", **headers: str) -> Answer:
    lines = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return call(mesh.outbound("web"), method, target, host=host, headers=lines)


class TestRoutes:
    def backends(self, mesh: EnvoyMesh, target: str, times: int = 1, **more: str) -> Counter[str]:
        answers = [ask(mesh, target, host="api", **more) for _ in range(times)]
        return Counter(str(answer.echo["backend"]) for answer in answers)

    def test_shares(self, mesh: EnvoyMesh) -> None:
        shares = self.backends(mesh, "/v1/orders", 400)
        assert shares.keys() == {"api-v1", "api-v2"}
        assert 40 <= shares["api-v2"] <= 130  # 80 expected; nine standard deviations either way

    @pytest.mark.parametrize("value", ["1", "yes", "0, 1", "yes,no", "a,1,b"])
    def test_the_rule_before_wins(self, mesh: EnvoyMesh, value: str) -> None:
        assert self.backends(mesh, "/v1/orders", 12, x_beta=value) == {"api-v2": 12}

    def test_repeated_lines_are_members_too(self, mesh: EnvoyMesh) -> None:
        for lines in (["0", "1"], ["1", "0"], ["0", "1", "0"]):
            answers = [
                call(mesh.outbound("web"), "GET", "/v1", host="api", headers=[("x-beta", line) for line in lines])
                for _ in range(8)
            ]
            assert {answer.echo["backend"] for answer in answers} == {"api-v2"}

    def test_other_values_do_not_match(self, mesh: EnvoyMesh) -> None:
        for value in ("11", "2", "0, 11", "", "1 ,0"):
            assert self.backends(mesh, "/v1/orders", 60, x_beta=value)["api-v1"] > 0

    def test_not_and_present(self, mesh: EnvoyMesh) -> None:
        assert self.backends(mesh, "/v1/orders", 12, x_odd="x", method="PUT") == {"api-v2": 12}
        assert self.backends(mesh, "/v1/orders", 60, x_odd="x", method="POST")["api-v1"] > 0
        assert self.backends(mesh, "/v1/orders", 60, x_odd="x,")["api-v1"] > 0
        assert self.backends(mesh, "/v1/orders", 60)["api-v1"] > 0

    def test_method_and_template(self, mesh: EnvoyMesh) -> None:
        assert self.backends(mesh, "/w/12/", 12, method="PUT") == {"api-v1": 12}
        assert self.backends(mesh, "/e/abba", 12) == {"api-v1": 12}

    def test_whatever_no_rule_matches_goes_to_every_instance(self, mesh: EnvoyMesh) -> None:
        for target in ("/other", "/w/x", "/e/c"):
            assert self.backends(mesh, target, 8) == {"api-v1": 4, "api-v2": 4}

    def test_the_log_names_the_rule(self, mesh: EnvoyMesh) -> None:
        ask(mesh, "/v1/x", host="api", x_beta="1", x_request_id="route-1")
        line = mesh.sidecars["web"].logged_request("route-1")
        assert (line["route"], line["callee"], line["port"], line["direction"]) == ("beta", "api", 8080, "outbound")
        ask(mesh, "/other", host="api", x_request_id="route-2")
        line = mesh.sidecars["web"].logged_request("route-2")
        assert (line["route"], line["attempts"], line["status"]) == ("otherwise", 1, 200)


class TestRetries:
    def tries(self, mesh: EnvoyMesh, condition: str, *behaviours: Behaviour, **more: str) -> tuple[int, int]:
        backend = mesh.backend("app")
        backend.forget()
        backend.queue(*behaviours)
        status = ask(mesh, f"/{condition}", **more).status
        return status, len(backend.seen)

    @pytest.mark.parametrize(
        ("status", "retried_by"),
        [
            (500, {"5xx"}),
            (501, {"5xx"}),
            (502, {"5xx", "gateway-error"}),
            (503, {"5xx", "gateway-error", "s503"}),
            (504, {"5xx", "gateway-error", "s504"}),
            (418, {"s418"}),
            (429, set()),
            (404, set()),
        ],
    )
    def test_statuses(self, mesh: EnvoyMesh, status: int, retried_by: set[str]) -> None:
        for condition in CONDITIONS:
            tries = TRIES if condition in retried_by else 1
            assert self.tries(mesh, condition, *[Behaviour(status=status)] * TRIES) == (status, tries), condition

    def test_until_one_succeeds(self, mesh: EnvoyMesh) -> None:
        assert self.tries(mesh, "5xx", Behaviour(status=500), Behaviour(status=200)) == (200, 2)

    def test_whatever_the_method(self, mesh: EnvoyMesh) -> None:
        assert self.tries(mesh, "5xx", *[Behaviour(status=500)] * TRIES, method="POST") == (500, TRIES)

    def test_an_application_that_hangs_up_is_a_503_of_its_sidecar(self, mesh: EnvoyMesh) -> None:
        for condition in CONDITIONS:
            tries = TRIES if condition in {"5xx", "gateway-error", "s503"} else 1
            assert self.tries(mesh, condition, *[Behaviour(close=True)] * TRIES) == (503, tries), condition

    def test_an_application_that_breaks_http_is_a_502_of_its_sidecar(self, mesh: EnvoyMesh) -> None:
        for condition in CONDITIONS:
            tries = TRIES if condition in {"5xx", "gateway-error"} else 1
            assert self.tries(mesh, condition, *[Behaviour(garbage=True)] * TRIES) == (502, tries), condition

    def test_what_a_per_try_timeout_counts_as(self, mesh: EnvoyMesh) -> None:
        for condition in CONDITIONS:
            tries = TRIES if condition in {"5xx", "gateway-error", "reset"} else 1
            assert self.tries(mesh, f"hurried-{condition}", *[Behaviour(stall=0.5)] * TRIES) == (504, tries), condition

    def test_what_a_refused_connection_counts_as(self, mesh: EnvoyMesh) -> None:
        for condition in CONDITIONS:
            answer = ask(mesh, f"/{condition}", host="gone", x_request_id=f"gone-{condition}")
            assert (answer.status, answer.body) == (503, b"service unavailable")
            line = mesh.sidecars["web"].logged_request(f"gone-{condition}")
            retried = condition in {"5xx", "connect-failure", "gateway-error", "reset"}
            assert line["attempts"] == (TRIES if retried else 1), condition
            assert "UF" in line["flags"]

    def test_nothing_is_retried_unasked(self, mesh: EnvoyMesh) -> None:
        for target in ("/unstated", "/off"):
            backend = mesh.backend("app")
            backend.forget()
            backend.queue(Behaviour(status=503))
            assert ask(mesh, target).status == 503
            assert len(backend.seen) == 1

    def test_callers_cannot_ask_for_it_by_headers(self, mesh: EnvoyMesh) -> None:
        wishes = {
            "x_envoy_retry_on": "5xx",
            "x_envoy_retry_grpc_on": "unavailable",
            "x_envoy_max_retries": "5",
            "x_envoy_retriable_status_codes": "503",
            "x_envoy_upstream_rq_timeout_ms": "1",
            "x_envoy_upstream_rq_per_try_timeout_ms": "1",
            "x_envoy_expected_rq_timeout_ms": "1",
            "x_envoy_attempt_count": "7",
        }
        assert self.tries(mesh, "unstated", Behaviour(status=503, stall=0.1), **wishes) == (503, 1)
        seen = mesh.backend("app").last
        assert [name for name, _ in seen.headers if name.startswith("x-envoy-")] == []
        # Nor of the callee's sidecar, past one's own.
        backend = mesh.backend("app")
        backend.forget()
        backend.queue(Behaviour(status=503, stall=0.1))
        lines = [(name.replace("_", "-"), value) for name, value in wishes.items()]
        assert call(mesh.inbound("app"), "GET", "/", headers=lines, tls=mesh.peer("web")).status == 503
        assert [name for seen in backend.seen for name, _ in seen.headers if name.startswith("x-envoy-")] == []
        assert len(backend.seen) == 1


class TestBudgets:
    CALLS = 40

    def tries(self, mesh: EnvoyMesh, target: str) -> int:
        backend = mesh.backend("app")
        backend.forget()
        backend.queue(*[Behaviour(status=503, stall=0.3)] * (2 * self.CALLS))
        with ThreadPoolExecutor(self.CALLS) as pool:
            answers = list(pool.map(lambda _: ask(mesh, target), range(self.CALLS)))
        assert {answer.status for answer in answers} == {503}
        return len(backend.seen)

    def test_without_a_budget_every_call_is_retried(self, mesh: EnvoyMesh) -> None:
        assert self.tries(mesh, "/no-budget") == 2 * self.CALLS

    def test_a_budget_bounds_the_share_of_retries(self, mesh: EnvoyMesh) -> None:
        tries = self.tries(mesh, "/budget")
        assert self.CALLS < tries < 2 * self.CALLS
        metrics = call(mesh.listeners["web"].metrics.port, "GET", "/stats/prometheus").body.decode()
        name = "envoy_cluster_upstream_rq_retry_overflow{"
        overflow = [line for line in metrics.splitlines() if line.startswith(name)]
        over = {line.split('"')[1]: int(line.split()[-1]) for line in overflow}
        assert over["app_8080 budget 20%"] == 2 * self.CALLS - tries
        assert over["app_8080"] == 0


class TestTimeouts:
    def test_the_whole_call(self, mesh: EnvoyMesh) -> None:
        answer = ask(mesh, "/timely", x_echo_stall="2")
        assert (answer.status, answer.body) == (504, b"gateway timeout")

    def test_retries_are_part_of_the_whole(self, mesh: EnvoyMesh) -> None:
        mesh.backend("app").forget()
        assert ask(mesh, "/both", x_echo_stall="2").status == 504
        assert 2 <= len(mesh.backend("app").seen) <= 3  # at 0, 300 and 600 ms; over at 700

    def test_none_where_none_is_stated(self, mesh: EnvoyMesh) -> None:
        begun = time.monotonic()
        assert ask(mesh, "/unstated", x_echo_stall="1.2").status == 200
        assert time.monotonic() - begun >= 1.2


def test_a_callee_with_another_identity_is_not_spoken_to(mesh: EnvoyMesh) -> None:
    """The impostor's endpoints answer with the certificate of another workload of the same mesh."""
    backend = mesh.backend("impostor")
    assert ask(mesh, "/", host="impostor").status == 200
    backend.forget()
    mesh.authority.issue("impostor", str(mesh.identity("app")))
    with mesh.restarted("impostor"):
        answer = ask(mesh, "/", host="impostor", x_request_id="impostor-1")
        assert answer.status == 503
        line = mesh.sidecars["web"].logged_request("impostor-1")
        assert "CERTIFICATE_VERIFY_FAILED" in line["tls_failure"]
    assert backend.seen == []
