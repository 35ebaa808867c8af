"""Findings as plain text, for goldens: everything that is in them, one part a line."""

from __future__ import annotations

from collections.abc import Iterable

from meshc_lang.diagnostic import Diagnostic
from meshc_lang.source import Span


def place(span: Span) -> str:
    first, last = span.first, span.last
    return f"{span.source.path}:{first.line}:{first.column}-{last.line}:{last.column}"


def diagnostic_text(diagnostic: Diagnostic) -> str:
    lines = [f"{diagnostic.severity}[{diagnostic.code.id}] {diagnostic.code.name}: {diagnostic.message}"]
    lines.append(f"  --> {place(diagnostic.primary)}" + (f"  {diagnostic.label}" if diagnostic.label else ""))
    lines += [f"  and {place(label.span)}  {label.text}" for label in diagnostic.related]
    if diagnostic.witness is not None:
        lines.append(f"  witness: {diagnostic.witness.text}")
    if diagnostic.help:
        lines.append(f"  help: {diagnostic.help}")
    for fix in diagnostic.fixes:
        lines.append(f"  fix ({fix.applicability}): {fix.title}")
        lines += [f"    {place(edit.span)} {edit.text!r}" for edit in fix.edits]
    return "\n".join(lines) + "\n"


def diagnostics_text(diagnostics: Iterable[Diagnostic]) -> str:
    return "\n".join(diagnostic_text(diagnostic) for diagnostic in diagnostics)
