"""Findings out to the reader, and the exit status that follows from them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from meshc.render import FORMS, Form
from meshc_lang.diagnostic import Applicability, Diagnostic, Severity, in_order
from meshc_lang.record import dataclass

if TYPE_CHECKING:
    from meshc.render.terminal import Terminal
    from meshc_compiler.pipeline import CompileResult
    from meshc_compiler.suppression import Suppressed

_WEIGHT = {Severity.ERROR: 2, Severity.WARNING: 1, Severity.INFO: 0}

OK, FOUND = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """How findings are told: in which form, how many, how much of each, and which of them fail the command.

    `one_line` asks for JSON documents of one line each, for a command that writes several.
    """

    form: Form = "text"
    fail_level: Severity = Severity.ERROR
    most: int = 50
    verbose: bool = False
    one_line: bool = False

    @staticmethod
    def of(
        format_: str,
        fail_level: str = "error",
        strict: bool = False,
        max_errors: int = 50,
        verbose: bool = False,
        one_line: bool = False,
    ) -> Reporting:
        """Read the options of a verb."""
        level = Severity.WARNING if strict and fail_level == "error" else Severity(fail_level)
        form = next(form for form in FORMS if form == format_)
        return Reporting(form=form, fail_level=level, most=max_errors, verbose=verbose, one_line=one_line)

    @property
    def failing(self) -> frozenset[Severity]:
        """The severities that fail the command."""
        level = _WEIGHT[self.fail_level]
        return frozenset(severity for severity, weight in _WEIGHT.items() if weight >= level)

    def status(self, diagnostics: tuple[Diagnostic, ...]) -> int:
        """Return the exit status: 1 if some finding is at least as severe as the level at which a command fails."""
        failing = self.failing
        return FOUND if any(one.severity in failing for one in diagnostics) else OK

    def tell(
        self,
        diagnostics: tuple[Diagnostic, ...],
        stream: TextIO | None = None,
        *,
        suppressed: Sequence[Suppressed] = (),
        files: Sequence[str] = (),
        note: str = "",
    ) -> None:
        """Print the findings: text on standard error if no stream is given, other formats on standard output.

        Those are one document with all findings. `suppressed` and `files` (the paths that were read) are for formats
        that show them; `note` stands behind the counts of a text.
        """
        ordered = in_order(diagnostics)
        if self.form != "text":
            (stream or sys.stdout).write(self.document(ordered, suppressed, files))
        elif ordered:
            from meshc.render.terminal import terminal_of

            stream = stream or sys.stderr
            text = findings_text(ordered, terminal_of(stream), self.most, verbose=self.verbose, note=note)
            stream.write(text)

    def tell_result(self, result: CompileResult, stream: TextIO | None = None, note: str = "") -> None:
        """Print what came of a program."""
        files = [source.path for source in result.program.sources]
        self.tell(result.diagnostics, stream, suppressed=result.suppressed, files=files, note=note)

    def document(
        self, diagnostics: tuple[Diagnostic, ...], suppressed: Sequence[Suppressed] = (), files: Sequence[str] = ()
    ) -> str:
        """Return the findings in a format for programs; its renderer is imported here, so that a check stays quick."""
        from meshc.render.report import report_of

        report = report_of(diagnostics, suppressed, files, self.failing)
        match self.form:
            case "sarif":
                from meshc.render.sarif import sarif_document

                return sarif_document(report)
            case "github":
                from meshc.render.github import github_document

                return github_document(report)
            case "junit":
                from meshc.render.junit import junit_document

                return junit_document(report)
            case "gitlab":
                from meshc.render.gitlab import gitlab_document

                return gitlab_document(report)
            case _:
                from meshc.render.json import report_document

                return report_document(report, one_line=self.one_line)

    def tell_briefly(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        """Print each finding as a line, on standard error: for what is worth knowing about work that was done."""
        from meshc.render.terminal import terminal_of
        from meshc.render.text import render_line

        terminal = terminal_of(sys.stderr)
        sys.stderr.writelines(render_line(diagnostic, terminal) for diagnostic in in_order(diagnostics))


def findings_text(
    diagnostics: tuple[Diagnostic, ...], terminal: Terminal, most: int, *, verbose: bool = False, note: str = ""
) -> str:
    """Return findings as text, the least severe cut where there are more than `most`, and their counts."""
    from meshc.render.terminal import Ink
    from meshc.render.text import INK, render_diagnostic, summary

    shown = diagnostics
    if most and len(diagnostics) > most:
        heaviest = sorted(range(len(diagnostics)), key=lambda i: (-_WEIGHT[diagnostics[i].severity], i))[:most]
        shown = tuple(diagnostics[i] for i in sorted(heaviest))
    blocks = [render_diagnostic(diagnostic, terminal, verbose=verbose) for diagnostic in shown]
    worst = max((one.severity for one in diagnostics), key=_WEIGHT.__getitem__)
    left = len(diagnostics) - len(shown)
    notes = [note, _fixable(diagnostics), f"{left:,} not shown: see --max-errors" if left else ""]
    told = ", ".join(filter(None, notes))
    head = terminal.paint(f"{worst.value}:", INK[worst])
    counts = terminal.paint(summary(diagnostics), Ink.STRONG)
    blocks.append(f"{head} {counts}" + (f" ({terminal.safe(told)})" if told else "") + "\n")
    return "\n".join(blocks)


def _fixable(diagnostics: Sequence[Diagnostic]) -> str:
    """Return how many findings a fix would take away, and by which command."""
    kinds = [{fix.applicability for fix in one.fixes} for one in diagnostics]
    safe = sum(Applicability.SAFE in kind for kind in kinds)
    unsafe = sum(Applicability.UNSAFE in kind and Applicability.SAFE not in kind for kind in kinds)
    if safe and unsafe:
        return f"{safe:,} fixable with `meshc check --fix`, {unsafe:,} more with `--unsafe`"
    if safe:
        return f"{safe:,} fixable with `meshc check --fix`"
    return f"{unsafe:,} fixable with `meshc check --fix --unsafe`" if unsafe else ""
