"""The files of a case of tests/corpus: its program, and what the program imports."""

from __future__ import annotations

from pathlib import Path

CORPUS = Path(__file__).resolve().parents[1] / "corpus"


def case_files(case: Path) -> dict[str, str]:
    """Return the case's files by their path in it, the expected ones left out."""
    paths = (path for path in sorted(case.rglob("*")) if path.is_file() and case / "expected" not in path.parents)
    return {path.relative_to(case).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def foreign_files(case: Path) -> dict[str, str]:
    """Return what is not written in the language."""
    return {name: text for name, text in case_files(case).items() if not name.endswith(".mesh")}
