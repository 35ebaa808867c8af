"""The reader reads what Lark reads with the same grammar, and stops where Lark stops."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from meshc_lang.reader import MOST_NESTED, Reader
from meshc_lang.source import SourceText
from meshc_lang.tables import GRAMMAR_STARTS, load_tables
from meshc_lang.tree_builder import TreeBuilder
from support.effort import examples
from support.lark_oracle import oracle
from support.program_texts import program_texts

ROOT = Path(__file__).resolve().parents[2]
TOO_DEEP = "deep.mesh"
"""Ours stops where a text nests too deep; Lark alone has no such bound."""
PROGRAMS = sorted(
    path for folder in ("tests", "examples") for path in (ROOT / folder).rglob("*.mesh") if path.name != TOO_DEEP
)
MARKS = [*'az09-_ \t\n\r;{}[]()"\\/|*~=<>.,:#%&', "\x00", "\ufeff", "é", "\xa0"]
WORDS = ["allow ", "deny ", "service ", "web -> api", "GET ", "/v1/**", " is ", "test ", "=>", "5s", "80/http", "not "]
QUICK = examples(150)


@cache
def ours() -> tuple[Reader, TreeBuilder]:
    builder = TreeBuilder()
    return Reader(load_tables(), builder), builder


@st.composite
def mutated(draw: DrawFn) -> str:
    """A program in which a few stretches were replaced."""
    text = draw(program_texts(most=3))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 6)))
        text = text[:start] + draw(st.sampled_from(["", *MARKS, *WORDS])) + text[end:]
    return text


def assert_same(text: str, start: str) -> None:
    reader, builder = ours()
    lark = oracle()
    read = reader.read(SourceText("a.mesh", text), 0, text, start)
    expected = lark.read(text, start)
    assert read == expected
    if expected is None:
        offset, kinds, accepts = lark.stop(text, start)
        stop = reader.stop(text, start)
        assert (stop.offset, [token.type for token in stop.tokens], stop.accepts) == (offset, kinds, accepts)
        assert all(text[token.start_pos : token.end_pos] == token.value for token in stop.tokens)
    else:
        assert [str(one.message) for one in builder.problems] == [str(one.message) for one in lark.builder.problems]
        assert [one.span.start for one in builder.comments] == [one.span.start for one in lark.builder.comments]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_program_at_hand_is_read_as_lark_reads_it(path: Path) -> None:
    assert_same(path.read_text(encoding="utf-8"), "start")


@QUICK
@given(st.one_of(mutated(), st.lists(st.sampled_from(MARKS + WORDS), max_size=40).map("".join)))
def test_any_text_is_read_or_refused_as_lark_does(text: str) -> None:
    for start in GRAMMAR_STARTS:
        assert_same(text, start)


@QUICK
@given(st.lists(st.sampled_from([*MARKS, *WORDS, "rpc ", "a.B/C", "tcp", "claims ", '{x: "1"}']), max_size=12))
def test_any_request_is_read_or_refused_as_lark_does(pieces: list[str]) -> None:
    assert_same("web -> api " + "".join(pieces), "request_line")


def test_nesting_is_bounded_where_lark_has_no_bound() -> None:
    reader, _ = ours()
    for deep in (MOST_NESTED, MOST_NESTED + 1):
        text = "group g = " + "(" * deep + "a" + ")" * deep
        read = reader.read(SourceText("a.mesh", text), 0, text, "start")
        assert (read is None) == (deep > MOST_NESTED)
    stop = reader.stop(text, "start")
    assert (stop.too_deep, stop.offset) == (True, len("group g = ") + MOST_NESTED)
