"""Comments that keep findings silent: what they cover, what they may not, and what is wrong with them."""

from __future__ import annotations

from datetime import date

import pytest

from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import CompileResult, compile_program
from meshc_compiler.suppression import is_firm
from meshc_lang.codes import CODES, Code, Severity
from meshc_lang.diagnostic import Applicability
from meshc_lang.format import format_file
from meshc_lang.parser import parse
from meshc_lang.source import SourceText
from support.diagnostic_text import diagnostic_text
from support.findings import applied

TODAY = date(2026, 5, 10)
ALL = sorted(CODES.values(), key=lambda code: code.id)
HEAD = """\
mesh shop { trust-domain: "shop.example" }
service web {}
service api { port: 8080/http, versions: [v1, v2] }
"""
REDUNDANT = HEAD + "allow web -> api : /**\nallow web -> api : GET /x\n"


def compiled(text: str, today: date | None = TODAY, **files: str) -> CompileResult:
    texts = {"program.mesh": text} | {f"{name}.mesh": content for name, content in files.items()}
    return compile_program((".",), MemoryReader(texts), None if today is None else lambda: today)


def told(text: str, today: date | None = TODAY) -> list[str]:
    return [one.code.id for one in compiled(text, today).diagnostics]


def silent(text: str, today: date | None = TODAY) -> list[str]:
    return [one.diagnostic.code.id for one in compiled(text, today).suppressed]


def test_without_a_comment_the_finding_is_told() -> None:
    assert (told(REDUNDANT), silent(REDUNDANT)) == (["MSH302"], [])


@pytest.mark.parametrize(
    "comment", ["MSH302", "redundant-allow", " MSH302 ", "MSH302,", "MSH302, redundant-allow"], ids=str
)
def test_codes_and_names_both_count(comment: str) -> None:
    text = REDUNDANT.replace("GET /x", f"GET /x  # meshc: ignore[{comment}] shown in the guide")
    assert silent(text) == ["MSH302"]
    assert told(text) == (["MSH901"] if comment.count("2") and "redundant" in comment else [])


@pytest.mark.parametrize(
    "spelling",
    ["# meshc: ignore[MSH302] why", "#meshc:ignore[MSH302] why", "#  meshc:  ignore  [MSH302]  - why until 2026-05-10"],
)
def test_blanks_do_not_matter(spelling: str) -> None:
    assert told(REDUNDANT.replace("GET /x", f"GET /x {spelling}")) == []


def test_at_the_end_of_a_line_it_covers_that_line_alone() -> None:
    text = HEAD + (
        "allow web -> api : /**\n"
        "allow web -> api {\n"
        "  GET /x  # meshc: ignore[MSH302] kept for the guide\n"
        "  GET /y\n"
        "}\n"
    )
    result = compiled(text)
    assert [one.diagnostic.primary.text for one in result.suppressed] == ["GET /x"]
    assert [one.primary.text for one in result.diagnostics] == ["GET /y"]
    assert result.suppressed[0].directive.reason == "kept for the guide"


def test_behind_a_closing_bracket_it_covers_what_that_closes() -> None:
    text = HEAD + (
        "allow web -> api : /**\n"
        "allow web -> api {\n"
        "  GET /x\n"
        "  GET /y\n"
        '} because "the guide"  # meshc: ignore[MSH302] kept for the guide\n'
        "allow web -> api : GET /z\n"
    )
    assert [one.diagnostic.primary.text for one in compiled(text).suppressed] == ["GET /x", "GET /y"]
    assert told(text) == ["MSH302"]


def test_on_a_line_of_its_own_it_covers_the_statement_that_follows_and_all_in_it() -> None:
    text = HEAD + (
        "allow web -> api : /**\n"
        "# meshc: ignore[MSH302] kept for the guide\n"
        "\n"
        "# another comment\n"
        "allow web -> api {\n"
        "  GET /x\n"
        "  GET /y\n"
        "}\n"
        "allow web -> api : GET /z\n"
    )
    assert [one.diagnostic.primary.text for one in compiled(text).suppressed] == ["GET /x", "GET /y"]
    assert told(text) == ["MSH302"]


def test_on_a_line_of_its_own_in_a_block_it_covers_the_entry_that_follows() -> None:
    text = HEAD + ("allow web -> api {\n  /**\n  # meshc: ignore[MSH302] kept for the guide\n  GET /x\n  GET /y\n}\n")
    assert [one.diagnostic.primary.text for one in compiled(text).suppressed] == ["GET /x"]
    assert told(text) == ["MSH302"]


def test_at_the_end_of_a_block_it_covers_nothing_behind_it() -> None:
    text = HEAD + (
        "allow web -> api {\n  /**\n  # meshc: ignore[MSH302] kept for the guide\n}\nallow web -> api : GET /x\n"
    )
    assert told(text) == ["MSH901", "MSH302"]


def test_ignore_file_covers_the_file_and_no_other() -> None:
    text = "# meshc: ignore-file[MSH302] written by a tool\n" + REDUNDANT
    assert (told(text), silent(text)) == ([], ["MSH302"])
    other = compiled(text, other="allow web -> api : GET /y\n")
    assert [(one.code.id, one.primary.source.path) for one in other.diagnostics] == [("MSH302", "other.mesh")]


def test_ignore_file_counts_at_the_top_alone() -> None:
    assert told(REDUNDANT + "# meshc: ignore-file[MSH302] written by a tool\n") == ["MSH302", "MSH906"]


def test_the_narrowest_comment_is_the_one_that_is_used() -> None:
    text = "# meshc: ignore-file[MSH302] written by a tool\n" + REDUNDANT.replace(
        "GET /x", "GET /x  # meshc: ignore[MSH302] kept"
    )
    result = compiled(text)
    assert [one.directive.reason for one in result.suppressed] == ["kept"]
    assert [(one.code.id, one.primary.first.line) for one in result.diagnostics] == [("MSH901", 1)]


# ---- what is wrong with a comment


def test_without_a_reason_it_has_no_effect() -> None:
    for reason in ("", " ", " - ", " …", " until 2999-01-01"):
        text = REDUNDANT.replace("GET /x", f"GET /x  # meshc: ignore[MSH302]{reason}")
        assert told(text) == ["MSH302", "MSH903"], reason
        assert silent(text) == []


def test_it_holds_through_its_last_day_and_no_longer() -> None:
    text = REDUNDANT.replace("GET /x", "GET /x  # meshc: ignore[MSH302] kept until 2026-05-10")
    assert told(text, date(2026, 5, 10)) == []
    assert told(text, date(2026, 5, 11)) == ["MSH302", "MSH902"]
    assert told(text, None) == []
    _, expired = compiled(text, date(2026, 5, 11)).diagnostics
    assert diagnostic_text(expired) == (
        "warning[MSH902] expired-suppression: this suppression of `MSH302` ended on 2026-05-10\n"
        "  --> program.mesh:5:63-5:73  the last day\n"
        "  and program.mesh:5:20-5:26  told again\n"
        "  help: put it right, or give it a later date and say why\n"
    )


def test_one_that_nothing_needs_is_told_and_its_fix_deletes_it() -> None:
    for text, left in (
        (HEAD + "allow web -> api : /**  # meshc: ignore[MSH302] kept\n", HEAD + "allow web -> api : /**\n"),
        (HEAD + "# meshc: ignore[MSH302] kept\r\nallow web -> api : /**\n", HEAD + "allow web -> api : /**\n"),
        (HEAD + "allow web -> api : /**\n  # meshc: ignore[MSH302] kept", HEAD + "allow web -> api : /**\n"),
        ("# meshc: ignore-file[MSH302] kept\n" + HEAD + "allow web -> api : /**\n", HEAD + "allow web -> api : /**\n"),
    ):
        (finding,) = compiled(text).diagnostics
        assert finding.message == "there is no `MSH302` here to suppress"
        (fix,) = finding.fixes
        assert fix.applicability is Applicability.SAFE
        assert applied(text, fix) == left


def test_a_code_that_nothing_needs_is_taken_out_of_the_list() -> None:
    for listed, left in (("MSH302, MSH412", "MSH302"), ("MSH412, MSH302", "MSH302")):
        text = REDUNDANT.replace("GET /x", f"GET /x  # meshc: ignore[{listed}] kept")
        (finding,) = compiled(text).diagnostics
        assert (finding.code.id, finding.primary.text) == ("MSH901", "MSH412")
        assert f"ignore[{left}] kept" in applied(text, finding.fixes[0])


def test_nothing_is_called_unused_in_a_program_that_was_not_checked() -> None:
    assert told(HEAD + "allow wbe -> api : /**  # meshc: ignore[MSH302] kept\n") == ["MSH101"]


def test_findings_of_targets_are_not_called_unused_by_a_check() -> None:
    warning = next(code for code in CODES.values() if code.id.startswith("MSH8") and code.severity is Severity.WARNING)
    assert told(HEAD + f"allow web -> api : /**  # meshc: ignore[{warning.id}] kept\n") == []


def test_errors_of_authorisation_are_never_kept_silent() -> None:
    text = HEAD + "allow web -> api : /**\nassert never web -> api  # meshc: ignore[MSH310, MSH302] known\n"
    result = compiled(text)
    assert [one.code.id for one in result.diagnostics] == ["MSH310", "MSH901", "MSH904"] or [
        one.code.id for one in result.diagnostics
    ] == ["MSH310", "MSH904", "MSH901"]
    refused = next(one for one in result.diagnostics if one.code.id == "MSH904")
    assert refused.message == "`MSH310` cannot be suppressed: errors of authorisation are never kept silent"
    assert not result.buildable


def test_an_error_without_which_there_is_no_mesh_is_not_kept_silent() -> None:
    text = HEAD + (
        "allow web -> api : /**\n# meshc: ignore[MSH410] decided later\nroute api {\n"
        '  /v1/** if header "b" present => v2\n  POST /v1/x => v1\n}\n'
    )
    result = compiled(text)
    assert [one.code.id for one in result.diagnostics] == ["MSH904", "MSH410"]
    assert result.mesh is None
    assert not result.suppressed


@pytest.mark.parametrize("code", ALL, ids=str)
def test_what_can_never_be_suppressed(code: Code) -> None:
    firm = bool(is_firm(code))
    if code.severity is Severity.ERROR and code.id[3] in "01236":
        assert firm
    if code.severity is not Severity.ERROR and code.id[3:5] != "90":
        assert not firm


def test_an_unknown_code_is_told_with_the_one_that_was_meant() -> None:
    for wrong, right in (("MSH320", "MSH302"), ("msh302", "MSH302"), ("redundant-alow", "redundant-allow")):
        text = REDUNDANT.replace("GET /x", f"GET /x  # meshc: ignore[{wrong}] kept")
        result = compiled(text)
        assert [one.code.id for one in result.diagnostics] == ["MSH302", "MSH905"]
        assert any(f"ignore[{right}]" in applied(text, fix) for fix in result.diagnostics[1].fixes)
    assert told(REDUNDANT.replace("GET /x", "GET /x  # meshc: ignore[MSH302, nonsense-of-mine] kept")) == ["MSH905"]


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("# meshc: ignore", "this suppresses nothing: no code stands behind it in brackets"),
        ("# meshc: ignore MSH302 kept", "this suppresses nothing: no code stands behind it in brackets"),
        ("# meshc: ignore[] kept", "this suppresses nothing: no code stands in the brackets"),
        ("# meshc: ignore[MSH302 kept", "this suppresses nothing: the bracket behind it is not closed"),
        ("# meshc: ignroe[MSH302] kept", "`ignroe` is nothing that a comment can ask of meshc"),
        ("# meshc: disable[MSH302] kept", "`disable` is nothing that a comment can ask of meshc"),
        ("## meshc: ignore[MSH302] kept", "a `##` comment documents a statement, and suppresses nothing"),
        ("# meshc: ignore[MSH302] kept until 2026-13-01", "`2026-13-01` is no date"),
        ("# meshc: ignore[MSH302] kept until 31.12.2026", "`31.12.2026` is no date"),
        ("# meshc: ignore[MSH302] kept until tomorrow", "`tomorrow` is no date"),
        ("# meshc: ignore[MSH302] until 2026-06-01 kept", "a date counts at the very end of the comment alone"),
    ],
)
def test_a_malformed_comment_is_told_and_suppresses_nothing(comment: str, message: str) -> None:
    result = compiled(HEAD + f"allow web -> api : /**\n{comment}\nallow web -> api : GET /x\n")
    assert [one.code.id for one in result.diagnostics] == ["MSH906", "MSH302"]
    assert result.diagnostics[0].message == message


@pytest.mark.parametrize(
    "comment",
    ["# meshc: see the guide", "# ignore[MSH302]", "# meshc ignores this", "# about meshc: ignore", "# meshc:"],
)
def test_other_comments_are_comments(comment: str) -> None:
    assert told(HEAD + f"allow web -> api : /**  {comment}\n") == []


def test_a_comment_in_a_string_is_none() -> None:
    text = REDUNDANT.replace("GET /x", 'GET /x because "# meshc: ignore[MSH302] kept"')
    assert told(text) == ["MSH302"]


def test_a_comment_about_suppressions_suppresses_nothing() -> None:
    assert told("# meshc: ignore-file[MSH901] noise\n" + HEAD + "allow web -> api : /**\n") == ["MSH904"]


LONG = "/" + "a" * 40
LAYOUTS = [
    REDUNDANT,
    HEAD + f"allow web -> api {{ /**, GET {LONG}, GET {LONG}b, GET {LONG}c }}\n",
    HEAD + f"allow web -> api : /**, GET {LONG}\nallow web->api{{GET /x\nGET /y}}\nallow web -> api : GET /z\n",
    HEAD + "allow web -> api : /**,\n  GET /y,\n  GET /z\n",
    HEAD + "allow web -> api : /**\nroute api { /v1/** => v1 as a over b; POST /v1/x => v2 as b }\n",
    HEAD + "allow web -> api : /**\nroute api { /v1/** => v1 as a over b\n POST /v1/x => v2 as b { timeout: 1s } }\n",
    HEAD + "allow web -> api {\n /**, GET /x }\nedge web->api{retry{limit:1\non: [s503]}}\n",
]


@pytest.mark.parametrize("number", range(len(LAYOUTS)))
def test_formatting_changes_nothing_about_what_is_suppressed(number: int) -> None:
    comment = "# meshc: ignore[MSH302, MSH412, MSH503] kept"
    lines = LAYOUTS[number].splitlines()
    checked = 0
    for at in range(len(lines)):
        for changed in ([*lines[:at], comment, *lines[at:]], [*lines[:at], f"{lines[at]} {comment}", *lines[at + 1 :]]):
            text = "\n".join(changed) + "\n"
            file, problems = parse(SourceText("program.mesh", text))
            if problems:
                continue
            before, after = compiled(text), compiled(format_file(file))
            assert [one.diagnostic.primary.text for one in after.suppressed] == [
                one.diagnostic.primary.text for one in before.suppressed
            ]
            assert [one.message for one in after.diagnostics] == [one.message for one in before.diagnostics]
            checked += 1
    assert checked > 4
