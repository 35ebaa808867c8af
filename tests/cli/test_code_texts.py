"""What `meshc check` prints for the bad program of each code, letter by letter: tests/golden/codes/MSHnnn.txt."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from meshc.render.terminal import Terminal
from meshc.render.text import render_diagnostic
from meshc_backends.build import BuildInput, emit
from meshc_backends.registry import plan
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_all
from meshc_lang.codes import CODES, Code
from meshc_lang.diagnostic import Diagnostic

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "codes"
TERMINAL = Terminal(width=100)
SHOWN = sorted((code for code in CODES.values() if code.bad), key=lambda code: code.id)
MOST_LINES = 14


def findings_of(code: Code, tmp_path: Path) -> tuple[Diagnostic, ...]:
    """Compile the bad program of a code; what a target cannot express is found by the first target that refuses it."""
    reader = MemoryReader({"program.mesh": code.bad, **dict(code.files)})
    result = compile_all(("program.mesh",), reader, lambda: date(2026, 1, 1))
    if not code.id.startswith("MSH8"):
        return result.diagnostics
    assert result.index is not None
    source = BuildInput(
        program="0" * 64,
        compiler="test",
        tests=(0, 0),
        authority=tmp_path / "authority",
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )
    for target in ("envoy", "sidecar", "kubernetes", "prometheus"):
        found = emit(result.index, plan((target,))[0], source, None).diagnostics
        if any(one.code is code for one in found):
            return found
    raise AssertionError(f"no target yields {code}")


@pytest.mark.parametrize("code", SHOWN, ids=lambda code: str(code.id))
def test_a_finding_reads_as_expected(code: Code, tmp_path: Path, update_golden: bool) -> None:
    found = findings_of(code, tmp_path)
    shown = [render_diagnostic(one, TERMINAL) for one in found]
    assert all(text.count("\n") <= MOST_LINES for text in shown)
    assert code in [one.code for one in found]
    assert not [one.message for one in found if one.message.endswith(".") or "None" in one.message]
    golden, actual = GOLDEN / f"{code.id}.txt", "\n".join(shown)
    if update_golden:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(actual, encoding="utf-8")
        return
    assert golden.exists(), f"{golden} is missing: run with --update-golden and read what it writes"
    assert golden.read_text(encoding="utf-8") == actual


def test_no_text_is_left_of_a_code_that_yields_none() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {f"{code.id}.txt" for code in SHOWN}
