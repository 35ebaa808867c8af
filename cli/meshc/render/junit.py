"""Findings and test cases as JUnit XML, in the dialect that Jenkins, GitLab and most other servers read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from meshc.render.report import Entry, Report
from meshc.render.terminal import Terminal
from meshc.render.text import render_diagnostic
from meshc_lang.record import dataclass

if TYPE_CHECKING:
    from meshc_compiler.examples import CaseResult

_PLAIN = Terminal()
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One testcase: what it is called, where it stands, and what became of it ("" for passed)."""

    name: str
    file: str
    line: int | None = None
    outcome: str = ""
    message: str = ""
    kind: str = ""
    body: str = ""


def junit_document(report: Report) -> str:
    """Return a suite for each file: a case for each of its findings, and one that passes where it has none.

    A finding that does not fail the command is a case that was skipped, and so is a suppressed one.
    """
    suites: dict[str, list[_Case]] = {path: [] for path in report.files}
    for entry in report.entries:
        suites.setdefault(entry.diagnostic.primary.source.path, []).append(_case_of(entry, report))
    for path, cases in suites.items():
        if not cases:
            cases.append(_Case(name="no findings", file=path))
    return _document(suites)


def junit_of_cases(cases: Iterable[CaseResult], properties: Mapping[str, str] | None = None) -> str:
    """Return a suite for each test block, with its cases; properties of the whole run stand in each of them."""
    suites: dict[str, list[_Case]] = {}
    for case in cases:
        span = case.span
        suites.setdefault(case.test, []).append(
            _Case(
                name=case.request,
                file="" if span is None else span.source.path,
                line=None if span is None else span.first.line,
                outcome="" if case.passed else "failure",
                message=f"expected {case.expected}, actually {case.actual}",
                kind="case-failed",
                body=f"{case.request}\nexpected {case.expected}\nactually {case.actual}\n"
                + ("" if span is None else f"at {span}\n"),
            )
        )
    return _document(suites, properties or {})


def _case_of(entry: Entry, report: Report) -> _Case:
    diagnostic = entry.diagnostic
    message = diagnostic.message
    outcome = "failure"
    if entry.suppressed is not None:
        outcome, message = "skipped", f"suppressed: {entry.suppressed.directive.reason}"
    elif diagnostic.severity not in report.failing:
        outcome, message = "skipped", f"{diagnostic.severity}: {message}"
    return _Case(
        name=f"{diagnostic.code}: {diagnostic.message}",
        file=diagnostic.primary.source.path,
        line=diagnostic.primary.first.line if diagnostic.primary.source.text else None,
        outcome=outcome,
        message=message,
        kind=diagnostic.severity.value,
        body=render_diagnostic(diagnostic, _PLAIN),
    )


def _document(suites: dict[str, list[_Case]], properties: Mapping[str, str] = MappingProxyType({})) -> str:
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    every = [case for cases in suites.values() for case in cases]
    lines.append(f"<testsuites {_attributes({'name': 'meshc', **_counts(every)})}>")
    for name, cases in suites.items():
        lines.append(f"  <testsuite {_attributes({'name': name, **_counts(cases)})}>")
        if properties:
            # They belong to suites in the dialect that servers read, not to the whole.
            told = (
                f"      <property {_attributes({'name': key, 'value': value})}/>" for key, value in properties.items()
            )
            lines += ["    <properties>", *told, "    </properties>"]
        used: dict[str, int] = {}
        for case in cases:
            number = used[case.name] = used.get(case.name, 0) + 1
            lines += _case_lines(case, name, case.name if number == 1 else f"{case.name} ({number})")
        lines.append("  </testsuite>")
    lines.append("</testsuites>")
    return "\n".join(lines) + "\n"


def _case_lines(case: _Case, suite: str, name: str) -> list[str]:
    place = ({"file": case.file} if case.file else {}) | ({"line": str(case.line)} if case.line is not None else {})
    head = f"    <testcase {_attributes({'classname': suite, 'name': name, **place})}"
    if not case.outcome:
        return [f"{head}/>"]
    if case.outcome == "skipped":
        return [
            f"{head}>",
            f"      <skipped {_attributes({'message': case.message})}/>",
            f"      <system-out>{_text(case.body)}</system-out>",
            "    </testcase>",
        ]
    return [
        f"{head}>",
        f"      <failure {_attributes({'message': case.message, 'type': case.kind})}>{_text(case.body)}</failure>",
        "    </testcase>",
    ]


def _counts(cases: list[_Case]) -> dict[str, str]:
    failed = sum(case.outcome == "failure" for case in cases)
    skipped = sum(case.outcome == "skipped" for case in cases)
    return {"tests": str(len(cases)), "failures": str(failed), "errors": "0", "skipped": str(skipped)}


def _attributes(values: dict[str, str]) -> str:
    return " ".join(f'{name}="{_PLAIN.safe(value).translate(_ESCAPES)}"' for name, value in values.items())


def _text(text: str) -> str:
    """Return text for an element: escaped, and without the characters that XML 1.0 has no way to write (§2.2)."""
    return "\n".join(_PLAIN.safe(line).translate(_ESCAPES) for line in text.split("\n"))
