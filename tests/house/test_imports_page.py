"""The page about imports shows one program with the files that it imports, and that program is sound."""

from __future__ import annotations

import re
from pathlib import Path

from meshc_compiler.examples import run_examples
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program

PAGE = Path(__file__).resolve().parents[2] / "docs" / "imports.md"
BLOCK = re.compile(r"^```mesh\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_page_is_one_program_without_findings() -> None:
    text = PAGE.read_text(encoding="utf-8")
    files = dict(FILE.findall(text))
    assert sorted(files) == ["manifests/orders.yaml", "manifests/others.yaml", "orders.yaml", "pay.proto"]
    program = "\n".join(BLOCK.findall(text))
    result = compile_program((".",), MemoryReader({"program.mesh": program, **files}))
    assert [f"{d.code.id} {d.message} at {d.primary}" for d in result.diagnostics] == []
    assert result.index is not None
    cases = run_examples(result.index)
    assert cases
    assert [case for case in cases if not case.passed] == []
