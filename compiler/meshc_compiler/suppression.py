"""Findings that comments keep silent: `# meshc: ignore[MSH412] reason until 2027-01-01`.

A comment at the end of a line is about what begins on that line; behind a bracket that closes several lines, about all
that it closes: there the formatter puts the comment of a block that it breaks into lines. A comment on a line of its
own is about the statement or entry that follows, with everything in it; `ignore-file` above the first statement is
about the whole file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from meshc_compiler.finding import Findings
from meshc_lang.codes import Code, Severity
from meshc_lang.diagnostic import Diagnostic, Label
from meshc_lang.record import dataclass
from meshc_lang.source import Span
from meshc_lang.tree.file import SourceFile

if TYPE_CHECKING:
    from datetime import date

__all__ = ["Directive", "Silence", "Suppressed", "Suppressions", "Today", "is_firm", "read_suppressions"]

Today = Callable[[], "date"]
"""The clock: which day it is (UTC). It is asked only where a comment names a day."""

_HINT = "meshc:"
_FIRM_FAMILIES = {
    "MSH0": "a text that cannot be read means nothing",
    "MSH1": "a program with a name that means nothing means nothing",
    "MSH2": "a value that means nothing can set nothing",
    "MSH3": "errors of authorisation are never kept silent",
    "MSH6": "errors of identity are never kept silent",
    "MSH8": "what a target cannot enforce is not built",
    "MSH90": "it is about suppressions themselves",
}


@dataclass(frozen=True, slots=True)
class NamedCode:
    """A code as a comment names it, and where."""

    code: Code
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """A comment that suppresses `codes` between two offsets of its file, up to and including the day `until`.

    `until_span` is where the date stands; a comment without one holds for ever.
    """

    span: Span
    codes: tuple[NamedCode, ...]
    reason: str
    until: date | None
    until_span: Span
    start: int
    end: int

    def covers(self, span: Span) -> bool:
        """Tell whether a finding at that place is meant."""
        return self.start <= span.start <= self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressed:
    """A finding that is not told, and the comment that keeps it silent."""

    diagnostic: Diagnostic
    directive: Directive


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What became of findings: those that are told, those that are not, and what is wrong with the comments."""

    kept: tuple[Diagnostic, ...]
    suppressed: tuple[Suppressed, ...]
    found: tuple[Diagnostic, ...]


class Suppressions:
    """The suppressing comments of a program on one day (UTC); without a day nothing expires."""

    def __init__(
        self,
        directives: Sequence[Directive] = (),
        problems: tuple[Diagnostic, ...] = (),
        today: Today | None = None,
    ) -> None:
        self.directives = tuple(directives)
        self._problems = problems
        self._today = today
        self._by_code: dict[tuple[str, str], list[tuple[Directive, NamedCode]]] = {}
        # The narrowest comment is the one that is used, so that a wider one which nothing needs is told.
        for directive in sorted(self.directives, key=lambda one: (one.end - one.start, one.span.start)):
            for named in directive.codes:
                key = (directive.span.source.path, named.code.id)
                self._by_code.setdefault(key, []).append((directive, named))

    def apply(self, diagnostics: tuple[Diagnostic, ...], *, complete: bool) -> Silence:
        """Return what is told of the findings of a program.

        `complete` tells that the program could be lowered and checked. Where it could not, its errors are those that
        kept it from meaning anything, and comments about findings that never came up are not called unused.
        """
        if not self.directives:
            return Silence(kept=diagnostics, suppressed=(), found=self._problems)
        from meshc_compiler.directive import tell_expired, tell_unused

        findings = Findings()
        findings.extend(self._problems)
        used: set[Span] = set()
        expired: dict[Span, tuple[Directive, Diagnostic]] = {}
        kept: list[Diagnostic] = []
        silent: list[Suppressed] = []
        for diagnostic in diagnostics:
            by = self._silencer(diagnostic, complete, findings, used, expired)
            if by is None:
                kept.append(diagnostic)
            else:
                silent.append(Suppressed(diagnostic=diagnostic, directive=by))
        for directive, first in expired.values():
            tell_expired(directive, first, findings)
        if complete:
            for directive in self.directives:
                tell_unused(directive, used, findings)
        return Silence(kept=tuple(kept), suppressed=tuple(silent), found=findings.all())

    def silence(self, diagnostics: tuple[Diagnostic, ...]) -> Silence:
        """Return what is told of findings that come up later, at a build; nothing is said of the comments."""
        return Silence(
            kept=tuple(one for one in diagnostics if self._holding(one) is None),
            suppressed=tuple(
                Suppressed(diagnostic=one, directive=by)
                for one in diagnostics
                if (by := self._holding(one)) is not None
            ),
            found=(),
        )

    def _holding(self, diagnostic: Diagnostic) -> Directive | None:
        if is_firm(diagnostic.code) or diagnostic.severity is Severity.ERROR:
            return None
        return next((one for one, _ in self._about(diagnostic) if not self._is_over(one)), None)

    def _silencer(
        self,
        diagnostic: Diagnostic,
        complete: bool,
        findings: Findings,
        used: set[Span],
        expired: dict[Span, tuple[Directive, Diagnostic]],
    ) -> Directive | None:
        if is_firm(diagnostic.code):
            return None
        for directive, named in self._about(diagnostic):
            used.add(named.span)
            if self._is_over(directive):
                expired.setdefault(directive.span, (directive, diagnostic))
            elif diagnostic.severity is Severity.ERROR and not complete:
                from meshc_compiler.directive import tell_firm

                message = f"`{named.span.text}` cannot be suppressed here: the program means nothing until it is gone"
                tell_firm(directive, named, message, findings, (Label(diagnostic.primary, "this is in the way"),))
            else:
                return directive
        return None

    def _about(self, diagnostic: Diagnostic) -> Iterator[tuple[Directive, NamedCode]]:
        place = diagnostic.primary
        for directive, named in self._by_code.get((place.source.path, diagnostic.code.id), ()):
            if directive.covers(place):
                yield directive, named

    def _is_over(self, directive: Directive) -> bool:
        return directive.until is not None and self._today is not None and self._today() > directive.until


def is_firm(code: Code) -> str:
    """Return why findings of a code can never be suppressed, as a sentence; nothing if they can."""
    for prefix, why in _FIRM_FAMILIES.items():
        if code.id.startswith(prefix) and (code.severity is Severity.ERROR or prefix == "MSH90"):
            return why
    return ""


def read_suppressions(files: Sequence[SourceFile], today: Today | None) -> Suppressions:
    """Return the comments of a program that suppress something, and what is wrong with them."""
    findings = Findings()
    directives: list[Directive] = []
    for file in files:
        if _HINT in file.source.text:
            from meshc_compiler.directive import read_directives

            directives += read_directives(file, findings)
    return Suppressions(directives, findings.all(), today)
