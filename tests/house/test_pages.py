"""The programs and commands that the documents show really work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from meshc_compiler.examples import run_examples
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```mesh\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "docs" / "language.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_blocks_of_a_page_are_one_program_without_findings(page: Path) -> None:
    text = "\n".join(BLOCK.findall(page.read_text(encoding="utf-8")))
    assert text
    result = compile_program((page.name,), MemoryReader({page.name: text}))
    assert [f"{d.code.id} {d.message} at {d.primary}" for d in result.diagnostics] == []
    assert result.index is not None
    assert [case for case in run_examples(result.index) if not case.passed] == []
