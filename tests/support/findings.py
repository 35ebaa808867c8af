"""Diagnostics as lines of text, for golden files: every part that a user sees, without the source lines."""

from __future__ import annotations

from collections.abc import Iterable

from meshc_lang.diagnostic import Diagnostic, Fix
from meshc_lang.source import Span


def findings_text(diagnostics: Iterable[Diagnostic]) -> str:
    """Return diagnostics as text: place, code and message on one line, then label, related places, help and fixes."""
    lines: list[str] = []
    for diagnostic in diagnostics:
        lines.append(f"{place(diagnostic.primary)} {diagnostic.code}: {diagnostic.message}")
        if diagnostic.label:
            lines.append(f"    here: {diagnostic.label}")
        lines += [f"    {place(related.span)}: {related.text}" for related in diagnostic.related]
        if diagnostic.help:
            lines.append(f"    help: {diagnostic.help}")
        lines += [f"    fix ({fix.applicability}): {fix.title}" for fix in diagnostic.fixes]
    return "".join(f"{line}\n" for line in lines)


def place(span: Span) -> str:
    """Return where a span stands and what it covers."""
    first, last = span.first, span.last
    until = f"{last.column}" if last.line == first.line else f"{last.line}:{last.column}"
    return f"{first.line}:{first.column}-{until} [{span.text}]"


def applied(text: str, fix: Fix) -> str:
    """Return a text with a fix's edits made."""
    for edit in sorted(fix.edits, key=lambda edit: edit.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text
