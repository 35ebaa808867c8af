"""Both kinds of proxy in one mesh: each must do with the other at the far end of the connection."""

from __future__ import annotations

from typing import Any

import pytest

from support.agreement_matrix import matrix
from support.agreement_process import Voice
from support.agreement_stage import compiled, without_limits
from support.agreement_trial import hold


def _callers_python(workload: str) -> Voice:
    return Voice.ENVOY if workload == "api" else Voice.PYTHON


def _callers_envoy(workload: str) -> Voice:
    return Voice.PYTHON if workload == "api" else Voice.ENVOY


@pytest.mark.parametrize("voice_of", [_callers_python, _callers_envoy])
@pytest.mark.parametrize("program", ["examples/shop", "ports"])
def test_a_mixed_mesh_gives_the_same_answers(stage_of: Any, program: str, voice_of: Any) -> None:
    with stage_of(program, index=without_limits(compiled(program)), voices=(voice_of,)) as stage:
        hold(program, stage.meshes, matrix(stage.index), stage.expect).require_agreement()
