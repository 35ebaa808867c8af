"""A mistake planted in one voice is noticed, and told so that one sees whose it is."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from support.agreement_compare import Expected
from support.agreement_matrix import matrix
from support.agreement_probe import Probe
from support.agreement_process import Voice
from support.agreement_trial import Verdict, hold


def _verdict(stage_of: Any, voice: Voice, edit: Callable[[str, Any], Any] | None, program: str = "denies") -> Verdict:
    with stage_of(program, voices=(voice,), edit=edit) as stage:
        return hold(program, stage.meshes, matrix(stage.index), stage.expect)


def _walk(value: Any) -> Any:
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _walk(inner)


def _deny_lost_in_envoy(workload: str, document: Any) -> Any:
    for one in _walk(document):
        if workload == "api" and isinstance(one, dict) and one.get("action") == "DENY":
            one["policies"] = {name: one for name, one in one["policies"].items() if "/admin" not in json.dumps(one)}
    return document


def _methods_lost_in_snapshot(workload: str, document: Any) -> Any:
    for port in document["inbound"]:
        for rule in port["rules"]:
            rule["methods"] = None
    return document


def _normalisation_off_in_envoy(workload: str, document: Any) -> Any:
    for one in _walk(document):
        if isinstance(one, dict) and "normalize_path" in one:
            one["normalize_path"] = False
    return document


def _anybody_in_snapshot(workload: str, document: Any) -> Any:
    for port in document["inbound"]:
        for rule in port["rules"]:
            if rule["effect"] == "allow":
                rule["callers"] = None
    return document


MISTAKES = [
    pytest.param(Voice.ENVOY, _deny_lost_in_envoy, "denies", id="envoy: a deny is lost"),
    pytest.param(Voice.ENVOY, _normalisation_off_in_envoy, "denies", id="envoy: paths are not normalised"),
    pytest.param(Voice.PYTHON, _methods_lost_in_snapshot, "denies", id="snapshot: rules forget their methods"),
    pytest.param(Voice.PYTHON, _anybody_in_snapshot, "callers", id="snapshot: rules forget their callers"),
]


@pytest.mark.parametrize(("voice", "mistake", "program"), MISTAKES)
def test_a_wrong_proxy_is_noticed(
    stage_of: Any, voice: Voice, mistake: Callable[[str, Any], Any], program: str
) -> None:
    verdict = _verdict(stage_of, voice, mistake, program)

    assert verdict.disagreements
    assert {name for one in verdict.disagreements for name in one.voices} == {voice.value}
    let_through = next(one for one in verdict.disagreements if "! status 200, expected 403" in one.text)
    request, evaluator, proxy, *differences = let_through.text.splitlines()
    assert " -> api " in request
    assert "evaluator: 403, nothing reaches a workload" in evaluator
    assert f"{voice.value}: " in proxy
    assert any("1 tries, expected 0" in difference for difference in differences)
    with pytest.raises(AssertionError, match="answers differ"):
        verdict.require_agreement()


@pytest.mark.parametrize("voice", list(Voice))
def test_a_wrong_evaluator_is_noticed(stage_of: Any, voice: Voice) -> None:
    def forgets_ids(expect: Callable[[Probe], Expected], probe: Probe) -> Expected:
        """Judge as an evaluator would that takes any segment for digits."""
        path = probe.request.path.replace("4x2", "42")
        return expect(dataclasses.replace(probe, request=dataclasses.replace(probe.request, path=path)))

    with stage_of("denies", voices=(voice,)) as stage:
        verdict = hold("denies", stage.meshes, matrix(stage.index), lambda probe: forgets_ids(stage.expect, probe))

    assert verdict.disagreements
    assert all("4x2" in one.probe.text for one in verdict.disagreements)
    assert f"{voice.value}:" in verdict.message
