"""The kept tables of the grammar: used where they are ours alone, never needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from meshc_lang.grammar_cache import grammar_cache

PARSE = """
from meshc_lang.parser import parse
from meshc_lang.source import SourceText
file, findings = parse(SourceText("a.mesh", "edition 2026\\nservice web {}\\nallow web ->"))
print(len(file.statements), [str(finding.code) for finding in findings])
"""
SEEN = "2 ['MSH002 unfinished-statement']\n"


def parsed(cache: Path) -> str:
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-c", PARSE], env=environment, check=True, capture_output=True, text=True, timeout=60
    )
    assert result.stderr == ""
    return result.stdout


def test_a_second_run_reads_with_the_kept_tables_what_the_first_read_without(tmp_path: Path) -> None:
    assert parsed(tmp_path) == SEEN
    kept = tmp_path / "meshc" / "grammar.tables"
    made = kept.read_bytes()
    assert (tmp_path / "meshc").stat().st_mode & 0o077 == 0
    assert parsed(tmp_path) == SEEN
    assert kept.read_bytes() == made


@pytest.mark.parametrize("damage", [b"", b"nonsense\n", None])
def test_damaged_tables_are_made_anew(tmp_path: Path, damage: bytes | None) -> None:
    assert parsed(tmp_path) == SEEN
    kept = tmp_path / "meshc" / "grammar.tables"
    kept.write_bytes(kept.read_bytes()[:1000] if damage is None else damage)
    assert parsed(tmp_path) == SEEN


def test_a_directory_that_others_may_write_to_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert grammar_cache() == str(tmp_path / "meshc" / "grammar.tables")
    (tmp_path / "meshc").chmod(0o777)
    assert grammar_cache() is None


def test_no_place_for_tables_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert grammar_cache() is None
    assert parsed(tmp_path / "file") == SEEN
