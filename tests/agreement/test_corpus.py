"""Every question that a program raises gets one answer: from the evaluator, from the Python proxy, from Envoy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from meshc_compiler.ir.match import PathRegex
from support.agreement_exceptions import (
    ALLOWED_DIFFERENCES,
    KEEPS_CASE,
    OF_MADE_UP_PROGRAMS,
    REFUSED_FOR_EXPRESSIONS,
)
from support.agreement_matrix import callees, matches_of, matrix
from support.agreement_stage import PROGRAMS, Stage, compiled, without_limits
from support.agreement_trial import hold

OF_THEIR_OWN = {"answers", "limits", "protocols", "settings", "terms"}
"""Programs whose trials need more than a request over HTTP/1.1: scripts, an order, nobody beside them, time."""

NAMES = [*sorted({path.stem for path in PROGRAMS.glob("*.mesh")} - OF_THEIR_OWN), "examples/shop"]


@pytest.fixture(scope="module", params=NAMES)
def stage(request: pytest.FixtureRequest, stage_of: Any) -> Iterator[Stage]:
    with stage_of(request.param, index=without_limits(compiled(request.param))) as running:
        yield running


def test_all_voices_give_one_answer(stage: Stage) -> None:
    verdict = hold(stage.program, stage.meshes, matrix(stage.index), stage.expect)
    verdict.require_agreement()

    has_expression = any(
        isinstance(match.path, PathRegex)
        for callee in callees(stage.index)
        for match in matches_of(stage.index, callee)
    )
    assert has_expression or REFUSED_FOR_EXPRESSIONS not in verdict.excused
    if stage.program == "canonical":  # an exception that nothing needs any more must go
        assert verdict.excused >= set(ALLOWED_DIFFERENCES) - {KEEPS_CASE} - OF_MADE_UP_PROGRAMS
    else:
        assert has_expression or KEEPS_CASE in verdict.excused


def test_the_questions_are_of_every_kind(stage: Stage) -> None:
    """A matrix in which nothing is allowed, or nothing denied, would show nothing."""
    statuses = [stage.expect(probe).status for probe in matrix(stage.index)]
    for status in (200, 400, 403, None):
        assert statuses.count(status) >= 6, f"{statuses.count(status)} of {len(statuses)} probes expect {status}"
