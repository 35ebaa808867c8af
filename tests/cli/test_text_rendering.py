"""Findings as people read them: exact texts."""

from __future__ import annotations

import io
import re
from textwrap import dedent

import pytest

from meshc.render.terminal import Terminal, cell_count, terminal_of
from meshc.render.text import render_diagnostic, summary
from meshc.reporting import Reporting, findings_text
from meshc_lang.codes import Code, Severity
from meshc_lang.diagnostic import Applicability, Diagnostic, Edit, Fix, Label
from meshc_lang.request import Request
from meshc_lang.source import SourceText, Span

PLAIN = Terminal()
AMBIGUOUS = Code(id="MSH410", name="ambiguous-route", severity=Severity.ERROR, summary="s", why="w")
WARNING = Code(id="MSH900", name="odd-thing", severity=Severity.WARNING, summary="s", why="w")


def at(source: SourceText, text: str, nth: int = 0) -> Span:
    """Return the span of the nth occurrence of a text."""
    start = -1
    for _ in range(nth + 1):
        start = source.text.index(text, start + 1)
    return source.span(start, start + len(text))


def shown(diagnostic: Diagnostic, terminal: Terminal = PLAIN) -> str:
    """Return a finding as it is shown, with a line break before it."""
    return "\n" + render_diagnostic(diagnostic, terminal)


def test_two_places_a_witness_and_fixes_to_choose_from() -> None:
    source = SourceText(
        "shop.mesh",
        'route api {\n  /v1/** if header "x-beta" == "1" => v2 as beta\n  POST /v1/orders                  => v1\n}\n',
    )
    diagnostic = Diagnostic(
        code=AMBIGUOUS,
        message="two routes of `api` match the same request, and neither is more specific",
        primary=at(source, "POST /v1/orders"),
        label="… and so does this one",
        related=(Label(at(source, '/v1/** if header "x-beta" == "1" =>'), "this one matches it …"),),
        witness=Request(caller="web", callee="api", method="POST", path="/v1/orders", headers=(("x-beta", "1"),)),
        help="say which one wins",
        fixes=(
            Fix(
                title="the order wins",
                applicability=Applicability.CHOOSE_ONE,
                edits=(
                    Edit(source.span(source.text.index("v1\n}") + 2, source.text.index("v1\n}") + 2), " over beta"),
                ),
            ),
            Fix(
                title="beta wins",
                applicability=Applicability.CHOOSE_ONE,
                edits=(Edit(at(source, "as beta"), "as beta over orders"),),
            ),
        ),
    )
    assert shown(diagnostic) == dedent(
        """
        error[MSH410] ambiguous-route: two routes of `api` match the same request, and neither is more specific
         --> shop.mesh:3:3
        2 |   /v1/** if header "x-beta" == "1" => v2 as beta
          |   ----------------------------------- this one matches it …
        3 |   POST /v1/orders                  => v1
          |   ^^^^^^^^^^^^^^^ … and so does this one
        witness: web -> api POST /v1/orders {x-beta: "1"}
        help: say which one wins
        fix (choose one): the order wins
          3 +   POST /v1/orders                  => v1 over beta
        fix (choose one): beta wins
          2 +   /v1/** if header "x-beta" == "1" => v2 as beta over orders
        explain: meshc explain MSH410
        """
    )


def test_labels_on_one_line_hang_below_each_other() -> None:
    source = SourceText("a.mesh", "allow web -> web : GET /x\n")
    diagnostic = Diagnostic(
        code=WARNING,
        message="m",
        primary=at(source, "web", 1),
        label="it calls itself",
        related=(Label(at(source, "web"), "the caller"), Label(at(source, "GET"), "this")),
    )
    assert shown(diagnostic) == dedent(
        """
        warning[MSH900] odd-thing: m
         --> a.mesh:1:14
        1 | allow web -> web : GET /x
          |       ---    ^^^   --- this
          |       |      |
          |       |      it calls itself
          |       |
          |       the caller
        explain: meshc explain MSH900
        """
    )


def test_places_in_two_files_and_lines_left_out_between() -> None:
    one = SourceText("one.mesh", "".join(f"line {number}\n" for number in range(1, 13)))
    two = SourceText("two.mesh", "service api {}\n")
    diagnostic = Diagnostic(
        code=WARNING,
        message="m",
        primary=at(one, "line 12"),
        label="here",
        related=(Label(at(one, "line 2"), "there"), Label(at(two, "api"), "declared here")),
    )
    assert shown(diagnostic) == dedent(
        """
        warning[MSH900] odd-thing: m
          --> one.mesh:12:1
         2 | line 2
           | ------ there
        ...
        12 | line 12
           | ^^^^^^^ here
          ::: two.mesh:1:9
         1 | service api {}
           |         --- declared here
        explain: meshc explain MSH900
        """
    )


def test_wide_characters_and_tabs_keep_the_marks_in_place() -> None:
    source = SourceText("a.mesh", "\tdeny 漢字 -> e\u0301x\n")
    diagnostic = Diagnostic(code=WARNING, message="m", primary=at(source, "->"), label="x")
    assert "1 |     deny 漢字 -> e\u0301x\n  |               ^^ x\n" in shown(diagnostic)
    after = Diagnostic(code=WARNING, message="m", primary=at(source, "x"), label="y")
    assert "  |" + " " * 19 + "^ y\n" in shown(after)


def test_a_span_over_lines_shows_where_it_begins_and_ends() -> None:
    source = SourceText("a.mesh", "edge a -> b {\n  timeout: 5s\n  retry: off\n  x: y\n  z: z\n}\nallow\n")
    diagnostic = Diagnostic(
        code=WARNING, message="m", primary=source.span(0, source.text.index("allow")), label="this whole block"
    )
    assert shown(diagnostic) == dedent(
        """
        warning[MSH900] odd-thing: m
         --> a.mesh:1:1
        1 | edge a -> b {
          | ^^^^^^^^^^^^^ this whole block
        ...
        6 | }
          | ^
        explain: meshc explain MSH900
        """
    )


def test_the_end_of_a_file_can_be_pointed_at() -> None:
    source = SourceText("a.mesh", "allow a ->")
    diagnostic = Diagnostic(code=WARNING, message="m", primary=source.span(10, 10), label="a callee is missing")
    assert "1 | allow a ->\n  |           ^ a callee is missing\n" in shown(diagnostic)


def test_a_file_without_text_has_a_name_and_no_line() -> None:
    diagnostic = Diagnostic(code=WARNING, message="m", primary=SourceText("gone.mesh", "").span(0, 0))
    assert shown(diagnostic) == "\nwarning[MSH900] odd-thing: m\n --> gone.mesh\nexplain: meshc explain MSH900\n"


def test_a_text_cannot_steer_the_terminal() -> None:
    source = SourceText("a\x1b[2J.mesh", 'because "\x1b]0;owned\x07 \u202egnp"\n')
    diagnostic = Diagnostic(code=WARNING, message="`\x1b[31m`", primary=at(source, "because"), help="\x9b1m\u2066")
    text = shown(diagnostic)
    assert not set(text) & {"\x1b", "\x07", "\x9b", "\u202e", "\u2066"}
    assert "\\x1b[31m" in text
    assert "\\u{202e}gnp" in text


def test_ascii_terminals_get_ascii() -> None:
    source = SourceText("a.mesh", "deny ü -> 漢\n")
    diagnostic = Diagnostic(code=WARNING, message="ü … x → y", primary=at(source, "->"), label="…")
    text = shown(diagnostic, Terminal(unicode=False))
    assert text.isascii()
    assert "\\u{fc} ... x -> y" in text
    assert "1 | deny \\u{fc} -> \\u{6f22}\n  |             ^^ ...\n" in text


def test_long_lines_are_cut_around_the_mark() -> None:
    source = SourceText("a.mesh", "x" * 300 + " HERE " + "y" * 300 + "\n")
    diagnostic = Diagnostic(code=WARNING, message="m", primary=at(source, "HERE"), label="l")
    for line in shown(diagnostic, Terminal(width=60)).splitlines():
        assert len(line) <= 60
    lines = shown(diagnostic, Terminal(width=60)).splitlines()
    code, marks = lines[3], lines[4]
    assert code[marks.index("^") : marks.rindex("^") + 1] == "HERE"
    assert code.startswith("1 | …")
    assert code.endswith("…")


def test_the_primary_place_is_the_one_that_is_seen_on_a_long_line() -> None:
    source = SourceText("a.mesh", "FIRST" + "x" * 300_000 + " HERE " + "y" * 300_000 + "\n")
    fix = Fix(title="t", applicability=Applicability.SAFE, edits=(Edit(at(source, "HERE"), "THERE"),))
    diagnostic = Diagnostic(
        code=WARNING, message="m", primary=at(source, "HERE"), related=(Label(at(source, "FIRST"), "r"),), fixes=(fix,)
    )
    lines = shown(diagnostic, Terminal(width=80)).splitlines()
    assert all(len(line) <= 80 for line in lines)
    code, marks = lines[3], lines[4]
    assert code[marks.index("^") : marks.rindex("^") + 1] == "HERE"
    removed, added = (next(line for line in lines if line.startswith(f"  1 {sign} ")) for sign in "-+")
    assert "x HERE y" in removed
    assert "x THERE y" in added


def test_windows_line_ends_are_no_part_of_a_line() -> None:
    source = SourceText("a.mesh", "allow a\r\n\tdeny b\r\n")
    fix = Fix(title="t", applicability=Applicability.SAFE, edits=(Edit(at(source, "b"), "c"),))
    diagnostic = Diagnostic(code=WARNING, message="m", primary=source.span(6, 17), fixes=(fix,))
    assert shown(diagnostic) == dedent(
        """
        warning[MSH900] odd-thing: m
         --> a.mesh:1:7
        1 | allow a
          |       ^
        2 |     deny b
          |     ^^^^^^
        fix: t
          2 -     deny b
          2 +     deny c
        explain: meshc explain MSH900
        """
    )


def test_help_is_wrapped_to_the_width_of_a_terminal_only() -> None:
    source = SourceText("a.mesh", "x\n")
    diagnostic = Diagnostic(code=WARNING, message="m", primary=source.span(0, 1), help="word " * 40)
    assert max(map(len, shown(diagnostic, Terminal(width=70)).splitlines())) <= 70
    assert max(map(len, shown(diagnostic).splitlines())) > 190


def test_colour_changes_no_text() -> None:
    source = SourceText("a.mesh", "allow web -> web\n")
    diagnostic = Diagnostic(
        code=WARNING, message="m", primary=at(source, "web", 1), label="l", related=(Label(at(source, "web"), "r"),)
    )
    coloured = shown(diagnostic, Terminal(colour=True))
    assert "\x1b[1;33m^^^\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == shown(diagnostic)


class _Tty(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals_without_no_color() -> None:
    assert terminal_of(_Tty(), {}).colour
    assert not terminal_of(_Tty(), {"NO_COLOR": "1"}).colour
    assert not terminal_of(_Tty(), {"TERM": "dumb"}).colour
    assert not terminal_of(io.StringIO(), {}).colour
    assert terminal_of(io.StringIO(), {}).width is None


def test_colour_can_be_forced_and_no_color_weighs_more() -> None:
    assert terminal_of(io.StringIO(), {"FORCE_COLOR": "1"}).colour
    assert not terminal_of(io.StringIO(), {"FORCE_COLOR": "0"}).colour
    assert terminal_of(_Tty(), {"FORCE_COLOR": "1", "TERM": "dumb"}).colour
    assert not terminal_of(_Tty(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}).colour


def test_a_narrow_charset_shows_what_it_has() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    terminal = terminal_of(stream, {})
    assert terminal.safe("ü … 漢 → ×") == "ü ... \\u{6f22} -> ×"


def test_letters_of_several_characters_take_the_columns_that_they_show() -> None:
    for text, cells in (("e\u0301x", 2), ("\u1112\u1161\u11ab", 2), ("漢字", 4), ("नि", 2), ("\U0001f600", 2)):
        assert cell_count(text) == cells


def _long() -> Diagnostic:
    source = SourceText("a.mesh", "".join(f"line {number} of it\n" for number in range(1, 20)))
    other = SourceText("b.mesh", "other\n")
    fixes = tuple(
        Fix(
            title=f"way {number}",
            applicability=Applicability.CHOOSE_ONE,
            edits=(Edit(at(source, f"line {number} "), "changed "), Edit(at(source, f"line {number + 5} "), "too ")),
        )
        for number in (2, 3, 4, 5)
    )
    related = (*(Label(at(source, f"line {number} "), "r") for number in (3, 9, 15)), Label(other.span(0, 5), "last"))
    return Diagnostic(
        code=AMBIGUOUS, message="m", primary=at(source, "line 1 "), related=related, help="h", fixes=fixes
    )


def test_a_finding_takes_few_lines_unless_all_of_it_is_asked_for() -> None:
    short = shown(_long())
    assert len(short.splitlines()) - 1 <= 14
    assert short.endswith("explain: meshc explain MSH410 (cut: `meshc check --verbose` shows it all)\n")
    assert "line 1 of it" in short
    assert "fix (choose one): way 2" in short
    verbose = render_diagnostic(_long(), PLAIN, verbose=True)
    for part in ("way 5", "last", "b.mesh:1:1", "4 - line 4 of it", "9 + too of it", "meshc explain MSH410\n"):
        assert part in verbose
    assert "cut:" not in verbose


def _many() -> tuple[Diagnostic, ...]:
    source = SourceText("a.mesh", "abcdef\n")
    codes = (WARNING, AMBIGUOUS, WARNING, AMBIGUOUS, WARNING)
    return tuple(
        Diagnostic(code=code, message=f"number {n}", primary=source.span(n, n + 1)) for n, code in enumerate(codes)
    )


def test_the_summary_counts_by_severity() -> None:
    assert summary(_many()) == "2 errors, 3 warnings"
    assert summary(_many()[:1]) == "1 warning"
    assert summary(()) == "no findings"


def test_the_last_line_says_what_can_be_fixed() -> None:
    source = SourceText("a.mesh", "abc\n")

    def fixable(*kinds: Applicability) -> Diagnostic:
        fixes = tuple(Fix(title="t", applicability=kind, edits=(Edit(source.span(0, 1), "x"),)) for kind in kinds)
        return Diagnostic(code=WARNING, message="m", primary=source.span(0, 1), fixes=fixes)

    safe, unsafe, choice = map(fixable, (Applicability.SAFE, Applicability.UNSAFE, Applicability.CHOOSE_ONE))
    for found, told in (
        ((choice,), "warning: 1 warning"),
        ((safe, choice), "warning: 2 warnings (1 fixable with `meshc check --fix`)"),
        ((unsafe,), "warning: 1 warning (1 fixable with `meshc check --fix --unsafe`)"),
        ((safe, unsafe), "warning: 2 warnings (1 fixable with `meshc check --fix`, 1 more with `--unsafe`)"),
    ):
        assert findings_text(found, PLAIN, 50).splitlines()[-1] == told


def test_when_not_all_are_shown_errors_are() -> None:
    text = findings_text(_many(), PLAIN, 3)
    assert [n for n in range(5) if f"number {n}" in text] == [0, 1, 3]
    assert text.endswith("error: 2 errors, 3 warnings (2 not shown: see --max-errors)\n")
    assert "not shown" not in findings_text(_many(), PLAIN, 0)


@pytest.mark.parametrize(
    ("level", "strict", "status"), [("error", False, 0), ("warning", False, 1), ("error", True, 1), ("info", False, 1)]
)
def test_the_level_decides_whether_warnings_fail(level: str, strict: bool, status: int) -> None:
    warning = _many()[:1]
    assert Reporting.of("text", level, strict, 50).status(warning) == status
    assert Reporting.of("text", level, strict, 50).status(_many()) == 1
    assert Reporting.of("text", level, strict, 50).status(()) == 0
