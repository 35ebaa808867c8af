"""Times and retries: how often a workload is tried, and what its caller is told in the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from meshc_lang.request import Request
from support.agreement_probe import Probe
from support.agreement_stage import Stage
from support.agreement_trial import hold


@pytest.fixture(scope="module")
def stage(stage_of: Any) -> Iterator[Stage]:
    with stage_of("settings") as running:
        yield running


def _call(callee: str, path: str, script: str = "200", method: str = "GET", body: bytes = b"") -> Probe:
    return Probe(request=Request(caller="web", callee=callee, method=method, path=path), script=script, body=body)


ANSWERS = ("200", "503 200", "503", "503 503 200", "429 200", "500 200", "502 200", "504 200", "404 200", "429 503 500")
ENDINGS = ("close 200", "reset 200", "garbage 200", "close")

CONDITIONS = ("/none", "/s503", "/two", "/gateway", "/5xx", "/connect", "/reset", "/total", "/ample")
BARE = ("/none", "/connect", "/5xx", "/gateway", "/reset", "/s503")
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
    probes += [_call("worn", f"/gone{path}") for path in ("/none", "/connect")]
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
