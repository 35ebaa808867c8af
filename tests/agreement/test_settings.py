"""Times and retries: how often a workload is tried, and what its caller is told in the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from meshc_lang.request import Request
from support.agreement_mesh import AgreementMesh
from support.agreement_probe import Entrance, Observation, Probe
from support.agreement_process import Voice
from support.agreement_stage import Stage
from support.agreement_trial import hold
from support.recorder import LATE

Begun = dict[str, Future[Observation]]


@pytest.fixture(scope="module")
def stage(stage_of: Any) -> Iterator[Stage]:
    with stage_of("settings") as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def long_calls(stage: Stage) -> Iterator[Begun]:
    """Calls that take longer than the other tests of this file together, begun before them."""
    with ThreadPoolExecutor() as pool:
        yield {mesh.name: pool.submit(mesh.send, _call("slow", "/no-timeout", "late")) for mesh in stage.meshes}


def _call(callee: str, path: str, script: str = "200", method: str = "GET", body: bytes = b"") -> Probe:
    return Probe(request=Request(caller="web", callee=callee, method=method, path=path), script=script, body=body)


ANSWERS = ("200", "503 200", "503", "503 503 200", "429 200", "500 200", "502 200", "504 200", "404 200", "429 503 500")
ENDINGS = ("close 200", "reset 200", "garbage 200", "close")

CONDITIONS = ("/none", "/s503", "/two", "/gateway", "/5xx", "/connect", "/reset", "/total", "/ample")
BARE = ("/none", "/connect", "/5xx", "/gateway", "/reset", "/s503")
FALSE = ("/gone", "/impostor", "/rogue", "/expired")
PER_TRY = ("/per-try-5xx", "/per-try-gateway", "/per-try-reset", "/per-try-s504", "/per-try-connect")


def test_answers_are_tried_again_as_the_conditions_say(stage: Stage) -> None:
    probes = [_call("api", path, script) for path in CONDITIONS for script in ANSWERS + ENDINGS]
    probes += [_call("slow", path, script) for path in ("/x", "/retry-off") for script in ANSWERS]
    hold(stage.program, stage.meshes, probes, stage.expect, at_once=1).require_agreement()


def test_bodies_are_sent_again(stage: Stage) -> None:
    body = b"twelve bytes" * 100
    probes = [_call("api", "/s503", "503 503 200", method, body) for method in ("POST", "PUT", "PATCH", "DELETE")]
    probes += [_call("worn", "/bare/reset", "close 200", "POST", body)]
    hold(stage.program, stage.meshes, probes, stage.expect, at_once=1).require_agreement()


def test_connections_are_tried_again_as_the_conditions_say(stage: Stage) -> None:
    probes = [_call("worn", f"/bare{path}", script) for path in BARE for script in (*ENDINGS, "503 200", "200")]
    probes += [_call("worn", f"/silent{path}") for path in (*BARE, "/refused")]
    probes += [_call("worn", f"{place}{path}") for place in FALSE for path in ("/none", "/connect")]
    hold(stage.program, stage.meshes, probes, stage.expect, at_once=1).require_agreement()


def test_callers_cannot_ask_for_more_by_headers(stage: Stage) -> None:
    """Envoy takes orders by `x-envoy-…` headers from those it trusts, and here it trusts nobody."""
    orders = (
        ("x-envoy-retry-on", "5xx,reset,retriable-status-codes"),
        ("x-envoy-max-retries", "5"),
        ("x-envoy-retriable-status-codes", "503"),
        ("x-envoy-upstream-rq-timeout-ms", "1"),
        ("x-envoy-upstream-rq-per-try-timeout-ms", "1"),
        ("x-envoy-hedge-on-per-try-timeout", "true"),
        ("x-envoy-original-path", "/total"),
        ("x-envoy-internal", "true"),
    )
    probes = []
    for plain in (_call("api", "/none", "503 200"), _call("api", "/none"), _call("slow", "/retry-off", "503 200")):
        probes += [replace(plain, request=replace(plain.request, headers=orders))]
        probes += [replace(plain, request=replace(plain.request, headers=orders), entrance=Entrance.INBOUND)]
    hold(stage.program, stage.meshes, probes, stage.expect, at_once=1).require_agreement()


def test_calls_end_when_their_time_is_over(stage: Stage) -> None:
    probes = [_call("api", path, script) for path in PER_TRY for script in ("stall 200", "stall", "504 200")]
    probes += [
        _call("api", "/total", "stall"),
        _call("api", "/short", "stall"),
        _call("api", "/none", "stall"),
        _call("slow", "/x", "stall"),
        _call("slow", "/x", "503 stall"),
        _call("slow", "/retry-off", "stall"),
        _call("worn", "/bare/per-try", "stall 200"),
        _call("worn", "/bare/per-try", "stall"),
    ]
    hold(stage.program, stage.meshes, probes, stage.expect, at_once=8).require_agreement()


RUNNING = 20
"""Calls at once, all of which fail."""


def _retried(mesh: AgreementMesh, path: str) -> int:
    """Return how many of many calls that fail together are tried again while the first tries again still run."""
    probe = _call("api", path, f"gate-{path[1:]}1-503 gate-{path[1:]}2-200")
    reached = mesh.recorder.total("api")
    with ThreadPoolExecutor(max_workers=RUNNING) as pool:
        calls = [pool.submit(mesh.send, probe) for _ in range(RUNNING)]
        _until(lambda: mesh.recorder.total("api") - reached == RUNNING)
        mesh.recorder.open_gate(f"{path[1:]}1")
        _until(lambda: mesh.recorder.total("api") - reached + sum(call.done() for call in calls) == 2 * RUNNING)
        mesh.recorder.open_gate(f"{path[1:]}2")
        seen = [call.result() for call in calls]
    assert all(one.answer.status == (200 if one.count == 2 else 503) for one in seen)
    return sum(one.count - 1 for one in seen)


def _until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("voice", list(Voice))
@pytest.mark.parametrize(("path", "fewest", "most"), [("/budget", 3, 4), ("/ample", RUNNING // 2, RUNNING)])
def test_a_budget_is_a_share_of_what_runs(stage: Stage, voice: Voice, path: str, fewest: int, most: int) -> None:
    """20 % of 20 calls are 4; as calls end, the share falls, but three at once are always allowed."""
    assert fewest <= _retried(stage.mesh(voice), path) <= most


def test_without_a_timeout_a_call_may_take_its_time(stage: Stage, long_calls: Begun) -> None:
    for name, call in long_calls.items():
        seen = call.result()
        assert (name, seen.answer.status, len(seen.tries)) == (name, 200, 1)
        assert seen.seconds >= LATE
