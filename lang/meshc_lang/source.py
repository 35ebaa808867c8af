"""Source texts, and places in them."""

from __future__ import annotations

import bisect
from functools import cached_property

from meshc_lang.record import dataclass, field


@dataclass(frozen=True)
class Position:
    """A place in a text as people and editors count: line and column, both from 1, columns in characters."""

    line: int
    column: int


@dataclass(frozen=True, eq=False)
class SourceText:
    """One file's text and the path by which diagnostics name it (relative to the working directory)."""

    path: str
    text: str

    @cached_property
    def line_starts(self) -> tuple[int, ...]:
        """The offset at which each line begins; line 1 is at index 0."""
        starts = [0]
        find = self.text.find
        at = find("\n")
        while at != -1:
            starts.append(at + 1)
            at = find("\n", at + 1)
        return tuple(starts)

    def position(self, offset: int) -> Position:
        """Return the position of a character offset; the offset just past the end is allowed."""
        line = bisect.bisect_right(self.line_starts, offset)
        return Position(line, offset - self.line_starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """Return the text of line `number` (from 1) without its line break; empty past the end."""
        if not 1 <= number <= len(self.line_starts):
            return ""
        start = self.line_starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : None if end == -1 else end].rstrip("\r")

    def span(self, start: int, end: int) -> Span:
        """Return the span from offset `start` up to, not including, `end`."""
        return Span(self, start, end)

    def __repr__(self) -> str:
        return f"SourceText({self.path!r}, {len(self.text)} characters)"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a source text, by character offsets; it carries its text, so that it renders anywhere."""

    source: SourceText = field(repr=False)
    start: int
    end: int

    @property
    def text(self) -> str:
        """The characters the span covers."""
        return self.source.text[self.start : self.end]

    @property
    def first(self) -> Position:
        """Where the span begins."""
        return self.source.position(self.start)

    @property
    def last(self) -> Position:
        """The position just past the span's last character."""
        return self.source.position(self.end)

    def to(self, other: Span) -> Span:
        """Return the span from the start of this one to the end of `other`, in the same text."""
        return Span(self.source, min(self.start, other.start), max(self.end, other.end))

    @property
    def sort_key(self) -> tuple[str, int, int]:
        """Orders spans by file, then place: the order in which findings are reported."""
        return (self.source.path, self.start, self.end)

    def __str__(self) -> str:
        at = self.first
        return f"{self.source.path}:{at.line}:{at.column}"
