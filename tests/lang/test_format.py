"""Formatting keeps what a program says, keeps every comment, and settles at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from meshc_lang.format import format_file
from meshc_lang.parser import parse
from meshc_lang.source import SourceText
from meshc_lang.tree.file import SourceFile
from support.program_texts import program_texts
from support.programs import MeshPlan, mesh_plans

QUICK = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read(text: str) -> SourceFile:
    file, problems = parse(SourceText("program.mesh", text))
    assert problems == (), text
    return file


def comments(file: SourceFile) -> list[str]:
    return [comment.text.rstrip() for comment in file.comments]


def formatted(text: str) -> str:
    return format_file(read(text))


@QUICK
@given(program_texts(most=3))
def test_formatting_changes_neither_meaning_nor_comments_and_is_idempotent(text: str) -> None:
    before = read(text)
    once = format_file(before)
    after = read(once)
    assert after.statements == before.statements
    assert comments(after) == comments(before)
    assert format_file(after) == once


@settings(max_examples=30, deadline=None)
@given(mesh_plans())
def test_generated_meshes_keep_their_meaning(plan: MeshPlan) -> None:
    assert read(formatted(plan.text)) == read(plan.text)


def test_a_program_in_the_canonical_form_stays_as_it_is() -> None:
    text = (Path(__file__).parent / "language.mesh").read_text(encoding="utf-8")
    assert formatted(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("\n\n# only\n\n\n\n# comments   \n", "# only\n\n# comments\n"),
        ("edition   2026;mesh m{}", "edition 2026\nmesh m {}\n"),
        ("\n\nedition 2026\n\n\n\nmesh m { }\nmesh n {\n\n}", "edition 2026\n\nmesh m {}\nmesh n {}\n"),
        ("mesh m { a:1 , b{c :  2}, d: {e: [ 1,2 , ]} }", "mesh m { a: 1, b { c: 2 }, d: {e: [1, 2]} }\n"),
        ("mesh m { a: 1\n b: 2, c: 3 }", "mesh m {\n  a: 1\n  b: 2\n  c: 3\n}\n"),
        ("mesh m {\n\n\n a: 1\n\n\n b: 2\n\n}", "mesh m {\n  a: 1\n\n  b: 2\n}\n"),
        ("allow a->b:GET /x,POST /y", "allow a -> b : GET /x, POST /y\n"),
        ("allow a->b:GET /x,\n\nPOST /y", "allow a -> b : GET /x,\n  POST /y\n"),
        ("allow a->b{GET /x,POST /y}", "allow a -> b { GET /x, POST /y }\n"),
        ("route a { /x =>b 1%,c 99% as n }", "route a { /x => b 1%, c 99% as n }\n"),
        ("route a { /x =>b;/y =>c }", "route a {\n  /x => b\n  /y => c\n}\n"),
        ('allow a -> b : /x if ((header "x" == y))', 'allow a -> b : /x if header "x" == y\n'),
        (
            'allow a -> b : /x if (header "z" present or header "x" == /y ) and header "w" == /v',
            'allow a -> b : /x if (header "z" present or header "x" == /y) and header "w" == /v\n',
        ),
        ("group g = a - ( b|c )", "group g = a - (b | c)\n"),
        ("group g = (a - b) | c", "group g = a - b | c\n"),
        ("assert deadline( a->b:GET /x(1) )<=2s", "assert deadline(a -> b : GET /x(1)) <= 2s\n"),
        ("use  t ( a,\n/x , )", "use t(\n  a,\n  /x,\n)\n"),
        ("overlay o { drop a }", "overlay o {\n  drop a\n}\n"),
        ("template t( ){}", "template t() {}\n"),
        (
            "template t(a # (\n) { route a { /x =>b;/y =>c }; use  u() }",
            "template t(\n  a,  # (\n) {\n  route a {\n    /x => b\n    /y => c\n  }\n  use u()\n}\n",
        ),
        ('test "t" { a->b /x{ is denied }', 'test "t" { a -> b GET /x{ is denied }\n'),
        ("mesh m { a: 1 } # behind\n# above\n\nedition 2026", "mesh m { a: 1 }  # behind\n# above\n\nedition 2026\n"),
    ],
)
def test_the_canonical_form(text: str, expected: str) -> None:
    assert formatted(text) == expected
    assert formatted(expected) == expected


def test_comments_stay_beside_or_above_what_they_are_about() -> None:
    text = (
        "mesh m { # opens\n# first\n  a: 1, # of a\n\n# of b\nb: [1, # one\n2\n# last of b\n] # closes\n"
        "c { d: 1 } # of c\n# at the end }\n}  # behind m\n"
        "allow a -> b : GET /x, # of x\n# of y\nPOST /y # of the allow\n"
    )
    assert formatted(text) == (
        "mesh m {  # opens\n"
        "  # first\n"
        "  a: 1  # of a\n"
        "\n"
        "  # of b\n"
        "  b: [\n"
        "    1,  # one\n"
        "    2,\n"
        "    # last of b\n"
        "  ]  # closes\n"
        "  c { d: 1 }  # of c\n"
        "  # at the end }\n"
        "}  # behind m\n"
        "allow a -> b : GET /x,  # of x\n"
        "  # of y\n"
        "  POST /y  # of the allow\n"
    )


def test_a_line_that_grew_too_long_is_broken_at_its_outermost_brace() -> None:
    pairs = ", ".join(f"entry-number-{index}: {index}" for index in range(6))
    text = f"mesh m {{ {pairs}, nested {{ a: 1 }} }}"
    lines = formatted(text).splitlines()
    assert lines[0] == "mesh m {"
    assert lines[-2:] == ["  nested { a: 1 }", "}"]
    assert len(lines) == 9
