"""What can be done about findings: the fixes that they bring, all safe ones at once, and silence with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshc.lsp.analysis.document import Document
from meshc.lsp.analysis.finding import PlacedFinding, PlacedFix
from meshc.lsp.analysis.place import Position, Range, TextEdit
from meshc_compiler.suppression import is_firm
from meshc_lang.codes import CODES
from meshc_lang.diagnostic import Applicability
from meshc_lang.record import dataclass

_REASON = "say why this is right"

Edits = tuple[tuple[str, tuple[TextEdit, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that can be done: edits by file. `preferred` is what an editor may do unasked for."""

    title: str
    edits: Edits
    finding: PlacedFinding | None = None
    preferred: bool = False


def fixes(findings: Iterable[PlacedFinding]) -> Iterator[Action]:
    """Return every fix that the findings bring."""
    for found in findings:
        for fix in found.fixes:
            preferred = fix.applicability is Applicability.SAFE
            yield Action(title=fix.title, edits=fix.edits, finding=found, preferred=preferred)


def silences(document: Document, findings: Iterable[PlacedFinding]) -> Iterator[Action]:
    """Return, for each finding that may be kept silent, the comment that does so, with a reason to be written."""
    seen: set[tuple[str, int]] = set()
    for found in findings:
        code, line = CODES[found.finding.code], found.range.start.line
        if is_firm(code) or (code.id, line) in seen:
            continue
        seen.add((code.id, line))
        start = document.offset(Position(line, 0))
        text = document.text_between(start, document.offset(Position(line + 1, 0)))
        indent = text[: len(text) - len(text.lstrip(" \t"))]
        comment = f"{indent}# meshc: ignore[{code.id}] {_REASON}\n"
        where = Range(Position(line, 0), Position(line, 0))
        edits = ((document.key, (TextEdit(where, comment),)),)
        yield Action(title=f"keep {code.id} silent here, with a reason", edits=edits, finding=found)


def fix_all(key: str, findings: Iterable[PlacedFinding]) -> Action | None:
    """Return all safe fixes of a file as one; of those that touch each other the first alone."""
    taken: list[Range] = []
    edits: list[TextEdit] = []
    for found in findings:
        fix = next((one for one in found.fixes if one.applicability is Applicability.SAFE), None)
        if fix is None or not _is_within(fix, key):
            continue
        own = [edit for _, some in fix.edits for edit in some]
        if any(_touch(edit.range, range_) for edit in own for range_ in taken):
            continue
        taken += [edit.range for edit in own]
        edits += own
    if not edits:
        return None
    return Action(title="apply all safe fixes", edits=((key, tuple(sorted(edits, key=lambda one: one.range))),))


def _is_within(fix: PlacedFix, key: str) -> bool:
    return all(file == key for file, _ in fix.edits)


def _touch(left: Range, right: Range) -> bool:
    return left.start <= right.end and right.start <= left.end
