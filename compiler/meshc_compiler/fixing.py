"""Fixes applied to a program until nothing is left to fix; one that would do harm is taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from meshc_compiler.loader import SourceReader
from meshc_compiler.pipeline import CompileResult, compile_all
from meshc_compiler.source_reader import EditedReader
from meshc_compiler.suppression import Today
from meshc_lang.diagnostic import Applicability, Diagnostic, Edit, Fix, Severity
from meshc_lang.record import dataclass
from meshc_lang.source import SourceText

__all__ = ["FixedFile", "Fixing", "does_harm", "errors_of", "fix_program"]

MOST_ROUNDS = 100
"""Fixes that make each other necessary for so long go in a circle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedFile:
    """A file that fixes change: its bytes as they were read, and its text before and after."""

    path: str
    content: bytes
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixing:
    """What fixes made of a program: the files they change, and what is left to be told of it.

    `fixed` are the findings that were fixed, `refused` those whose fix would have brought new errors. Nothing was
    written: that is for the caller to do.
    """

    files: tuple[FixedFile, ...]
    fixed: tuple[Diagnostic, ...]
    refused: tuple[Diagnostic, ...]
    result: CompileResult


@dataclass(frozen=True, slots=True)
class _Change:
    """A finding and the fix that is to be applied for it."""

    finding: Diagnostic
    fix: Fix

    @property
    def key(self) -> tuple[object, ...]:
        """What tells a fix again when its lines have moved."""
        texts = tuple(edit.text for edit in self.fix.edits)
        return (self.finding.code.id, self.finding.message, self.finding.primary.text, self.fix.title, texts)


def fix_program(
    paths: Sequence[str], reader: SourceReader, *, unsafe: bool = False, today: Today | None = None
) -> Fixing:
    """Apply the safe fixes of a program's findings (with `unsafe` also those that may change its meaning).

    Never one of several to choose from. Each round applies all fixes that do not overlap and reads the program again:
    it must still be read as far as before, and have no errors that it did not have, by itself and with each of its
    overlays, or the fixes at fault are undone.
    Only files that the paths name, or that lie below them, are changed.
    """
    return _Fixer(paths, reader, unsafe, today).run()


class _Fixer:
    def __init__(self, paths: Sequence[str], reader: SourceReader, unsafe: bool, today: Today | None) -> None:
        self._paths = paths
        self._disk = reader
        self._today = today
        self._kinds = (Applicability.SAFE, Applicability.UNSAFE) if unsafe else (Applicability.SAFE,)
        self._texts: dict[str, str] = {}
        self._contents: dict[str, bytes] = {}
        self._fixed: list[Diagnostic] = []
        self._refused: dict[tuple[object, ...], Diagnostic] = {}
        self._result = self._compile(self._texts)
        self._own = self._owned()

    def run(self) -> Fixing:
        before = {source.path: source for source in self._result.program.sources}
        for _ in range(MOST_ROUNDS):
            changes = self._choose()
            if not changes:
                break
            self._try(changes)
        files = []
        for path, after in sorted(self._texts.items()):
            if before[path].text != after:
                content = self._contents[path]
                files.append(FixedFile(path=path, content=content, before=before[path].text, after=after))
        return Fixing(
            files=tuple(files),
            fixed=tuple(self._fixed),
            refused=tuple(self._refused.values()),
            result=self._result,
        )

    def _compile(self, texts: dict[str, str]) -> CompileResult:
        return compile_all(self._paths, EditedReader(self._disk, texts, self._contents), self._today)

    def _owned(self) -> frozenset[str]:
        """Return the files that the paths name or hold: an imported file may lie elsewhere."""
        given = [self._disk.relative(path) for path in self._paths]
        holders = [path.rstrip("/") + "/" for path in given if self._disk.is_directory(path)]
        everything = any(path == "." for path in given)
        return frozenset(
            path
            for source in self._result.program.sources
            if (path := source.path) in given
            or path.startswith(tuple(holders))
            or (everything and not path.startswith(("/", "../")))
        )

    def _choose(self) -> list[_Change]:
        """Return the fixes of this round: in the order of their findings, none over a place that another takes."""
        chosen: list[_Change] = []
        taken: dict[str, list[Edit]] = {}
        for finding in self._result.diagnostics:
            change = self._change_of(finding)
            if change is None:
                continue
            edits = change.fix.edits
            if any(_meet(edit, other) for edit in edits for other in taken.get(edit.span.source.path, ())):
                continue
            for edit in edits:
                taken.setdefault(edit.span.source.path, []).append(edit)
            chosen.append(change)
        return chosen

    def _change_of(self, finding: Diagnostic) -> _Change | None:
        for kind in self._kinds:
            for fix in finding.fixes:
                change = _Change(finding, fix)
                own = all(edit.span.source.path in self._own for edit in fix.edits)
                if fix.applicability is kind and fix.edits and own and change.key not in self._refused:
                    return change
        return None

    def _try(self, changes: list[_Change]) -> None:
        """Apply fixes together; where that does harm, in halves, so that those at fault are found and left out."""
        texts = self._applied(changes)
        after = self._compile(texts)
        if not does_harm(self._result, after):
            self._texts, self._result = texts, after
            self._fixed += [change.finding for change in changes]
        elif len(changes) == 1:
            self._refused[changes[0].key] = changes[0].finding
        else:
            half = len(changes) // 2
            before = self._result
            self._try(changes[:half])
            if self._result is before:  # else the places of the other half have moved: they come in the next round
                self._try(changes[half:])

    def _applied(self, changes: list[_Change]) -> dict[str, str]:
        texts = dict(self._texts)
        by_path: dict[str, tuple[SourceText, list[Edit]]] = {}
        for change in changes:
            for edit in change.fix.edits:
                by_path.setdefault(edit.span.source.path, (edit.span.source, []))[1].append(edit)
        for path, (source, edits) in by_path.items():
            parts: list[str] = []
            at = 0
            for edit in sorted(edits, key=lambda edit: (edit.span.start, edit.span.end)):
                parts += (source.text[at : edit.span.start], edit.text)
                at = edit.span.end
            texts[path] = "".join([*parts, source.text[at:]])
        return texts


def _meet(one: Edit, other: Edit) -> bool:
    """Tell whether two edits overlap; one that inserts meets what it touches: which comes first would be a guess."""
    a, b = one.span, other.span
    if a.start == a.end or b.start == b.end:
        return a.start <= b.end and b.start <= a.end
    return a.start < b.end and b.start < a.end


def does_harm(before: CompileResult, after: CompileResult) -> bool:
    """Tell whether a program is worse than it was: read less far, or with errors that it did not have.

    One that is read further may well show errors that nobody could see before.
    """
    was, now = _stage(before), _stage(after)
    if now != was:
        return now < was
    new = errors_of(after) - errors_of(before)
    if was == 0 and not any(code.startswith("MSH0") for code, *_ in new):
        syntax = [sum(one.code.id.startswith("MSH0") for one in each.diagnostics) for each in (before, after)]
        return bool(new) and syntax[1] >= syntax[0]
    return bool(new)


def _stage(result: CompileResult) -> int:
    """Return how far a program was read: 0 not all of its text, 1 not all of its names and values, 2 checked."""
    if any(one.code.id.startswith("MSH0") and one.severity is Severity.ERROR for one in result.diagnostics):
        return 0
    return 1 if any(one.mesh is None for one in (result, *result.overlays)) else 2


def errors_of(result: CompileResult) -> Counter[tuple[str, str, str, str]]:
    """Return the errors of a program, told apart by what they say of which text."""
    return Counter(
        (one.code.id, one.message, one.primary.source.path, one.primary.text)
        for one in result.diagnostics
        if one.severity is Severity.ERROR
    )
