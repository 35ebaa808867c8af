"""Findings as text for people: one sentence, the places it is about, a request that shows it, a way out."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from meshc.render.count import counted
from meshc.render.excerpt import Mark, excerpt, line_number_width
from meshc.render.patch import patch_lines
from meshc.render.terminal import Ink, Terminal
from meshc_lang.diagnostic import Applicability, Diagnostic, Severity
from meshc_lang.record import dataclass
from meshc_lang.source import SourceText, Span

_MOST_LINES = 14
"""A longer finding is cut, unless all of it was asked for."""
_NARROWEST_WRAP = 60
INK = {Severity.ERROR: Ink.ERROR, Severity.WARNING: Ink.WARNING, Severity.INFO: Ink.INFO}


def render_diagnostic(diagnostic: Diagnostic, terminal: Terminal, *, verbose: bool = False) -> str:
    """Return one finding as lines, the last one ended: few of them, or with `verbose` all that there is to say."""
    cut = _EVERYTHING
    lines = _lines(diagnostic, cut, terminal)
    if not verbose:
        for cut in _CUTS:
            shorter = _lines(diagnostic, cut, terminal)
            if len(shorter) <= _MOST_LINES:
                break
        everything = _lines(diagnostic, _EVERYTHING if cut.both else _NEW_LINES, terminal)
        if len(shorter) < len(everything):
            shorter[-1] += terminal.paint(" (cut: `meshc check --verbose` shows it all)", Ink.FAINT)
        lines = shorter
    return "\n".join(lines) + "\n"


def render_line(diagnostic: Diagnostic, terminal: Terminal) -> str:
    """Return one finding as a single line: what it is, and where."""
    head = terminal.paint(f"{diagnostic.severity.value}[{diagnostic.code.id}]", INK[diagnostic.severity])
    place = terminal.paint(f"({terminal.safe(_place(diagnostic.primary))})", Ink.FAINT)
    return f"{head} {terminal.safe(diagnostic.message)} {place}\n"


def summary(diagnostics: tuple[Diagnostic, ...]) -> str:
    """Return the counts in words: `2 errors, 1 warning`; `no findings` where there are none."""
    counts = [(sum(one.severity is severity for one in diagnostics), severity.value) for severity in Severity]
    return ", ".join(counted(count, word) for count, word in counts if count) or "no findings"


@dataclass(frozen=True, slots=True)
class _Cut:
    """How many of the secondary places are shown, of the fixes, and of the lines of a fix (None: all of them).

    `both` says that a changed line is shown as it is and as it would be; the former stands in the excerpt, as a rule.
    """

    related: int | None
    fixes: int | None
    patch: int | None
    both: bool


_EVERYTHING = _Cut(None, None, None, True)
_NEW_LINES = _Cut(None, None, None, False)
_CUTS = (
    _Cut(3, 3, 6, True),
    _Cut(3, 3, 6, False),
    _Cut(3, 3, 2, False),
    _Cut(3, 2, 1, False),
    _Cut(2, 2, 1, False),
    _Cut(2, 1, 1, False),
    _Cut(1, 1, 0, False),
    _Cut(0, 1, 0, False),
)
"""What is given up for brevity, in order: lines of fixes, then fixes, then places."""


def _lines(diagnostic: Diagnostic, cut: _Cut, terminal: Terminal) -> list[str]:
    ink = INK[diagnostic.severity]
    head = terminal.paint(f"{diagnostic.severity.value}[{diagnostic.code.id}]", ink)
    name = terminal.paint(diagnostic.code.name + ":", Ink.STRONG)
    lines = [f"{head} {name} {terminal.safe(diagnostic.message)}"]
    lines += _places(diagnostic, ink, cut, terminal)
    if diagnostic.witness is not None:
        lines += _titled("witness", diagnostic.witness.text, Ink.INFO, terminal)
    if diagnostic.help:
        lines += _titled("help", diagnostic.help, Ink.GOOD, terminal)
    choices = sum(fix.applicability is Applicability.CHOOSE_ONE for fix in diagnostic.fixes)
    # Fixes to choose from stand together, behind those that are offered as they are.
    ordered = sorted(diagnostic.fixes, key=lambda fix: choices > 1 and fix.applicability is Applicability.CHOOSE_ONE)
    for fix in ordered[: cut.fixes]:
        word = "fix (unsafe)" if fix.applicability is Applicability.UNSAFE else "fix"
        if choices > 1 and fix.applicability is Applicability.CHOOSE_ONE:
            word = "fix (choose one)"
        lines += _titled(word, fix.title, Ink.GOOD, terminal)
        lines += [f"  {line}" for line in patch_lines(fix.edits, terminal, cut.patch, both=cut.both)]
    lines.append(terminal.paint(f"explain: meshc explain {diagnostic.code.id}", Ink.FAINT))
    return lines


def _places(diagnostic: Diagnostic, ink: Ink, cut: _Cut, terminal: Terminal) -> Iterator[str]:
    related = diagnostic.related[: cut.related]
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


def _titled(title: str, text: str, ink: Ink, terminal: Terminal) -> list[str]:
    lines = [terminal.safe(line) for line in text.splitlines()] or [""]
    indent = " " * (len(title) + 2)
    if terminal.width is not None and terminal.width >= _NARROWEST_WRAP:
        room = terminal.width - len(indent)
        lines = [piece for line in lines for piece in textwrap.wrap(line, room, break_on_hyphens=False) or [""]]
    return [f"{terminal.paint(title + ':', ink)} {lines[0]}".rstrip(), *(indent + line for line in lines[1:])]
