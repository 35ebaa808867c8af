"""No file grows without end."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WINGS = ("cli", "lang", "compiler", "backends", "runtime")
LIMIT = 500
SOURCES = sorted(path for wing in WINGS for path in (ROOT / wing).rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_file_has_at_most_500_lines(path: Path) -> None:
    lines = path.read_text().count("\n")
    assert lines <= LIMIT, f"{path.relative_to(ROOT)} has {lines} lines: divide it by the things it is about"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_named_after_nothing(path: Path) -> None:
    assert path.stem not in {"utils", "util", "helpers", "helper", "common", "base", "misc"}
