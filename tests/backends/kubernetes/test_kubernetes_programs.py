"""From programs, as people write them: the examples, and the pages of the target's codes."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest

from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_lang.codes import Code
from meshc_lang.codes.targets import KUBERNETES_NAME, KUBERNETES_NAME_TAKEN, KUBERNETES_SELECTOR
from support.kubernetes_mesh import documents, emit

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def codes_of(text: str) -> list[str]:
    result = compile_program(("program.mesh",), MemoryReader({"program.mesh": text}))
    assert result.diagnostics == ()
    assert result.index is not None
    return [diagnostic.code.id for diagnostic in emit(result.index).diagnostics]


@pytest.mark.parametrize("code", [KUBERNETES_NAME, KUBERNETES_NAME_TAKEN, KUBERNETES_SELECTOR], ids=str)
def test_the_bad_program_of_a_page_yields_its_code_and_the_good_one_nothing(code: Code) -> None:
    assert codes_of(code.bad) == [code.id]
    assert codes_of(code.good) == []


@pytest.mark.parametrize("name", ["boutique", "shop"])
def test_an_example_is_accepted_by_the_official_schemas(name: str) -> None:
    result = compile_program((str(EXAMPLES / name),))
    assert result.index is not None
    emission = emit(result.index)
    assert emission.diagnostics == ()
    objects = documents(emission)
    assert len(documents(emission, "NetworkPolicy")) == len(result.index.mesh.workloads)
    for each in objects:
        kubernetes_validate.validate(each, "1.37.0", strict=True)
