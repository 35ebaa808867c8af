"""The reference is what the compiler's tables say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from meshc_compiler.finding import Findings
from meshc_compiler.lower.field import Fields
from meshc_compiler.reference.field import FIELDS, WORDS_OF_FIELDS
from meshc_lang.source import SourceText
from meshc_lang.tree.value import Block

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_is_fresh() -> None:
    spec = importlib.util.spec_from_file_location("write_reference", DOCS / "write_reference.py")
    assert spec is not None
    assert spec.loader is not None
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    assert (DOCS / "reference.md").read_text(encoding="utf-8") == writer.reference(), "run `make docs`"


def test_every_kind_of_block_is_read_by_its_table() -> None:
    empty = Block(span=SourceText("", "").span(0, 0), pairs=())
    for kind in FIELDS:
        Fields(empty, "a block", kind, Findings())
    fields = {f"{kind}.{key}" for kind, table in FIELDS.items() for key in table}
    assert WORDS_OF_FIELDS.keys() <= fields
