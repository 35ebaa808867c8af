"""Findings as plain values, which another process can send: where, what, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from meshc.lsp.analysis.place import Place, Position, Range, TextEdit
from meshc.lsp.analysis.program import ProgramView
from meshc.lsp.analysis.question import Origin
from meshc_lang.codes import CODES
from meshc_lang.diagnostic import Applicability, Diagnostic, Severity
from meshc_lang.record import dataclass
from meshc_lang.source import ExpandedSpan, Span

_NEEDLESS = ("dead-", "redundant-", "useless-", "unused-", "unreachable-route")
"""How the names of codes begin whose findings are about text that does nothing."""

_READING = ("MSH00", "MSH01", "MSH02", "MSH03", "MSH04", "MSH05", "MSH06", "MSH07")
"""The codes that come of reading a single file."""


@dataclass(frozen=True, slots=True)
class FoundEdit:
    """One replacement of a fix."""

    origin: Origin
    text: str


@dataclass(frozen=True, slots=True)
class FoundFix:
    """A fix: what it does, how far it may be trusted, and its replacements."""

    title: str
    applicability: Applicability
    edits: tuple[FoundEdit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A diagnostic whose places are offsets in the texts that were compiled."""

    code: str
    message: str
    origin: Origin
    label: str = ""
    related: tuple[tuple[Origin, str], ...] = ()
    witness: str = ""
    help: str = ""
    fixes: tuple[FoundFix, ...] = ()

    @property
    def severity(self) -> Severity:
        """The severity of its code."""
        return CODES[self.code].severity

    @property
    def name(self) -> str:
        """The name of its code."""
        return CODES[self.code].name

    @property
    def origins(self) -> tuple[Origin, ...]:
        """Every place that it speaks of."""
        return (self.origin, *(origin for origin, _ in self.related))

    @property
    def is_needless(self) -> bool:
        """Whether it is about text that does nothing."""
        return self.name.startswith(_NEEDLESS)

    @property
    def is_of_reading(self) -> bool:
        """Whether it comes of reading its file, whatever the rest of the program says."""
        return self.code.startswith(_READING)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFix:
    """A fix with its replacements by file, as the files are now."""

    title: str
    applicability: Applicability
    edits: tuple[tuple[str, tuple[TextEdit, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFinding:
    """A finding where it stands now."""

    finding: Finding
    range: Range
    related: tuple[tuple[Place, str], ...]
    fixes: tuple[PlacedFix, ...]

    @property
    def message(self) -> str:
        """All that is said at the place itself: the sentence, a witness, the next step."""
        finding = self.finding
        parts = [finding.message]
        if finding.label:
            parts.append(finding.label)
        if finding.witness:
            parts.append(f"witness: {finding.witness}")
        if finding.help:
            parts.append(f"help: {finding.help}")
        return "\n".join(parts)


def findings_of(diagnostics: Iterable[Diagnostic], base: int = 0, key: Callable[[str], str] = str) -> Iterator[Finding]:
    """Return diagnostics as plain values; their places count from `base`, their files are named by `key`."""

    def origin(span: Span) -> Origin:
        return Origin(key(span.source.path), base + span.start, base + span.end)

    for one in diagnostics:
        yield Finding(
            code=one.code.id,
            message=one.message,
            origin=origin(one.primary),
            label=one.label,
            related=tuple((origin(span), text) for span, text in _labels(one)),
            witness="" if one.witness is None else one.witness.text,
            help=one.help,
            fixes=tuple(
                FoundFix(
                    fix.title, fix.applicability, tuple(FoundEdit(origin(edit.span), edit.text) for edit in fix.edits)
                )
                for fix in one.fixes
            ),
        )


def _labels(diagnostic: Diagnostic) -> Iterator[tuple[Span, str]]:
    yield from ((label.span, label.text) for label in diagnostic.related)
    if isinstance(diagnostic.primary, ExpandedSpan):
        yield from ((point.span, point.text) for point in diagnostic.primary.waypoints)
        yield from ((site.span, f"written out by this `use` of `{site.template}`") for site in diagnostic.primary.uses)


def place_finding(view: ProgramView, finding: Finding, *, current: bool = False) -> PlacedFinding | None:
    """Return a finding where it stands now; None if its text was changed since, or its file is gone.

    `current` tells that its offsets are of the texts as they are, and not as they were compiled last.
    """

    def place(origin: Origin) -> Range | None:
        document = view.documents.get(origin.key)
        if document is None:
            elsewhere = view.place_of(origin)
            return None if elsewhere is None else elsewhere.range
        revision = document.revision if current else view.compiled.get(origin.key, 0)
        moved = document.moved(origin.start, origin.end, revision)
        return None if moved is None else document.range(*moved)

    range_ = place(finding.origin)
    if range_ is None and finding.origin.key not in view.documents:
        # A file that cannot be read, say: it has no text, but it has a beginning.
        range_ = Range(Position(0, 0), Position(0, 0))
    if range_ is None:
        return None
    related = [(origin.key, place(origin), text) for origin, text in finding.related]
    fixes = (_place_fix(fix, place) for fix in finding.fixes)
    return PlacedFinding(
        finding=finding,
        range=range_,
        related=tuple((Place(key, where), text) for key, where, text in related if where is not None),
        fixes=tuple(fix for fix in fixes if fix is not None),
    )


def _place_fix(fix: FoundFix, place: Callable[[Origin], Range | None]) -> PlacedFix | None:
    edits: dict[str, list[TextEdit]] = {}
    for edit in fix.edits:
        where = place(edit.origin)
        if where is None:
            return None
        edits.setdefault(edit.origin.key, []).append(TextEdit(where, edit.text))
    placed = tuple((key, tuple(found)) for key, found in edits.items())
    return PlacedFix(title=fix.title, applicability=fix.applicability, edits=placed)
