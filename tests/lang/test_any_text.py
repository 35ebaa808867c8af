"""No text at all makes the parser raise, run on, or say something that cannot be shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from meshc_lang.codes import syntax
from meshc_lang.diagnostic import in_order
from meshc_lang.format import format_file
from meshc_lang.parser import parse, parse_request
from meshc_lang.source import SourceText
from meshc_lang.tree.dump import dump
from meshc_lang.tree.walk import walk
from support.effort import examples
from support.program_texts import program_texts

QUICK = examples(120)

MARKS = [
    *'az09-_ \t\n\r;{}[]()"\\/|*~=<>.,:#%&',
    "\x00",
    "\x1b",
    "\x7f",
    "\ufeff",
    "→",
    "é",
    "“",
    "\xa0",
    "\u2028",
    "\ud800",
]
WORDS = [
    "allow ",
    "deny ",
    "service ",
    "web -> api",
    "GET ",
    "/v1/**",
    " is ",
    "test ",
    "route ",
    "=>",
    "5s",
    "rpc ",
    "##",
]


@st.composite
def mutated(draw: DrawFn) -> str:
    """A program in which a few stretches were replaced."""
    text = draw(program_texts(most=3))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 6)))
        text = text[:start] + draw(st.sampled_from(["", *MARKS, *WORDS])) + text[end:]
    return text


@QUICK
@given(st.one_of(st.text(), st.lists(st.sampled_from(MARKS + WORDS), max_size=60).map("".join), mutated()))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    file, problems = parse(SourceText("program.mesh", text))
    assert problems == in_order(problems)
    for problem in problems:
        assert 0 <= problem.primary.start <= problem.primary.end <= len(text)
        assert problem.message.isprintable()
        assert not problem.message.endswith(".")
        assert "``" not in problem.message
        assert len(problem.message) < 250
    assert all(statement.span.source.text == text for statement in file.statements)
    assert sum(1 for _ in walk(file)) <= 10 * len(text) + 10
    request, refusals = parse_request(text)
    assert (request is None) == bool(refusals)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{" * 50_000, syntax.UNCLOSED_BRACE),
        ("}" * 50_000, syntax.STRAY_BRACE),
        ("mesh x " + "{ a " * 50_000 + "}" * 50_000, syntax.TOO_DEEP),
        ("mesh x { a: " + "[" * 100 + "]" * 100 + " }", syntax.TOO_DEEP),
        ("group g = " + "(" * 50_000 + "a" + ")" * 50_000, syntax.TOO_DEEP),
        ("group g = " + " | ".join(["a"] * 20_000), syntax.TOO_DEEP),
        ("overlay o { set a." + "b." * 20_000 + "c: 1 }", syntax.TOO_DEEP),
        ("allow a -> b : /x if " + "not " * 20_000 + 'header "x" present', syntax.TOO_DEEP),
        ("allow a -> b : " + "a-" * 50_000 + " /x", syntax.UNEXPECTED_TEXT),
        ("allow a -> b : GET /" + "(a" * 50_000, syntax.UNCLOSED_BRACE),
        ("template t(a) {\n" + "  service x {\n" * 10_000, syntax.UNCLOSED_BRACE),
        ("overlay x {\n" + "  fault a on b -> c {\n" * 10_000, syntax.UNCLOSED_BRACE),
        ("limit a -> b " + "9" * 200_000 + "/s", syntax.NUMBER_TOO_LARGE),
        ("edition " + "9" * 5000, syntax.NUMBER_TOO_LARGE),
        ("edge a -> b { timeout: 0." + "9" * 5000 + "s }", syntax.NUMBER_TOO_LARGE),
        ('mesh x { a: "' + "\\" * 100_001, syntax.UNCLOSED_STRING),
        ('mesh x { a: "\\ud800" }', syntax.BAD_ESCAPE),
        ('mesh x { a: "\\u12" }', syntax.BAD_ESCAPE),
        ('mesh x { a: "a\x00b" }', syntax.UNEXPECTED_CHARACTER),
        ("mesh\x00x {}", syntax.UNEXPECTED_CHARACTER),
        ("mesh x {}\r", syntax.UNEXPECTED_CHARACTER),
        ("mesh\xa0x {}", syntax.UNEXPECTED_CHARACTER),
    ],
    ids=lambda value: value.name if isinstance(value, syntax.Code) else "",
)
def test_texts_that_strain_a_parser_get_one_answer(text: str, code: syntax.Code) -> None:
    file, problems = parse(SourceText("program.mesh", text))
    assert [problem.code for problem in problems] == [code]
    assert file.statements == ()


def test_the_bounds_leave_room_for_what_people_write() -> None:
    deep = "mesh x " + "{ a " * 60 + "{}" + " }" * 60
    wide = "group g = " + " | ".join(["a"] * 200)
    negated = "allow a -> b : /x if " + "not " * 16 + "(" * 60 + 'header "x" present' + ")" * 60
    for text in (deep, wide, negated, "edition " + "9" * 18):
        file, problems = parse(SourceText("program.mesh", text))
        assert problems == ()
        again = parse(SourceText("program.mesh", format_file(file)))[0]
        assert (again == file, hash(again) == hash(file), dump(again) == dump(file)) == (True, True, True)


def test_an_empty_file_and_one_of_comments_are_programs() -> None:
    for text in ("", "\n\n", "# nothing", "## nothing\n\n", ";\n;", "\ufeff\n"):
        file, problems = parse(SourceText("program.mesh", text))
        assert (file.statements, problems) == ((), ())
