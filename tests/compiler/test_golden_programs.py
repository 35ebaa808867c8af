"""Every program of the corpus means, and is told, what its expected files say. A case is added by adding its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshc_compiler.ir.dump import dump_mesh
from meshc_compiler.loader import DiskReader
from meshc_compiler.pipeline import CompileResult, compile_all
from support.diagnostic_text import diagnostics_text

CORPUS = Path(__file__).resolve().parents[1] / "corpus"
CASES = sorted(path.name for path in CORPUS.iterdir() if path.is_dir())


def compile_case(name: str) -> CompileResult:
    return compile_all((".",), DiskReader(CORPUS / name))


@pytest.mark.parametrize("name", CASES)
def test_a_program_of_the_corpus_compiles_as_expected(name: str, update_golden: bool) -> None:
    result = compile_case(name)
    actual = {
        "ir.json": "" if result.mesh is None else dump_mesh(result.mesh, spans=True),
        "diagnostics.txt": diagnostics_text(result.diagnostics),
    }
    for overlay in result.overlays:
        text = "" if overlay.mesh is None else dump_mesh(overlay.mesh, spans=True)
        actual[f"ir.{overlay.overlay}.json"] = text
    expected = CORPUS / name / "expected"
    if update_golden:
        expected.mkdir(exist_ok=True)
        for file, text in actual.items():
            if text:
                (expected / file).write_text(text)
            else:
                (expected / file).unlink(missing_ok=True)
        return
    for file, text in actual.items():
        golden = expected / file
        if text:
            assert golden.exists(), f"{golden} is missing: run with --update-golden and read what it writes"
            assert golden.read_text() == text
        else:
            assert not golden.exists(), f"{golden} is stale: the program has none any more"


@pytest.mark.parametrize("name", CASES)
def test_a_case_has_a_program_and_no_file_that_nothing_checks(name: str) -> None:
    assert list((CORPUS / name).glob("*.mesh")), f"tests/corpus/{name} has no program"
    known = {"ir.json", "diagnostics.txt", *(f"ir.{one.overlay}.json" for one in compile_case(name).overlays)}
    files = {path.name for path in (CORPUS / name / "expected").iterdir() if path.is_file()}
    assert files <= known, f"nothing checks {sorted(files - known)}"
