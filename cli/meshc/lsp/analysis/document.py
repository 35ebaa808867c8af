"""A file as the editor has it, or as it lies on disk: its statements, and ways between offsets and positions."""

from __future__ import annotations

import copy
import re

from meshc.lsp.analysis.name_index import NameIndex
from meshc.lsp.analysis.place import Encoding, Place, Position, Range
from meshc_lang.incremental import IncrementalSource, Stretch
from meshc_lang.record import dataclass
from meshc_lang.source import Span
from meshc_lang.tree.node import Node
from meshc_lang.tree.walk import find_at

_WORD = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the text and where it begins."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset behind its last character."""
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A place in a document: `nodes` are those around it, the statement first; none where it cannot be read.

    Spans of nodes count from `base`, the beginning of the stretch that holds the place.
    """

    document: Document
    offset: int
    stretch: Stretch
    base: int
    nodes: tuple[Node, ...]

    def range(self, span: Span) -> Range:
        """Return where a node of the stretch stands."""
        return self.document.range(self.base + span.start, self.base + span.end)


class Document:
    """One file. `key` is its path, or the name the editor gave to a text that is not saved yet.

    `version` is the editor's, None for a file that is not open in it.
    """

    def __init__(self, key: str, text: str, encoding: Encoding = Encoding.UTF16, version: int | None = None) -> None:
        self.key = key
        self.version = version
        self.encoding = encoding
        self._names = NameIndex()
        self.source = IncrementalSource(key, text, self._names.change)
        self._edits: list[tuple[int, int, int, int]] = []

    @property
    def names(self) -> NameIndex:
        """Which statements speak of a name."""
        self.source.cut_all()
        return self._names

    @property
    def revision(self) -> int:
        """How often the text was changed since it was opened."""
        return self.source.revision

    def snapshot(self) -> Document:
        """Return the document as it is now, for another thread; its names are not to be asked for."""
        taken = copy.copy(self)
        taken.source = self.source.snapshot()
        return taken

    def advance(self, seconds: float) -> bool:
        """Read for about so long what was not read yet, and note its names; tell whether all is done."""
        return self.source.advance(seconds, self._names.note)

    # ---- changes

    def change(self, range_: Range | None, text: str) -> None:
        """Replace a stretch of the text; all of it if there is no range."""
        if range_ is None:
            start, end, new = self.source.set_text(text)
        else:
            start, end, new = self.offset(range_.start), self.offset(range_.end), text
            start, end = min(start, end), max(start, end)
            self.source.edit(start, end, new)
        self._edits.append((self.revision, start, end, len(new)))

    def forget_edits(self, revision: int) -> None:
        """Forget the edits up to a revision: nobody has offsets of an earlier text any more."""
        self._edits = [edit for edit in self._edits if edit[0] > revision]

    def moved(self, start: int, end: int, revision: int) -> tuple[int, int] | None:
        """Return where a stretch of an earlier text stands now; None if it was changed since."""
        for at, first, last, length in self._edits:
            if at <= revision:
                continue
            by = length - (last - first)
            if last <= start and (first, last) != (start, end):
                start, end = start + by, end + by
            elif first < end or (first == start and start == end):
                return None
        return start, end

    def followed(self, offset: int, revision: int) -> int:
        """Return where a place of an earlier text is now; the nearest that is left if it was cut out."""
        for at, first, last, length in self._edits:
            if at > revision and offset > first:
                offset = offset + length - (last - first) if offset >= last else first
        return offset

    # ---- places

    def position(self, offset: int) -> Position:
        """Return the position of an offset."""
        source = self.source
        if not source.stretches:
            return Position(0, 0)
        index = source.index_at(offset)
        inside = source.stretches[index].source
        relative = min(max(0, offset - source.start_of(index)), len(inside.text))
        found = inside.position(relative)
        start = inside.line_starts[found.line - 1]
        column = self.encoding.width(inside.text[start:relative])
        return Position(source.first_line_of(index) + found.line - 1, column)

    def offset(self, position: Position) -> int:
        """Return the offset of a position; of one that is not in the text, that of the nearest place before it."""
        source = self.source
        if not source.stretches or position.line < 0:
            return 0
        index = source.index_at_line(position.line)
        inside = source.stretches[index].source
        line = position.line - source.first_line_of(index) + 1
        if line > len(inside.line_starts):
            return source.length
        start = source.start_of(index) + inside.line_starts[line - 1]
        return start + self.encoding.character_at(inside.line(line), position.character)

    def range(self, start: int, end: int) -> Range:
        """Return the range between two offsets."""
        return Range(self.position(start), self.position(end))

    def place(self, start: int, end: int) -> Place:
        """Return the place between two offsets."""
        return Place(self.key, self.range(start, end))

    # ---- what stands there

    def cursor(self, position: Position) -> Cursor | None:
        """Return what stands at a position; None in an empty text."""
        return self.cursor_at(self.offset(position))

    def cursor_at(self, offset: int) -> Cursor | None:
        """Return what stands at an offset."""
        source = self.source
        if not source.stretches:
            return None
        index = source.index_at(offset)
        stretch, base = source.stretches[index], source.start_of(index)
        nodes = find_at(stretch.file, offset - base)
        return Cursor(document=self, offset=offset, stretch=stretch, base=base, nodes=nodes)

    def word_at(self, offset: int) -> Word | None:
        """Return the word at an offset, or that ends there."""
        if not self.source.stretches:
            return None
        index = self.source.index_at(offset)
        base = self.source.start_of(index)
        text = self.source.stretches[index].text
        line_start = text.rfind("\n", 0, offset - base) + 1
        line_end = text.find("\n", offset - base)
        for found in _WORD.finditer(text, line_start, len(text) if line_end == -1 else line_end):
            if found.start() <= offset - base <= found.end():
                return Word(found[0], base + found.start())
        return None

    def line_before(self, offset: int) -> str:
        """Return what stands on the line before an offset."""
        position = self.position(offset)
        start = self.offset(Position(position.line, 0))
        return self.text_between(start, offset)

    def text_between(self, start: int, end: int) -> str:
        """Return a stretch of the text."""
        source = self.source
        if not source.stretches or end <= start:
            return ""
        index = source.index_at(start)
        base = source.start_of(index)
        parts = []
        while base < end and index < len(source.stretches):
            text = source.stretches[index].text
            parts.append(text[max(0, start - base) : end - base])
            base += len(text)
            index += 1
        return "".join(parts)
