"""Findings as workflow commands, which GitHub Actions shows as annotations."""

from __future__ import annotations

from meshc.render.report import Entry, Report
from meshc.render.terminal import Terminal
from meshc_lang.diagnostic import Diagnostic, Severity

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_PLAIN = Terminal()


def github_document(report: Report) -> str:
    """Return a line for each finding; nothing where there are none."""
    return "".join(map(_annotation, report.told))


def _annotation(entry: Entry) -> str:
    diagnostic = entry.diagnostic
    properties = {"file": diagnostic.primary.source.path}
    if diagnostic.primary.source.text:
        first, last = diagnostic.primary.first, diagnostic.primary.last
        properties |= {"line": str(first.line), "col": str(first.column), "endLine": str(last.line)}
        if first.line == last.line:  # columns of different lines are refused
            properties["endColumn"] = str(last.column)
    properties["title"] = str(diagnostic.code)
    named = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{_COMMANDS[diagnostic.severity]} {named}::{_data(_message(diagnostic))}\n"


def _message(diagnostic: Diagnostic) -> str:
    lines = [diagnostic.message]
    lines += [f"{label.span}: {label.text}" for label in diagnostic.related]
    if diagnostic.witness is not None:
        lines.append(f"witness: {diagnostic.witness.text}")
    if diagnostic.help:
        lines += f"help: {diagnostic.help}".splitlines()
    lines += [f"fix: {fix.title}" for fix in diagnostic.fixes]
    lines.append(f"explain: meshc explain {diagnostic.code.id}")
    return "\n".join(map(_PLAIN.safe, lines))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
