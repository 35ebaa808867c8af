"""Programs that nobody wrote: many small ones from seeds, each asked all that its rules raise.

`MESHC_AGREEMENT_SEEDS=100-140` tries these instead of the few that every run tries.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from meshc_compiler.ir.mesh import MeshIndex
from support.agreement_matrix import matrix
from support.agreement_probe import Credential, Probe
from support.agreement_programs import generated_program
from support.agreement_stage import compiled_text
from support.agreement_trial import hold

USUAL = "0-9"
QUESTIONS = 300


def _seeds() -> list[int]:
    first, _, last = os.environ.get("MESHC_AGREEMENT_SEEDS", USUAL).partition("-")
    return list(range(int(first), int(last or first) + 1))


def _chosen(probes: tuple[Probe, ...], seed: int) -> list[Probe]:
    """Return some of the probes, in their order. Intruders are met in the corpus."""
    usual = [probe for probe in probes if probe.credential is Credential.OWN]
    picked = sorted(random.Random(seed).sample(range(len(usual)), min(QUESTIONS, len(usual))))
    return [usual[number] for number in picked]


def _program(seed: int) -> tuple[str, MeshIndex]:
    """Return the first program from a seed that the compiler takes: some are refused, as ambiguous or useless."""
    for attempt in range(20):
        text = generated_program(1000 * seed + attempt)
        index = compiled_text(text)
        if index is not None:
            return text, index
    raise AssertionError(f"no program of seed {seed} compiles")


@pytest.mark.parametrize("seed", _seeds())
def test_a_made_up_program_gets_one_answer(stage_of: Any, seed: int) -> None:
    text, index = _program(seed)
    with stage_of(f"made-{seed}", index=index) as stage:
        verdict = hold(f"seed {seed}", stage.meshes, _chosen(matrix(index), seed), stage.expect)
    assert not verdict.disagreements, f"\n{text}\n{verdict.message}"
