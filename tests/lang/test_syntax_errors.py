"""All syntax errors of a file at once, each named in the user's terms; what is whole is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshc_lang.codes import syntax
from meshc_lang.codes.code import Code
from meshc_lang.diagnostic import Diagnostic, Severity
from meshc_lang.parser import parse
from meshc_lang.source import SourceText
from meshc_lang.tree import claim, statement
from meshc_lang.tree.file import SourceFile
from support.findings import applied, findings_text

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.mesh"))
CODES = [code for name in syntax.__all__ if isinstance(code := getattr(syntax, name), Code)]
LIVING = [code for code in CODES if code is not syntax.NOT_SUPPORTED_YET]


def read(text: str) -> tuple[SourceFile, tuple[Diagnostic, ...]]:
    return parse(SourceText("program.mesh", text))


def ids(text: str) -> list[str]:
    return [problem.code.id for problem in read(text)[1]]


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_every_error_of_a_broken_file_is_told_in_these_words(path: Path, update_golden: bool) -> None:
    actual = findings_text(read(path.read_text(encoding="utf-8"))[1])
    golden = path.with_suffix(".txt")
    if update_golden:
        golden.write_text(actual, encoding="utf-8")
    assert actual == golden.read_text(encoding="utf-8")


def test_no_expected_text_is_left_without_its_file() -> None:
    folder = Path(__file__).parent / "broken"
    assert {path.stem for path in folder.glob("*.txt")} == {path.stem for path in BROKEN}


@pytest.mark.parametrize("code", LIVING, ids=str)
def test_the_bad_program_of_a_code_yields_it_alone_and_the_good_one_reads(code: Code) -> None:
    assert ids(code.bad) == [code.id]
    assert ids(code.good) == []


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_safe_fix_removes_its_finding_and_brings_none(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    before = read(text)[1]
    for problem in before:
        for fix in problem.fixes:
            after = read(applied(text, fix))[1]
            still = [one for one in after if one.primary.start == problem.primary.start and one.code == problem.code]
            assert still == [], f"{problem.message}: {fix.title}"
            assert len(after) <= len(before)


def test_statements_without_an_error_are_kept_and_broken_ones_leave_their_names() -> None:
    file, problems = read(
        "service web { port 8080/http }\n"
        "allow web -> api : GET /whole\n"
        "# service elsewhere {}\ngroup pci = web |\n"
        'external stripe { hosts: ["a\\q"] }\n'
        "allow web -> api : GET\n"
    )
    assert [problem.code.id for problem in problems] == ["MSH003", "MSH002", "MSH007", "MSH002"]
    assert len(file.statements) == 1
    assert isinstance(file.statements[0], statement.AllowDecl)
    assert [name.text for name in file.unread_names] == ["web", "pci", "stripe"]


def test_a_statement_with_a_faulty_string_is_left_out_also_where_nothing_else_is_wrong() -> None:
    file, problems = read('service web { note: "\\q" }\nservice api { port: 80/http }\n')
    assert [problem.code.id for problem in problems] == ["MSH007"]
    assert len(file.statements) == 1
    assert [name.text for name in file.unread_names] == ["web"]


def test_whatever_a_broken_statement_may_have_declared_is_known() -> None:
    file, problems = read(
        "jwt corp { issuer }\n"
        "let slow = = 4s\n"
        "template webapp(name) {\n  service name { port }\n  let inner = 1\n}\n"
        "use webapp(shop, /shop/**, other 2s)\n"
        'use webapp(cart, "\\q")\n'
    )
    assert len(problems) == 5
    assert file.statements == ()
    names = [name.text for name in file.unread_names]
    assert names == ["corp", "slow", "webapp", "name", "inner", "shop", "other", "cart"]


def test_every_faulty_statement_in_an_overlay_is_told() -> None:
    text = (
        "overlay staging {\n  fault slow a -> b {\n    delay: 5s\n  }\n"
        "  set a.b = 1\n  slo {\n    window: 30d\n  }\n  allow a -> b : GET /whole\n}\n"
    )
    assert [problem.primary.first.line for problem in read(text)[1]] == [2, 5, 6]


def test_a_block_of_statements_may_stand_without_indentation() -> None:
    inner = "service a {\nport: 80/http\n}\nallow a -> b : GET\nedge a -> b {\ntimeout: 5s\n}\n"
    _, problems = read(f"template t(a) {{\n{inner}}}\nservice whole {{ port: 80/http }}\n")
    assert [(problem.code.id, problem.primary.first.line) for problem in problems] == [("MSH002", 5)]


def test_every_faulty_line_of_a_block_is_told() -> None:
    text = "allow web -> api {\n  GET\n  GET /whole\n  GTE /x\n  get /y\n}\n"
    assert ids(text) == ["MSH002", "MSH012", "MSH012"]
    assert [problem.primary.first.line for problem in read(text)[1]] == [2, 4, 5]


def test_a_test_that_asks_for_odd_targets_does_not_upset_the_reading_of_a_broken_file() -> None:
    file, problems = read('test "odd" {\n  web -> api GET /{ is denied\n  web -> api GET /"# is denied\n}\nallow web\n')
    assert [problem.primary.first.line for problem in problems] == [5]
    assert isinstance(file.statements[0], claim.TestDecl)
    assert [case.request.path for case in file.statements[0].cases] == ["/{", '/"#']


def test_an_unclosed_brace_is_found_by_indentation() -> None:
    text = 'service web {\n  labels {\n    a: "b"\n}\nservice api { port: 80/http }\n'
    problem = read(text)[1][0]
    assert problem.code is syntax.UNCLOSED_BRACE
    assert str(problem.primary) == "program.mesh:2:10"
    assert [str(related.span) for related in problem.related] == ["program.mesh:4:1"]


def test_comments_are_kept_of_a_file_that_is_broken() -> None:
    file, _ = read("# one\nallow web # two\n# three\nallow web -> api : * # four\n# five")
    assert [comment.text for comment in file.comments] == ["# one", "# two", "# three", "# four", "# five"]


def test_errors_have_an_end() -> None:
    assert len(ids("nothing like it\n" * 2000)) == 500


def test_every_code_is_an_error_with_an_explanation() -> None:
    for code in CODES:
        assert code.severity is Severity.ERROR
        assert code.why.endswith(".")
        assert not code.summary.endswith(".")
    assert len({code.id for code in CODES}) == len({code.name for code in CODES}) == len(CODES)
