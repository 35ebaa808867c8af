"""What a build records of a program is the program: its mesh can be read back, whole but for what it promises."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from meshc_compiler.ir.dump import canonical_text, record_text
from meshc_compiler.ir.mesh import Mesh
from meshc_compiler.ir.record import UnreadableRecordError, read_record
from meshc_compiler.loader import DiskReader
from meshc_compiler.pipeline import compile_all
from support.correct_programs import CorrectProgram, correct_programs
from support.effort import examples
from support.program_changes import meshes_of

ROOT = Path(__file__).resolve().parents[2]
CASES = sorted(path.parents[1] for path in (ROOT / "tests" / "corpus").glob("*/expected/ir.json"))


def without_promises(mesh: Mesh) -> Mesh:
    return replace(mesh, assertions=(), examples=())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_program_of_the_corpus_is_read_back(case: Path) -> None:
    result = compile_all((".",), DiskReader(case))
    for mesh in (result.mesh, *(overlay.mesh for overlay in result.overlays)):
        if mesh is None:
            continue
        read = read_record(canonical_text(mesh))
        assert read == without_promises(mesh)
        assert canonical_text(read) == canonical_text(without_promises(mesh))
        assert read_record(record_text(mesh)) == read


@examples(25)
@given(correct_programs())
def test_generated_programs_are_read_back(program: CorrectProgram) -> None:
    meshes = meshes_of(program.text)
    assert meshes is not None
    for index in meshes.values():
        assert read_record(canonical_text(index.mesh)) == without_promises(index.mesh)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'"mesh"',
        b"\xff",
        b'{"name": 3}',
        b'{"name": "m", "trust_domain": "m.example", "workloads": [], "services": [], "later": 1}',
        b'{"name": "m", "trust_domain": "m.example", "rules": [{"id": "x", "effect": "perhaps"}]}',
        b'{"name": "m", "trust_domain": "m.example", "rules": 7}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_record_is_refused(text: bytes) -> None:
    with pytest.raises(UnreadableRecordError):
        read_record(text)
