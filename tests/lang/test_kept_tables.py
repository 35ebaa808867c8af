"""The kept tables of the grammar: used where they are ours alone, never needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from meshc_lang.user_cache import user_cache

ROOT = Path(__file__).resolve().parents[2]
PARSE = """
from meshc_lang.parser import parse
from meshc_lang.source import SourceText
file, findings = parse(SourceText("a.mesh", "edition 2026\\nservice web {}\\nallow web ->"))
print(len(file.statements), [str(finding.code) for finding in findings])
"""
SEEN = "2 ['MSH002 unfinished-statement']\n"


def parsed(cache: Path, folder: Path | None = None, **more: str) -> str:
    """Read a program in a process of its own, with the language from `folder` if one is given."""
    paths = [str(folder)] if folder is not None else sys.path
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": os.pathsep.join(paths), **more}
    if folder is None:
        environment["PYTHONPYCACHEPREFIX"] = str(cache / "bytecode")  # so nothing is kept beside the grammar
    result = subprocess.run(
        [sys.executable, "-c", PARSE], env=environment, check=True, capture_output=True, text=True, timeout=60
    )
    assert result.stderr == ""
    return result.stdout


def test_a_second_run_reads_with_the_kept_tables_what_the_first_read_without(tmp_path: Path) -> None:
    assert parsed(tmp_path) == SEEN
    kept = tmp_path / "meshc" / "mesh.tables"
    made = kept.read_bytes()
    assert (tmp_path / "meshc").stat().st_mode & 0o077 == 0
    assert parsed(tmp_path) == SEEN
    assert kept.read_bytes() == made
    assert sorted(path.name for path in kept.parent.iterdir()) == ["mesh.tables"]


def test_tables_are_kept_beside_the_grammar_where_python_keeps_bytecode(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "lang" / "meshc_lang", copy / "meshc_lang", ignore=shutil.ignore_patterns("__pycache__"))
    kept = copy / "meshc_lang" / "grammar" / "__pycache__" / "mesh.tables"
    assert parsed(tmp_path / "a", copy, PYTHONDONTWRITEBYTECODE="1") == SEEN
    assert not kept.exists()
    assert parsed(tmp_path / "b", copy, PYTHONDONTWRITEBYTECODE="") == SEEN
    assert kept.is_file()
    assert not (tmp_path / "b" / "meshc" / "mesh.tables").exists()


def test_the_same_grammar_gives_the_same_bytes() -> None:
    script = (
        "import sys; from meshc_lang.table_maker import make_tables as make; from meshc_lang.tables import *\n"
        "from meshc_lang.tables import packed\n"
        "sys.stdout.buffer.write(packed(grammar_text(), make(grammar_text(), GRAMMAR_STARTS)))"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(made) == 1


def test_tables_of_another_grammar_are_not_used(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "lang" / "meshc_lang", copy / "meshc_lang", ignore=shutil.ignore_patterns("__pycache__"))
    assert parsed(tmp_path, copy, PYTHONDONTWRITEBYTECODE="1") == SEEN
    grammar = copy / "meshc_lang" / "grammar" / "mesh.lark"
    grammar.write_text(grammar.read_text().replace("/edition(", "/ausgabe("))
    assert parsed(tmp_path, copy, PYTHONDONTWRITEBYTECODE="1") != SEEN


@pytest.mark.parametrize("damage", [b"", b"nonsense\n", None])
def test_damaged_tables_are_made_anew(tmp_path: Path, damage: bytes | None) -> None:
    assert parsed(tmp_path) == SEEN
    kept = tmp_path / "meshc" / "mesh.tables"
    kept.write_bytes(kept.read_bytes()[:1000] if damage is None else damage)
    assert parsed(tmp_path) == SEEN


def test_a_directory_that_others_may_write_to_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache() == str(tmp_path / "meshc")
    (tmp_path / "meshc").chmod(0o777)
    assert user_cache() is None


def test_no_place_for_tables_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert user_cache() is None
    assert parsed(tmp_path / "file") == SEEN
