"""Stretches that an editor may fold, and those that it selects one after the other around a place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

from meshc.lsp.analysis.document import Document
from meshc.lsp.analysis.place import Position, Range
from meshc_lang.incremental import Stretch
from meshc_lang.record import dataclass
from meshc_lang.tree.declaration import ImportDecl

_TOKEN = re.compile(r'"(?:[^"\\\r\n]|\\[^\r\n])*"|#[^\r\n]*|[{\[(}\])]|\n')
_CLOSING = {"}": "{", "]": "[", ")": "("}


class FoldKind(StrEnum):
    """What is folded; the words are those of LSP's `FoldingRangeKind`."""

    REGION = "region"
    COMMENT = "comment"
    IMPORTS = "imports"


@dataclass(frozen=True, slots=True)
class Fold:
    """Lines that can be folded into the first of them."""

    first: int
    last: int
    kind: FoldKind


def folds(document: Document) -> tuple[Fold, ...]:
    """Return what may be folded: blocks and lists over several lines, runs of comments, runs of imports."""
    found: list[Fold] = []
    imports: list[int] = []
    for index, stretch in enumerate(document.source.stretches):
        first = document.source.first_line_of(index)
        found += [Fold(first + start, first + end, kind) for start, end, kind in stretch.derived(_folds)]
        statements = stretch.reading.statements or ()
        for statement in statements:
            line = first + statement.span.first.line - 1
            if isinstance(statement, ImportDecl):
                imports.append(line)
                continue
            found += _run(imports)
            imports = []
    found += _run(imports)
    return tuple(sorted(set(found), key=lambda fold: (fold.first, fold.last)))


def _run(imports: list[int]) -> Iterator[Fold]:
    if len(imports) > 1:
        yield Fold(imports[0], imports[-1], FoldKind.IMPORTS)


def _folds(stretch: Stretch) -> tuple[tuple[int, int, FoldKind], ...]:
    """Return the folds of a stretch, by lines of its own."""
    found: list[tuple[int, int, FoldKind]] = []
    stack: list[tuple[str, int]] = []
    line = 0
    comment: int | None = None
    for token in _TOKEN.finditer(stretch.text):
        mark = token[0]
        if mark == "\n":
            text = stretch.source.line(line + 1).strip()
            if text.startswith("#"):
                comment = line if comment is None else comment
            else:
                found += _comments(comment, line - 1)
                comment = None
            line += 1
        elif mark in "{[(":
            stack.append((mark, line))
        elif mark in _CLOSING and stack and stack[-1][0] == _CLOSING[mark]:
            _, start = stack.pop()
            if line > start:
                # The line of the closing bracket stays to be seen.
                found.append((start, line - 1, FoldKind.REGION))
    found += _comments(comment, line - 1)
    return tuple(found)


def _comments(first: int | None, last: int) -> Iterator[tuple[int, int, FoldKind]]:
    if first is not None and last > first:
        yield first, last, FoldKind.COMMENT


def selections(document: Document, position: Position) -> tuple[Range, ...]:
    """Return the stretches around a place, the narrowest first, each within the next."""
    offset = document.offset(position)
    spans: list[tuple[int, int]] = [(0, document.source.length)]
    cursor = document.cursor_at(offset)
    if cursor is not None:
        start, end = cursor.base, cursor.base + len(cursor.stretch.text)
        spans.append((start, end))
        spans += [(cursor.base + node.span.start, cursor.base + node.span.end) for node in cursor.nodes]
        word = document.word_at(offset)
        if word is not None:
            spans.append((word.start, word.end))
    nested: list[tuple[int, int]] = []
    for first, last in spans:
        outer = nested[-1] if nested else (first, last)
        if outer[0] <= first <= last <= outer[1] and (not nested or (first, last) != outer):
            nested.append((first, last))
    return tuple(document.range(first, last) for first, last in reversed(nested))
