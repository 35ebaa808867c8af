"""Every diagnostic code is documented by programs that really yield it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_all
from meshc_lang.codes import CODES, Code

ROOT = Path(__file__).resolve().parents[2]
TODAY = date(2026, 1, 1)
"""The day on which the programs of the codes are compiled: suppressions expire."""
ALL = sorted(CODES.values(), key=lambda code: code.id)


def codes_of(text: str, files: tuple[tuple[str, str], ...] = ()) -> list[str]:
    """Compile a program of one file, with others beside it, and return the codes of its findings."""
    reader = MemoryReader({"program.mesh": text, **dict(files)})
    result = compile_all(("program.mesh",), reader, lambda: TODAY)
    return [diagnostic.code.id for diagnostic in result.diagnostics]


@pytest.mark.parametrize("code", ALL, ids=str)
def test_a_code_says_what_and_why(code: Code) -> None:
    assert code.id.startswith("MSH")
    assert len(code.id) == 6
    assert code.name == code.name.lower()
    assert " " not in code.name
    assert len(code.summary) > 10
    assert len(code.why) > 20


# What a target cannot express comes from a build: the tests of the backends build those programs.
@pytest.mark.parametrize("code", [code for code in ALL if code.bad and not code.id.startswith("MSH8")], ids=str)
def test_the_bad_program_yields_the_code_and_the_good_one_does_not(code: Code) -> None:
    assert code.id in codes_of(code.bad, code.files)
    assert code.good, f"{code} has a bad program and no good one"
    assert codes_of(code.good, code.files) == []


@pytest.mark.parametrize("code", ALL, ids=str)
def test_a_code_has_its_page(code: Code) -> None:
    page = ROOT / "docs" / "diagnostics" / f"{code.id}.md"
    assert page.exists(), "run `make docs`"
    text = page.read_text()
    assert code.name in text
    assert code.summary in text


def test_no_page_is_left_of_a_code_that_is_gone() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "diagnostics").glob("MSH*.md")}
    assert pages == set(CODES)
