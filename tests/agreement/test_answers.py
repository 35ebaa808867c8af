"""What a sidecar answers itself: by a route, or by a fault that was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from meshc_lang.request import Request
from support.agreement_probe import Observation, Probe
from support.agreement_process import Voice
from support.agreement_stage import Stage

EACH = pytest.mark.parametrize("voice", list(Voice))


@pytest.fixture(scope="module")
def stage(stage_of: Any) -> Iterator[Stage]:
    with stage_of("answers") as running:
        yield running


def _ask(stage: Stage, voice: Voice, caller: str, callee: str, path: str, method: str = "GET") -> Observation:
    request = Request(caller=caller, callee=callee, method=method, path=path)
    return stage.mesh(voice).send(Probe(request=request))


@EACH
def test_a_redirect_has_exactly_the_location(stage: Stage, voice: Voice) -> None:
    seen = _ask(stage, voice, "web", "api", "/old")
    assert (seen.answer.status, seen.count) == (307, 0)
    assert dict(seen.answer.headers)["location"] == "https://new.example/100%25?a=b"


@EACH
@pytest.mark.parametrize(
    ("caller", "method", "path", "status", "tries"),
    [
        ("web", "POST", "/v1/gone", 410, 0),
        ("web", "GET", "/v1/gone", 200, 1),
        ("web", "GET", "/gone", 404, 0),
        ("web", "POST", "/gone/x", 404, 0),
        ("web", "HEAD", "/gone/x", 404, 0),
        ("web", "TRACE", "/gone/x", 405, 0),
        ("web", "GET", "/gone/secret", 403, 0),
        ("web", "GET", "/bad", 400, 0),
        ("web", "GET", "/empty", 204, 0),
        ("jobs", "GET", "/gone", 404, 0),
        ("jobs", "POST", "/gone", 403, 0),
        ("jobs", "TRACE", "/gone", 403, 0),
        ("jobs", "GET", "/old", 403, 0),
        ("jobs", "POST", "/v1/gone", 403, 0),
    ],
)
def test_answers_are_for_who_is_allowed(
    stage: Stage, voice: Voice, caller: str, method: str, path: str, status: int, tries: int
) -> None:
    seen = _ask(stage, voice, caller, "api", path, method)
    assert (seen.answer.status, seen.count) == (status, tries)


@EACH
def test_a_delay_befalls_whom_it_is_about(stage: Stage, voice: Voice) -> None:
    seen = _ask(stage, voice, "web", "slow", "/patient")
    assert (seen.answer.status, seen.count) == (200, 1)
    assert seen.seconds >= 0.7
    assert _ask(stage, voice, "web", "slow", "/hasty").answer.status == 504


@EACH
@pytest.mark.parametrize("path", ["/patient", "/retried"])
def test_an_abort_is_tried_again_as_a_real_one(stage: Stage, voice: Voice, path: str) -> None:
    seen = _ask(stage, voice, "jobs", "slow", path)
    assert (seen.answer.status, seen.count) == (503, 0)
