"""Findings as workflow commands, which GitHub Actions shows as annotations."""

from __future__ import annotations

from collections.abc import Sequence

from meshc.render.report import Entry, Report
from meshc.render.terminal import Terminal
from meshc_lang.diagnostic import Diagnostic, Severity
from meshc_lang.source import Span

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_PLAIN = Terminal()


def github_document(report: Report) -> str:
    """Return a line for each finding; nothing where there are none."""
    return "".join(map(_annotation, report.told))


def _annotation(entry: Entry) -> str:
    diagnostic = entry.diagnostic
    return command(_COMMANDS[diagnostic.severity], diagnostic.primary, str(diagnostic.code), _message(diagnostic))


def command(level: str, span: Span | None, title: str, lines: Sequence[str]) -> str:
    """Return an annotation of `level` (error, warning, notice) at a place, with its message by lines."""
    properties = {} if span is None else {"file": span.source.path}
    if span is not None and span.source.text:
        first, last = span.first, span.last
        properties |= {"line": str(first.line), "col": str(first.column), "endLine": str(last.line)}
        if first.line == last.line:  # columns of different lines are refused
            properties["endColumn"] = str(last.column)
    properties["title"] = title
    text = "\n".join(map(_PLAIN.safe, lines))
    named = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{level} {named}::{_data(text)}\n"


def _message(diagnostic: Diagnostic) -> list[str]:
    lines = [diagnostic.message]
    lines += [f"{label.span}: {label.text}" for label in diagnostic.related]
    if diagnostic.witness is not None:
        lines.append(f"witness: {diagnostic.witness.text}")
    if diagnostic.help:
        lines += f"help: {diagnostic.help}".splitlines()
    lines += [f"fix: {fix.title}" for fix in diagnostic.fixes]
    lines.append(f"explain: meshc explain {diagnostic.code.id}")
    return lines


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
