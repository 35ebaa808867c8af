"""The grammar is unambiguous, and loading it costs nothing until something is read."""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys

import pytest
from lark import Lark, logger

from meshc_lang.parser import GRAMMAR_STARTS, grammar_text


def test_no_two_readings_compete(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger=logger.name):
        Lark(grammar_text(), parser="lalr", lexer="contextual", start=list(GRAMMAR_STARTS), debug=True)
    assert [record.message for record in caplog.records] == []


@pytest.mark.skipif(importlib.util.find_spec("interegular") is None, reason="Lark's strict mode needs interegular")
def test_the_grammar_is_strict() -> None:
    Lark(grammar_text(), parser="lalr", lexer="contextual", start=list(GRAMMAR_STARTS), strict=True)


def test_lark_is_loaded_at_the_first_parse_and_not_before() -> None:
    program = (
        "import sys; import meshc_lang.parser as p; from meshc_lang.source import SourceText\n"
        "assert 'lark' not in sys.modules\n"
        "p.parse(SourceText('a', 'edition 2026'))\n"
        "assert 'lark' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
