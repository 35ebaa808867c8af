"""Programs that nobody wrote, and all that their rules raise: asked of the evaluator, the algebra and both proxies.

`MESHC_AGREEMENT_SEEDS=100-140` tries these instead of the few that every run tries, `MESHC_AGREEMENT_QUESTIONS` asks so
many of each.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from meshc_compiler.evaluate import evaluate
from meshc_compiler.ir.mesh import MeshIndex
from support.agreement_boundary import Port, ports_of, questions
from support.agreement_exceptions import ALLOWED_DIFFERENCES, USUAL_METHODS
from support.agreement_expect import Buckets
from support.agreement_probe import Probe
from support.agreement_process import Voice
from support.agreement_programs import Asks, generated_program
from support.agreement_stage import BOTH
from support.agreement_trial import Verdict, hold

USUAL = "0-1"
QUESTIONS = int(os.environ.get("MESHC_AGREEMENT_QUESTIONS", "1700"))
"""So many of each program that both proxies carry; of one for Envoy alone, a third."""


DOCUMENTED = Path(__file__).resolve().parents[2] / "docs" / "targets.md"

OF_OTHER_TESTS = {"`grpc-timeout` where a `timeout` is stated"}
"""Differences in time, which no made up program asks about: `test_protocols.py` does."""


def test_exceptions_are_those_of_the_documentation() -> None:
    _, _, text = DOCUMENTED.read_text().partition("the tests\nhold it to exactly this list")
    table = text.partition("\n\n")[2].partition("\n\n")[0].splitlines()[2:]
    told = {row.split(" | ")[0].removeprefix("| ") for row in table}
    assert told - OF_OTHER_TESTS == {one.documented for one in ALLOWED_DIFFERENCES if one.voice is Voice.ENVOY}


def _seeds() -> list[int]:
    first, _, last = os.environ.get("MESHC_AGREEMENT_SEEDS", USUAL).partition("-")
    return list(range(int(first), int(last or first) + 1))


def _decided_alike(index: MeshIndex, port: Port, probe: Probe) -> bool:
    """Tell whether the algebra says of a request what the evaluator says."""
    return port.space.contains(port.space.allowed, probe.request) is evaluate(index, probe.request).allowed


@pytest.mark.parametrize("seed", _seeds())
@pytest.mark.parametrize(("asks", "voices"), [(Asks.OF_BOTH, BOTH), (Asks.OF_ENVOY, (Voice.ENVOY,))], ids=["", "envoy"])
def test_a_made_up_program_gets_one_answer(stage_of: Any, seed: int, asks: Asks, voices: tuple[Voice, ...]) -> None:
    text, index = generated_program(seed, asks)
    chance = random.Random(seed)
    ports = ports_of(index)
    most = QUESTIONS if asks is Asks.OF_BOTH else QUESTIONS // 3
    probes: list[Probe] = []
    limited: list[Probe] = []
    for port in ports:
        asked = questions(index, port, chance, most // len(ports))
        unlike = [probe.text for probe in asked if not _decided_alike(index, port, probe)]
        assert not unlike, f"the algebra says otherwise than the evaluator of {unlike[0]}, in\n{text}"
        if index.limits_of(port.callee.name, port.callee.number):
            # Requests for which a voice has an exception may not take a token: one lost count spoils all behind it.
            limited += [probe for probe in asked if not probe.why and probe.request.method in USUAL_METHODS]
        else:
            probes += asked

    with stage_of(f"made-{seed}", index=index, voices=voices, keep_alive=True) as stage:
        verdicts = [
            hold(f"seed {seed}", stage.meshes, probes, stage.expect),
            hold(f"seed {seed}", stage.meshes, limited, Buckets(index, stage.expect), at_once=1),
        ]
    _require_agreement(text, verdicts)


def _require_agreement(text: str, verdicts: list[Verdict]) -> None:
    messages = [verdict.message for verdict in verdicts if verdict.disagreements]
    assert not messages, f"\n{text}\n" + "\n".join(messages)
