"""What came of the test blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshc.render.count import counted
from meshc.render.json import Json, document, span_json
from meshc.render.terminal import Ink, Terminal
from meshc_lang.codes import style
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.source import SourceText

if TYPE_CHECKING:
    from meshc_compiler.examples import CaseResult


def test_text(cases: tuple[CaseResult, ...], terminal: Terminal, *, quiet: bool) -> str:
    """Return the cases under their tests' names; a failed one with what was expected and what is the case."""
    lines: list[str] = []
    test = None
    for case in cases:
        if quiet and case.passed:
            continue
        if case.test != test:
            test = case.test
            lines.append(terminal.paint(terminal.safe(test), Ink.STRONG))
        if case.passed:
            mark = terminal.paint(terminal.safe("✓"), Ink.GOOD)
            lines.append(f"  {mark} {terminal.safe(case.request)} is {terminal.safe(case.expected)}")
        else:
            mark = terminal.paint(terminal.safe("✗"), Ink.ERROR)
            place = f" ({terminal.safe(str(case.span))})" if case.span is not None else ""
            lines.append(f"  {mark} {terminal.safe(case.request)}{place}")
            lines.append(f"      expected {terminal.safe(case.expected)}")
            lines.append(f"      actually {terminal.safe(case.actual)}")
    failed = sum(not case.passed for case in cases)
    if not cases:
        total = "the program has no test blocks"
    else:
        total = f"{counted(len(cases), 'case')}, " + (f"{failed} failed" if failed else "all as expected")
    lines.append(terminal.paint(total, Ink.ERROR if failed else Ink.STRONG))
    return "\n".join(lines) + "\n"


def test_findings(cases: tuple[CaseResult, ...]) -> tuple[Diagnostic, ...]:
    """Return the cases that failed as findings, for the formats that know findings alone."""
    nowhere = SourceText("", "").span(0, 0)
    return tuple(
        Diagnostic(
            code=style.CASE_FAILED,
            message=f"this request is {case.actual}; the case expects {case.expected}",
            primary=nowhere if case.span is None else case.span,
            witness=case.decision.request,
            help="`meshc why` shows what decides it",
            subject=case.name,
        )
        for case in cases
        if not case.passed
    )


def test_document(cases: tuple[CaseResult, ...], *, one_line: bool, **members: Json) -> str:
    """Return the cases as JSON, with further members of the document behind them."""
    return document(
        one_line=one_line,
        cases=[
            {
                "name": case.name,
                "passed": case.passed,
                "expected": case.expected,
                "actual": case.actual,
                "span": span_json(case.span),
            }
            for case in cases
        ],
        **members,
    )
