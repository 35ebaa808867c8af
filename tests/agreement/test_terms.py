"""Terms of calls: what is above a bound is refused, what fails is left alone, who is chosen and by what."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from meshc_lang.request import Request
from support.agreement_mesh import AgreementMesh
from support.agreement_probe import Observation, Probe
from support.agreement_process import Voice
from support.agreement_stage import Stage

EACH = pytest.mark.parametrize("voice", list(Voice))


@pytest.fixture(scope="module")
def stage(stage_of: Any) -> Iterator[Stage]:
    with stage_of("terms") as running:
        yield running


def _call(callee: str, path: str, script: str = "200", method: str = "GET", **headers: str) -> Probe:
    lines = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    request = Request(caller="web", callee=callee, method=method, path=path, headers=lines)
    return Probe(request=request, script=script)


def _instances(mesh: AgreementMesh, path: str, times: int, **headers: str) -> Counter[str | None]:
    return Counter(mesh.send(_call("api", path, **headers)).tries[0].place.version for _ in range(times))


def _until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@EACH
@pytest.mark.parametrize(
    ("path", "name", "value"), [("/header/x", "x_user", "u{}"), ("/cookie/x", "cookie", "a=b; session=s{}")]
)
def test_what_is_hashed_keeps_its_instance(stage: Stage, voice: Voice, path: str, name: str, value: str) -> None:
    mesh = stage.mesh(voice)
    users = [_instances(mesh, path, 4, **{name: value.format(number)}) for number in range(24)]
    assert all(len(seen) == 1 for seen in users)
    assert len({next(iter(seen)) for seen in users}) == 3


@EACH
def test_the_source_keeps_its_instance(stage: Stage, voice: Voice) -> None:
    assert len(_instances(stage.mesh(voice), "/source/x", 12)) == 1


@EACH
@pytest.mark.parametrize("path", ["/header/none", "/cookie/none", "/random/x", "/least/x", "/other"])
def test_otherwise_every_instance_is_called(stage: Stage, voice: Voice, path: str) -> None:
    assert len(_instances(stage.mesh(voice), path, 60)) == 3


def _at_once(mesh: AgreementMesh, path: str, gate: str, *, held: int, times: int = 6) -> Counter[int | None]:
    """Return the statuses of calls, of which the first runs, and `held` are answered when the others have been."""
    probe = _call("one", path, f"gate-{gate}-200")
    reached = mesh.recorder.total("one")
    with ThreadPoolExecutor(times) as pool:
        calls = [pool.submit(mesh.send, probe)]
        _until(lambda: mesh.recorder.total("one") > reached)
        calls += [pool.submit(mesh.send, probe) for _ in range(times - 1)]
        _until(lambda: sum(call.done() for call in calls) == times - held)
        mesh.recorder.open_gate(gate)
        seen: list[Observation] = [call.result() for call in calls]
    return Counter(one.answer.status for one in seen)


@EACH
def test_no_more_calls_run_than_stated(stage: Stage, voice: Voice) -> None:
    mesh = stage.mesh(voice)
    assert _at_once(mesh, "/two-at-once", "runs", held=2) == {200: 2, 503: 4}
    assert mesh.send(_call("one", "/two-at-once")).answer.status == 200


@EACH
def test_no_more_calls_wait_than_stated(stage: Stage, voice: Voice) -> None:
    assert _at_once(stage.mesh(voice), "/one-waits", "waits", held=2) == {200: 2, 503: 4}


@EACH
def test_without_a_bound_of_their_own_calls_wait_for_connections(stage: Stage, voice: Voice) -> None:
    assert _at_once(stage.mesh(voice), "/in-turn", "turns", held=6) == {200: 6}


@EACH
def test_none_is_refused_where_no_bound_is_stated(stage: Stage, voice: Voice) -> None:
    assert _at_once(stage.mesh(voice), "/unbounded", "unbounded", held=6) == {200: 6}


@EACH
def test_an_instance_that_fails_in_a_row_is_left_alone_for_a_while(stage: Stage, voice: Voice) -> None:
    """Scripts are the caller's, so a call fails where it goes; of six in turn, each instance fails three times."""
    mesh = stage.mesh(voice)
    assert len({mesh.send(_call("app", "/")).tries[0].place.version for _ in range(4)}) == 2
    # Both fail as often, and only half may be out.
    assert {mesh.send(_call("app", "/", "500")).answer.status for _ in range(6)} == {500}
    left = {mesh.send(_call("app", "/")).tries[0].place.version for _ in range(6)}
    assert len(left) == 1
    _until(lambda: mesh.send(_call("app", "/")).tries[0].place.version not in left)


@EACH
@pytest.mark.parametrize(
    ("method", "key", "tries"),
    [("POST", None, 1), ("PATCH", None, 1), ("POST", "k-1", 3), ("GET", None, 3), ("PUT", None, 3)],
)
def test_what_is_not_safe_to_repeat_needs_a_key(
    stage: Stage, voice: Voice, method: str, key: str | None, tries: int
) -> None:
    more = {} if key is None else {"idempotency_key": key}
    seen = stage.mesh(voice).send(_call("one", "/key", "503", method, **more))
    assert (seen.answer.status, seen.count) == (503, tries)
