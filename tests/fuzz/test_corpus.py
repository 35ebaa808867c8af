"""Inputs that once broke something, or look as if they could, break nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.fuzz_targets import CORPUS, TARGETS

HERE = Path(__file__).resolve().parent / "corpus"
CASES = [
    pytest.param(target, path, id=f"{target}-{path.stem}")
    for target in TARGETS
    for path in sorted((HERE / CORPUS.get(target, target)).iterdir())
]


@pytest.mark.parametrize(("target", "path"), CASES)
def test_an_input_of_the_corpus_holds_what_must_hold(target: str, path: Path) -> None:
    TARGETS[target](path.read_bytes())


def test_the_corpus_is_small_and_readable() -> None:
    for path in HERE.rglob("*.*"):
        assert path.stat().st_size <= 2000, path
        path.read_text(encoding="utf-8")
