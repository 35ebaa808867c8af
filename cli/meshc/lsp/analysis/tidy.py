"""A document in canonical form, as the smallest edit that makes it so."""

from __future__ import annotations

from meshc.lsp.analysis.document import Document
from meshc.lsp.analysis.place import TextEdit
from meshc_lang.diagnostic import has_errors
from meshc_lang.format import format_file
from meshc_lang.parser import parse
from meshc_lang.source import SourceText


def formatted(document: Document) -> TextEdit | None:
    """Return the edit that makes a document canonical; None where it is, or has an error that would get lost."""
    file, problems = document.source.file()
    if has_errors(problems):
        return None
    before, after = file.source.text, format_file(file)
    again, faults = parse(SourceText(document.key, after))
    if faults or again.statements != file.statements:
        raise AssertionError("the canonical form would say something else")
    if before == after:
        return None
    start, end = _same(before, after), len(before)
    kept = _same(before[start:][::-1], after[start:][::-1])
    return TextEdit(document.range(start, end - kept), after[start : len(after) - kept])


def _same(left: str, right: str) -> int:
    """Return how many whole lines' worth of characters two texts have in common at their beginning."""
    count = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        count += 1
    return count
