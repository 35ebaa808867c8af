"""Rate limits at the callee: a bucket a caller, a bucket a header value, and none for what is denied."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshc_compiler.ir.mesh import Mesh
from meshc_compiler.ir.policy import Effect
from meshc_compiler.ir.route import Route
from support.envoy_mesh import EnvoyMesh
from support.http_call import Answer, call
from support.ir_mesh import DOMAIN, allow, callers, http_port, limit, match, route_rule, rule, service, workload


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[EnvoyMesh]:
    """Buckets fill once an hour, so what was taken stays taken: each test starts Envoys of its own."""
    ports = (http_port(1, "caller"), http_port(2, "value"), http_port(3, "two"), http_port(4, "fast"))
    value = Mesh(
        name="limits",
        trust_domain=DOMAIN,
        workloads=tuple(workload(name) for name in ("api", "job", "other", "web")),
        services=(service("api", *ports),),
        rules=(
            *(allow("any", "api", match("/ok/**"), port=port.number) for port in ports),
            rule(Effect.DENY, callers("job"), "api", match("/ok/not-job"), port=1),
        ),
        limits=(
            limit(callers("job", "web"), "api", 100, seconds=3600, burst=3, port=1),
            limit(callers(), "api", 2, seconds=3600, per_header="x-user", port=2),
            limit(callers(), "api", 3, seconds=3600, port=3, named="wide"),
            limit(callers("web"), "api", 2, seconds=3600, port=3, named="narrow"),
            limit(callers(), "api", 5, seconds=1, burst=2, port=4),
        ),
    )
    with EnvoyMesh(value, tmp_path) as running:
        yield running


def ask(
    mesh: EnvoyMesh, port: int, *, caller: str = "web", target: str = "/ok/x", users: tuple[str | bytes, ...] = ()
) -> Answer:
    return call(
        mesh.inbound("api"),
        "GET",
        target,
        headers=[("X-User", user) for user in users],
        tls=mesh.peer(caller),
        server_name=f"{port}.api.default.mesh.internal",
    )


def statuses(mesh: EnvoyMesh, port: int, times: int, **more: object) -> list[int]:
    return [ask(mesh, port, **more).status for _ in range(times)]  # type: ignore[arg-type]


def test_each_caller_has_a_bucket_of_its_own(mesh: EnvoyMesh) -> None:
    assert statuses(mesh, 1, 5, caller="web") == [200, 200, 200, 429, 429]
    assert statuses(mesh, 1, 5, caller="job") == [200, 200, 200, 429, 429]
    assert statuses(mesh, 1, 5, caller="other") == [200] * 5  # no limit is about it


def test_what_is_denied_or_refused_takes_no_token(mesh: EnvoyMesh) -> None:
    assert statuses(mesh, 1, 5, caller="job", target="/ok/not-job") == [403] * 5
    assert statuses(mesh, 1, 5, caller="job", target="/elsewhere") == [403] * 5
    assert statuses(mesh, 1, 5, caller="job", target="/ok/%") == [400] * 5
    assert statuses(mesh, 1, 4, caller="job") == [200, 200, 200, 429]
    assert ask(mesh, 1, caller="job", target="/ok/not-job").status == 403  # not 429: the rule comes first
    assert ask(mesh, 1, caller="job", target="/ok/%").status == 400


def test_each_value_of_the_header_has_a_bucket_of_its_own(mesh: EnvoyMesh) -> None:
    values: tuple[tuple[str | bytes, ...], ...] = (
        (),
        ("",),
        ("absent",),
        ("ann",),
        ("Ann",),
        (b"\xff",),
        (b"\xfe",),
        ("ann", "bob"),
        ("bob", "ann"),
        ("x" * 4000,),
        ("'\"\\",),
    )
    for users in values:
        assert statuses(mesh, 2, 3, users=users) == [200, 200, 429], users
    assert ask(mesh, 2, users=("ann,bob",)).status == 429  # the same as the two lines
    assert statuses(mesh, 2, 3, users=("ann",), caller="job") == [200, 200, 429]  # within the caller
    assert statuses(mesh, 2, 3, caller="job") == [200, 200, 429]


def test_many_values_keep_their_buckets(mesh: EnvoyMesh) -> None:
    names = [f"user-{number}" for number in range(60)]  # Envoy by itself remembers twenty
    for _ in range(2):
        assert {ask(mesh, 2, users=(name,)).status for name in names} == {200}
    assert {ask(mesh, 2, users=(name,)).status for name in names} == {429}


def test_every_limit_about_a_request_holds(mesh: EnvoyMesh) -> None:
    assert statuses(mesh, 3, 4, caller="job") == [200, 200, 200, 429]
    assert statuses(mesh, 3, 4, caller="web") == [200, 200, 429, 429]


def test_buckets_fill_again_up_to_the_burst(mesh: EnvoyMesh) -> None:
    assert statuses(mesh, 4, 3) == [200, 200, 429]
    time.sleep(1.1)  # five tokens' time, two tokens' room
    assert statuses(mesh, 4, 3) == [200, 200, 429]


def test_the_answer_says_too_many_and_nothing_else(mesh: EnvoyMesh) -> None:
    statuses(mesh, 1, 3)
    answer = ask(mesh, 1)
    assert (answer.status, answer.body) == (429, b"too many requests")
    assert [name for name, _ in answer.headers if "ratelimit" in name or name.startswith("x-envoy")] == []
    line = mesh.sidecars["api"].logged(lambda line: line["status"] == 429)
    assert line["rule"] == "allow any -> api * /ok/**"
    assert line["flags"] == "RL"


def test_names_may_hold_any_character(tmp_path: Path) -> None:
    """Ids and header names are text of the program: nothing in them is a command of Envoy's formatters."""
    weird = 'we"ird %REQ(:PATH)% 100% \\ \n é € rule'
    value = Mesh(
        name="weird",
        trust_domain=DOMAIN,
        workloads=(workload("api"), workload("web")),
        services=(service("api"),),
        rules=(allow("web", "api", named=weird),),
        limits=(limit(callers(), "api", 2, seconds=3600, named=weird, per_header="x'%y"),),
        routes=(Route(service="api", port=8080, rules=(route_rule(weird, match("/a"), ("api", None, 100)),)),),
    )
    with EnvoyMesh(value, tmp_path) as mesh:
        for headers in ([], [("x'%y", "v")]):
            answers = [call(mesh.outbound("web"), "GET", "/a", host="api", headers=headers) for _ in range(3)]
            assert [answer.status for answer in answers] == [200, 200, 429]
        assert mesh.sidecars["api"].logged(lambda line: line["status"] == 200)["rule"] == weird
        assert mesh.sidecars["web"].logged(lambda line: line["status"] == 200)["route"] == weird
