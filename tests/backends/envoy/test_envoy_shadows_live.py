"""Shadow traffic, faults, answers of routes and health checks on a real Envoy."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from support.echo_backend import Behaviour
from support.envoy_mesh import EnvoyMesh
from support.http_call import Answer, call
from support.mesh_text import mesh_of_text

PROGRAM = """\
mesh shadows { trust-domain: "test.example" }
service web {}
service jobs {}
service api { port: 8080/http, versions: [v1, v2] }
service shadow { port: 8080/http }
service shy { port: 8080/http }
service slow { port: 8080/http }
service sick { ports { front: 8080/http, probe: 8081/http }, versions: [v1, v2]
  health { path: /up, port: probe, interval: 100ms, timeout: 2s, unhealthy: 1, healthy: 1 } }
allow web -> api : /**
allow jobs -> api : GET /jobs, GET /gone
deny any -> api : /gone/secret
allow web -> shadow : /**
allow web -> slow : /**
allow jobs -> slow : /**
allow web -> sick.front : /**
allow web -> sick.probe : GET /up

mirror api GET /v1/{id} => shadow
mirror api /v1/** if header "x-both" == "1" => shy
mirror api POST /half => shadow 50%
mirror api ~"/e/[a-z]+" => shadow
mirror slow * => shadow
fault lag on web -> slow { delay: 700ms }
fault lost on jobs -> slow { abort: 503 }

route api {
  /v1/** => v1 as main
  POST /v1/gone => respond 410 as no-more
  GET /old => redirect "https://new.example/100%25?a=b" as moved
  /gone/** => respond 404 as gone
}
route slow {
  /patient => slow as patient { timeout: 5s }
  /retried => slow as retried { retry { limit: 2, on: [s503], backoff: 1ms..1ms } }
  /hasty => slow as hasty { timeout: 200ms }
}
"""


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvoyMesh]:
    with EnvoyMesh(mesh_of_text(PROGRAM), tmp_path_factory.mktemp("mesh")) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(mesh: EnvoyMesh) -> None:
    for backend in mesh.backends.values():
        backend.forget()


def ask(
    mesh: EnvoyMesh, target: str, *, host: str = "api", method: str = "GET", by: str = "web", **headers: str
) -> Answer:
    lines = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return call(mesh.outbound(by), method, target, host=host, headers=lines)


def eventually(check: Callable[[], bool]) -> bool:
    """Wait for what another process is about to do."""
    end = time.monotonic() + 30
    while not check():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class TestMirrors:
    def copies(self, mesh: EnvoyMesh, *targets: str, **more: str) -> list[str]:
        """Send requests and return what the shadow got of them; one more request shows that all copies have come."""
        for target in targets:
            assert ask(mesh, target, **more).status == 200
        ask(mesh, "/v1/last")
        shadow = mesh.backend("shadow")
        assert eventually(lambda: any(seen.target == "/v1/last" for seen in shadow.seen))
        time.sleep(0.1)
        return sorted(seen.target for seen in shadow.seen if seen.target != "/v1/last")

    def test_what_matches_is_copied_and_nothing_else(self, mesh: EnvoyMesh) -> None:
        got = self.copies(mesh, "/v1/a", "/v1/b?x=/y", "/v1/", "/v1/?c", "/v1", "/v1/a/b", "/other", "/v1/d/?/e")
        assert got == ["/v1/a", "/v1/b?x=/y", "/v1/d/?/e"]

    def test_the_copy_is_the_same_request_of_the_same_caller(self, mesh: EnvoyMesh) -> None:
        self.copies(mesh, "/v1/same?q=1", x_own="kept")
        [copy] = [seen for seen in mesh.backend("shadow").seen if seen.target == "/v1/same?q=1"]
        assert copy.all("host") == ["api"]
        assert copy.get("x-own") == "kept"
        [identity] = copy.all("x-forwarded-client-cert")
        assert identity.endswith(f";URI={mesh.identity('web')}")

    def test_every_mirror_that_matches_gets_one(self, mesh: EnvoyMesh) -> None:
        assert ask(mesh, "/v1/both", x_both="1", x_request_id="both-1").status == 200
        assert eventually(lambda: [seen.target for seen in mesh.backend("shadow").seen] == ["/v1/both"])
        # The shy one has no allow: it refuses the copy, and nobody is told.
        assert mesh.sidecars["shy"].logged_request("both-1")["status"] == 403
        assert mesh.backend("shy").seen == []

    def test_an_answer_of_the_shadow_reaches_nobody(self, mesh: EnvoyMesh) -> None:
        mesh.backend("shadow").queue(Behaviour(status=500, stall=0.5))
        answer = ask(mesh, "/v1/quiet")
        assert (answer.status, answer.echo["backend"]) == (200, "api-v1")

    def test_a_share_of_the_requests(self, mesh: EnvoyMesh) -> None:
        for _ in range(100):
            ask(mesh, "/half", method="POST")
        ask(mesh, "/v1/last")
        shadow = mesh.backend("shadow")
        assert eventually(lambda: any(seen.target == "/v1/last" for seen in shadow.seen))
        assert 20 <= len(shadow.seen) - 1 <= 80  # 50 expected; six standard deviations either way

    def test_a_path_expression(self, mesh: EnvoyMesh) -> None:
        got = self.copies(mesh, "/e/abc", "/e/abc?1", "/e/1", "/e/1?/e/a")
        assert got == ["/e/abc", "/e/abc?1"]


class TestAnswers:
    def test_a_redirect_has_exactly_the_location(self, mesh: EnvoyMesh) -> None:
        answer = ask(mesh, "/old?x=y")
        assert (answer.status, answer.get("location")) == (307, "https://new.example/100%25?a=b")
        assert mesh.backend("api-v1").seen == mesh.backend("api-v2").seen == []

    def test_who_is_denied_does_not_learn_the_location(self, mesh: EnvoyMesh) -> None:
        answer = ask(mesh, "/old", by="jobs")
        assert (answer.status, answer.get("location")) == (403, None)

    @pytest.mark.parametrize(
        ("by", "method", "target", "status"),
        [
            ("web", "GET", "/gone", 404),
            ("web", "POST", "/gone/x", 404),
            ("web", "POST", "/v1/gone", 410),
            ("jobs", "GET", "/gone", 404),
            ("jobs", "GET", "/gone/x", 403),
            ("jobs", "GET", "/old", 403),
            ("web", "GET", "/gone/secret", 403),
            ("web", "TRACE", "/gone", 405),
            ("jobs", "TRACE", "/gone", 403),
            ("web", "GET", "/gone%2Fx", 400),
        ],
    )
    def test_they_are_for_who_is_allowed(self, mesh: EnvoyMesh, by: str, method: str, target: str, status: int) -> None:
        assert ask(mesh, target, method=method, by=by).status == status
        assert mesh.backend("api-v1").seen == mesh.backend("api-v2").seen == []

    def test_the_log_names_the_rule(self, mesh: EnvoyMesh) -> None:
        ask(mesh, "/gone", x_request_id="gone-1")
        assert mesh.sidecars["web"].logged_request("gone-1")["route"] == "gone"


class TestFaults:
    def test_a_delay_counts_against_the_callers_timeout(self, mesh: EnvoyMesh) -> None:
        assert ask(mesh, "/hasty", host="slow").status == 504
        assert ask(mesh, "/patient", host="slow").status == 200

    def test_an_abort_is_retried_as_a_real_one_is(self, mesh: EnvoyMesh) -> None:
        answer = ask(mesh, "/retried", host="slow", by="jobs", x_request_id="lost-1")
        assert (answer.status, answer.body) == (503, b"service unavailable")
        assert mesh.sidecars["jobs"].logged_request("lost-1")["attempts"] == 3
        assert mesh.backend("slow").seen == []

    def test_other_callers_meet_none(self, mesh: EnvoyMesh) -> None:
        assert ask(mesh, "/patient", host="slow", by="web").status == 200
        assert ask(mesh, "/patient", host="slow", by="jobs").status == 503

    def test_what_is_refused_is_refused_at_once(self, mesh: EnvoyMesh) -> None:
        assert ask(mesh, "/%", host="slow", by="jobs").status == 400


class TestHealth:
    def instances(self, mesh: EnvoyMesh, times: int) -> Counter[str]:
        answers = [ask(mesh, "/", host="sick") for _ in range(times)]
        return Counter(
            str(answer.echo["backend"]) if answer.status == 200 else str(answer.status) for answer in answers
        )

    def test_an_instance_that_is_not_well_gets_no_calls(self, mesh: EnvoyMesh) -> None:
        probe = mesh.backend("sick-v1", 8081)
        assert eventually(lambda: any(seen.target == "/up" for seen in probe.seen))
        assert self.instances(mesh, 4) == {"sick-v1": 2, "sick-v2": 2}
        probe.queue(*[Behaviour(status=503)] * 10_000)
        assert eventually(lambda: self.instances(mesh, 4) == {"sick-v2": 4})
        other = mesh.backend("sick-v2", 8081)
        other.queue(*[Behaviour(status=503)] * 10_000)
        assert eventually(lambda: self.instances(mesh, 2) == {"503": 2})
        probe.forget()
        other.forget()
        assert eventually(lambda: self.instances(mesh, 4) == {"sick-v1": 2, "sick-v2": 2})

    def test_it_is_asked_by_the_caller_as_itself(self, mesh: EnvoyMesh) -> None:
        probe = mesh.backend("sick-v1", 8081)
        assert eventually(lambda: any(seen.target == "/up" for seen in probe.seen))
        [identity] = probe.last.all("x-forwarded-client-cert")
        assert identity.endswith(f";URI={mesh.identity('web')}")
        assert probe.last.all("host") == ["sick"]
