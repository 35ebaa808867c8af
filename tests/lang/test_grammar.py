"""The grammar is unambiguous, and loading it costs nothing until something is read."""

from __future__ import annotations

import importlib.util
import logging
import re
import subprocess
import sys

import pytest
from lark import Lark, logger
from lark.utils import TextSlice

from meshc_lang.tables import GRAMMAR_STARTS, load_tables
from support.lark_oracle import greedy_grammar


def test_no_two_readings_compete(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger=logger.name):
        Lark(greedy_grammar(), parser="lalr", lexer="contextual", start=list(GRAMMAR_STARTS), debug=True)
    assert [record.message for record in caplog.records] == []


@pytest.mark.skipif(importlib.util.find_spec("interegular") is None, reason="Lark's strict mode needs interegular")
def test_the_grammar_is_strict() -> None:
    Lark(greedy_grammar(), parser="lalr", lexer="contextual", start=list(GRAMMAR_STARTS), strict=True)


def test_reading_needs_lark_only_where_no_tables_were_kept() -> None:
    load_tables()
    program = (
        "import sys; import meshc_lang.parser as p; from meshc_lang.source import SourceText\n"
        "p.parse(SourceText('a', 'edition 2026\\nservice {'))\n"
        "assert 'lark' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


SAMPLES = {
    "NAME": ("web", "a-b"),
    "PATH_NAME": ("base", "a-b"),
    "METHOD": ("GET", "DELETE"),
    "RPC_NAME": ("a.B/*", "a.b.C/X|Y"),
    "REQUEST_METHOD": ("GET", "PROPFIND"),
    "TARGET": ("/", "/a;b#{"),
    "PATH": ("/", "/a/**", "/{id:int}", "/a(1)/b"),
    "DURATION": ("5s", "1.5ms"),
    "PERCENT": ("5%", "0.1%"),
    "SIZE": ("5B", "64KiB"),
    "RATE": ("5/s",),
    "PORT": ("80/http", "80/http2"),
    "STATUS_CLASS": ("5xx",),
    "DECIMAL": ("1.5",),
    "INT": ("5", "12"),
    "STRING": ('""', '"x"'),
    "REGEX": ('"x"',),
    "COMMENT": ("# x",),
    "_NL": ("\n", ";", "\n  # c\n"),
    "WS": (" ", "\t", "\\\n"),
}
"""Texts of the terminals that are no keywords and no marks."""


def test_every_terminal_is_read_as_itself_wherever_it_may_stand() -> None:
    lark = Lark(greedy_grammar(), parser="lalr", lexer="contextual", start=list(GRAMMAR_STARTS))
    lexers = lark.parser.lexer.lexers
    assert len(lexers) > 100
    for lexer in lexers.values():
        for terminal in lexer.terminals:
            fixed = terminal.pattern.value
            keyword = re.match(r"[a-z]+", fixed)
            samples = SAMPLES.get(terminal.name) or ((keyword[0],) if keyword else (fixed,))
            for sample in samples:
                assert lexer.scanner.match(TextSlice(sample, 0, len(sample)), 0) == (sample, terminal.name)
