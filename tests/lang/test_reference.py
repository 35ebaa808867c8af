"""The reference speaks of every word of the grammar, and what it shows is the language."""

from __future__ import annotations

import re

import pytest

from meshc_lang.format import format_file
from meshc_lang.parser import grammar_text, parse
from meshc_lang.recovery import STATEMENTS as BEGINNERS
from meshc_lang.reference import IN_OVERLAYS, STATEMENTS, WORDS
from meshc_lang.source import SourceText

KEYWORDS = sorted(re.findall(r"^[A-Z_]+\.2: /([a-z]+)\(", grammar_text(), re.MULTILINE))


def test_statements_are_in_the_order_of_the_guide_and_none_is_missing() -> None:
    assert tuple(STATEMENTS) == BEGINNERS


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_every_keyword_of_the_grammar_is_explained(keyword: str) -> None:
    entry = STATEMENTS.get(keyword) or IN_OVERLAYS.get(keyword) or WORDS.get(keyword)
    assert entry is not None
    assert keyword in entry.form
    assert entry.text.endswith(".")


@pytest.mark.parametrize("keyword", [*STATEMENTS, *IN_OVERLAYS])
def test_an_example_is_a_statement_in_the_canonical_form(keyword: str) -> None:
    example = (STATEMENTS.get(keyword) or IN_OVERLAYS[keyword]).example
    text = example + "\n" if keyword in STATEMENTS else f"overlay staging {{\n  {example}\n}}\n"
    file, problems = parse(SourceText("example.mesh", text))
    assert problems == ()
    assert format_file(file) == text
    assert example.split()[0] == keyword


@pytest.mark.parametrize("keyword", [*STATEMENTS, *IN_OVERLAYS])
def test_a_snippet_filled_in_as_proposed_is_a_statement(keyword: str) -> None:
    snippet = (STATEMENTS.get(keyword) or IN_OVERLAYS[keyword]).snippet
    typed = re.sub(r"\$\{[0-9]+\|([^,|]*)[^|]*\|\}", r"\1", snippet)
    typed = re.sub(r"\$\{[0-9]+:([^}]*)\}", r"\1", typed).replace("$0", "")
    text = typed if keyword in STATEMENTS else f"overlay staging {{\n  {typed}\n}}\n"
    assert parse(SourceText("snippet.mesh", text))[1] == ()
