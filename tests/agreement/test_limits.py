"""Limits: whose bucket a request empties, and when it is empty."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from meshc_lang.request import Request
from support.agreement_expect import Buckets
from support.agreement_probe import Entrance, Probe
from support.agreement_stage import Stage
from support.agreement_trial import hold


@pytest.fixture
def stage(stage_of: Any) -> Iterator[Stage]:
    with stage_of("limits") as running:
        yield running


def _call(caller: str, callee: str, path: str = "/x", **headers: str) -> Probe:
    lines = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    request = Request(caller=caller, callee=callee, method="GET", path=path, headers=lines)
    return Probe(request=request, entrance=Entrance.OUTBOUND)


QUESTIONS = (
    # Denied and refused requests take nothing out of a bucket.
    *[_call("web", "api", "/closed")] * 5,
    *[_call("web", "api", "/x%2F")] * 5,
    # One bucket for requests without the header, one for each value, and lists are values.
    *[_call("web", "api")] * 5,
    *[_call("web", "api", x_user="ann")] * 4,
    *[_call("web", "api", x_user="ben")] * 4,
    *[_call("web", "api", x_user="")] * 4,
    *[_call("web", "api", x_user="ann, ben")] * 4,
    _call("web", "api", x_user="ann"),
    # A bucket for each member of a group.
    *[_call("batch", "api", x_user="ann")] * 5,
    *[_call("cron", "api")] * 5,
    # The burst is the amount where none is stated.
    *[_call("web", "quick")] * 3,
)


def test_buckets_empty_alike_in_all_voices(stage: Stage) -> None:
    verdict = hold(stage.program, stage.meshes, QUESTIONS, Buckets(stage.index, stage.expect), at_once=1)
    verdict.require_agreement()


def test_the_questions_empty_buckets(stage: Stage) -> None:
    expect = Buckets(stage.index, stage.expect)
    statuses = [expect(probe).status for probe in QUESTIONS]
    assert statuses == (
        [403] * 5
        + [400] * 5
        + [200] * 3 + [429] * 2
        + ([200] * 3 + [429]) * 4
        + [429]
        + ([200] * 4 + [429]) * 2
        + [200] * 2 + [429]
    )  # fmt: skip
