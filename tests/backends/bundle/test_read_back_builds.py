"""A build reads its files back: where they do not mean what the program says, nothing is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import meshc_backends.sidecar.inbound as snapshots
from meshc_backends.build import BuildInput, BuildResult, build
from meshc_backends.kubernetes import network_policy
from meshc_backends.sidecar.request_match import match_fields
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from support.bundles import NOW, codes, tree

PROGRAM = """
mesh small { trust-domain: "small.example" }
service api { port: 8080/http }
service web {}
allow web -> api : GET /v1/**
"""


def built(out: Path) -> BuildResult:
    index = compile_program(("small.mesh",), MemoryReader({"small.mesh": PROGRAM})).index
    assert index is not None
    source = BuildInput(program="0" * 64, compiler="0.0.0", tests=(0, 0), authority=out.parent / "authority", now=NOW)
    return build(index, ("sidecar", "kubernetes"), out, source)


def test_the_manifest_says_what_was_proved(tmp_path: Path) -> None:
    result = built(tmp_path / "out")
    assert result.written
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["proved"]["read_back"] == [
        {"target": "sidecar", "files": 2, "meaning": "equal", "connections": None, "wider": []},
        {
            "target": "kubernetes",
            "files": 1,
            "meaning": "superset",
            "connections": 1,
            "wider": [{"service": "api", "rules": ["allow web -> api : GET /v1/**"]}],
        },
    ]


def test_a_mistake_in_the_writer_of_snapshots_keeps_everything_from_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert built(tmp_path / "out").written
    before = tree(tmp_path / "out")

    def forgetful(match: Any) -> Any:
        return {**match_fields(match), "methods": None}

    monkeypatch.setattr(snapshots, "match_fields", forgetful)
    result = built(tmp_path / "out")
    assert not result.written
    assert codes(result) == ["MSH880"]
    (found,) = result.diagnostics
    assert found.witness is not None
    assert found.witness.text == "web -> api POST /v1"
    assert tree(tmp_path / "out") == before


def test_a_mistake_in_the_writer_of_network_policies_does_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_policy, "_tcp", lambda port: {"protocol": "UDP", "port": port})
    result = built(tmp_path / "out")
    assert not result.written
    assert set(codes(result)) == {"MSH885", "MSH886"}
    assert result.diagnostics[0].witness is not None
    assert result.diagnostics[0].witness.text == "web -> api GET /v1"
    assert not (tmp_path / "out").exists()
