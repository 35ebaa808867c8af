"""Findings as text for people: one sentence, the places it is about, a request that shows it, a way out."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from meshc.render.excerpt import Mark, excerpt, line_number_width
from meshc.render.patch import patch_lines
from meshc.render.terminal import Ink, Terminal
from meshc_lang.diagnostic import Applicability, Diagnostic, Fix, Severity
from meshc_lang.source import SourceText, Span

_MOST_RELATED = 3
_MOST_FIXES = 3
_NARROWEST_WRAP = 60
INK = {Severity.ERROR: Ink.ERROR, Severity.WARNING: Ink.WARNING, Severity.INFO: Ink.INFO}


def render_diagnostic(diagnostic: Diagnostic, terminal: Terminal) -> str:
    """Return one finding as lines, the last one ended."""
    return "\n".join(_lines(diagnostic, terminal)) + "\n"


def render_line(diagnostic: Diagnostic, terminal: Terminal) -> str:
    """Return one finding as a single line: what it is, and where."""
    head = terminal.paint(f"{diagnostic.severity.value}[{diagnostic.code.id}]", INK[diagnostic.severity])
    place = terminal.paint(f"({terminal.safe(_place(diagnostic.primary))})", Ink.FAINT)
    return f"{head} {terminal.safe(diagnostic.message)} {place}\n"


def summary(diagnostics: tuple[Diagnostic, ...]) -> str:
    """Return the counts in words: `2 errors, 1 warning`; `no findings` where there are none."""
    counts = [(sum(one.severity is severity for one in diagnostics), severity.value) for severity in Severity]
    return ", ".join(counted(count, word) for count, word in counts if count) or "no findings"


def counted(count: int, word: str, words: str = "") -> str:
    """Return a number and its noun: `1 file`, `2 files`."""
    return f"{count:,} {word if count == 1 else words or word + 's'}"


def _lines(diagnostic: Diagnostic, terminal: Terminal) -> Iterator[str]:
    ink = INK[diagnostic.severity]
    head = terminal.paint(f"{diagnostic.severity.value}[{diagnostic.code.id}]", ink)
    yield f"{head} {terminal.paint(diagnostic.code.name + ':', Ink.STRONG)} {terminal.safe(diagnostic.message)}"
    yield from _places(diagnostic, ink, terminal)
    if diagnostic.witness is not None:
        yield _titled("witness", diagnostic.witness.text, Ink.INFO, terminal)
    if diagnostic.help:
        yield _titled("help", diagnostic.help, Ink.GOOD, terminal)
    choices = tuple(fix for fix in diagnostic.fixes if fix.applicability is Applicability.CHOOSE_ONE)
    for fix in diagnostic.fixes[:_MOST_FIXES]:
        if fix.applicability is not Applicability.CHOOSE_ONE or len(choices) == 1:
            word = "fix (unsafe)" if fix.applicability is Applicability.UNSAFE else "fix"
            yield from _fix(word, fix, terminal)
    if len(choices) > 1:
        for fix in choices[:_MOST_FIXES]:
            yield from _fix("fix (choose one)", fix, terminal)
    yield terminal.paint(f"explain: meshc explain {diagnostic.code.id}", Ink.FAINT)


def _places(diagnostic: Diagnostic, ink: Ink, terminal: Terminal) -> Iterator[str]:
    related = diagnostic.related[:_MOST_RELATED]
    marks = (
        Mark(diagnostic.primary, diagnostic.label, ink, primary=True),
        *(Mark(label.span, label.text, Ink.FRAME, primary=False) for label in related),
    )
    gutter = line_number_width(tuple(mark.span for mark in marks if mark.span.source.text))
    by_source: dict[str, tuple[SourceText, list[Mark]]] = {}
    for mark in marks:
        by_source.setdefault(mark.span.source.path, (mark.span.source, []))[1].append(mark)
    for index, (source, own) in enumerate(by_source.values()):
        arrow = terminal.paint(" " * gutter + ("-->" if index == 0 else ":::"), Ink.FRAME)
        yield f"{arrow} {terminal.safe(_place(own[0].span))}"
        if source.text:
            yield from excerpt(source, tuple(own), gutter, terminal)


def _place(span: Span) -> str:
    """A file that could not be read, or a folder, has no lines to point at."""
    return str(span) if span.source.text else span.source.path


def _fix(word: str, fix: Fix, terminal: Terminal) -> Iterator[str]:
    yield _titled(word, fix.title, Ink.GOOD, terminal)
    for line in patch_lines(fix.edits, terminal):
        yield f"  {line}"


def _titled(title: str, text: str, ink: Ink, terminal: Terminal) -> str:
    lines = [terminal.safe(line) for line in text.splitlines()] or [""]
    indent = " " * (len(title) + 2)
    if terminal.width is not None and terminal.width >= _NARROWEST_WRAP:
        room = terminal.width - len(indent)
        lines = [piece for line in lines for piece in textwrap.wrap(line, room, break_on_hyphens=False) or [""]]
    return f"{terminal.paint(title + ':', ink)} " + f"\n{indent}".join(lines)
