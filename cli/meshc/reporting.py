"""Findings out to the reader, and the exit status that follows from them."""

from __future__ import annotations

import sys
from typing import Literal, TextIO

from meshc.render.terminal import Ink, Terminal, terminal_of
from meshc.render.text import render_diagnostic, render_line, summary
from meshc_lang.diagnostic import Diagnostic, Severity, in_order
from meshc_lang.record import dataclass

_WEIGHT = {Severity.ERROR: 2, Severity.WARNING: 1, Severity.INFO: 0}

OK, FOUND = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """How findings are told: in which form, how many, and which of them fail the command."""

    form: Literal["text", "json"] = "text"
    fail_level: Severity = Severity.ERROR
    most: int = 50

    @staticmethod
    def of(format_: str, fail_level: str, strict: bool, max_errors: int) -> Reporting:
        """Read the options of a verb."""
        level = Severity.WARNING if strict and fail_level == "error" else Severity(fail_level)
        return Reporting(form="json" if format_ == "json" else "text", fail_level=level, most=max_errors)

    def status(self, diagnostics: tuple[Diagnostic, ...]) -> int:
        """Return the exit status: 1 if some finding is at least as severe as the level at which a command fails."""
        level = _WEIGHT[self.fail_level]
        return FOUND if any(_WEIGHT[one.severity] >= level for one in diagnostics) else OK

    def tell(self, diagnostics: tuple[Diagnostic, ...], stream: TextIO | None = None) -> None:
        """Print the findings; on standard error if no stream is given. JSON is one document, with all of them."""
        stream = stream or sys.stderr
        ordered = in_order(diagnostics)
        if self.form == "json":
            from meshc.render.json import findings_document

            stream.write(findings_document(ordered))
        elif ordered:
            stream.write(findings_text(ordered, terminal_of(stream), self.most))

    def tell_briefly(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        """Print each finding as a line, on standard error: for what is worth knowing about work that was done."""
        terminal = terminal_of(sys.stderr)
        sys.stderr.writelines(render_line(diagnostic, terminal) for diagnostic in in_order(diagnostics))


def findings_text(diagnostics: tuple[Diagnostic, ...], terminal: Terminal, most: int) -> str:
    """Return findings as text, the most severe first cut, and their counts."""
    shown = diagnostics
    if most and len(diagnostics) > most:
        heaviest = sorted(range(len(diagnostics)), key=lambda i: (-_WEIGHT[diagnostics[i].severity], i))[:most]
        shown = tuple(diagnostics[i] for i in sorted(heaviest))
    blocks = [render_diagnostic(diagnostic, terminal) for diagnostic in shown]
    left = len(diagnostics) - len(shown)
    more = f" ({left} not shown)" if left else ""
    blocks.append(terminal.paint(summary(diagnostics), Ink.STRONG) + more + "\n")
    return "\n".join(blocks)
