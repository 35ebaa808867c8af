"""Source texts, and places in them."""

from __future__ import annotations

import bisect
from dataclasses import replace
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
        return self.at(min(self.start, other.start), max(self.end, other.end))

    def at(self, start: int, end: int) -> Span:
        """Return another stretch of the same text, of the same provenance."""
        return Span(self.source, start, end)

    @property
    def overlay(self) -> str:
        """The overlay in which it stands; empty in the program itself."""
        return ""

    @property
    def notes(self) -> tuple[str, ...]:
        """How what stands here came into the program, where that is not plain from the place alone."""
        return ()

    @property
    def sort_key(self) -> tuple[str, int, int]:
        """Orders spans by file, then place: the order in which findings are reported."""
        return (self.source.path, self.start, self.end)

    def __str__(self) -> str:
        at = self.first
        return f"{self.source.path}:{at.line}:{at.column}"


@dataclass(frozen=True, slots=True)
class UseSite:
    """A `use` that wrote out a template: the template's name, and where the `use` stands."""

    template: str
    span: Span


@dataclass(frozen=True, slots=True)
class Waypoint:
    """A further place that explains a span, and the half-sentence that says how."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class ExpandedSpan(Span):
    """A span of something that a `let`, a `use` or an overlay brought where it stands. Equal to others by place alone.

    `uses` are the expansions that it went through, the innermost first. `waypoints` lead to where a value was written,
    or where a template's parameter stands. `written` is the text of which the value under this span is made, if that
    is elsewhere: a mistake in the value is mended there. `within` is the overlay, and `remarks` are further notes.
    """

    uses: tuple[UseSite, ...] = field(default=(), compare=False)
    waypoints: tuple[Waypoint, ...] = field(default=(), compare=False)
    written: Span | None = field(default=None, compare=False)
    within: str = field(default="", compare=False)
    remarks: tuple[str, ...] = field(default=(), compare=False)

    def at(self, start: int, end: int) -> Span:
        """Return another stretch of the same text, of the same provenance."""
        return replace(self, start=start, end=end)

    @property
    def overlay(self) -> str:
        """The overlay in which it stands; empty in the program itself."""
        return self.within

    @property
    def notes(self) -> tuple[str, ...]:
        """The `use` statements that it came through, the names of values, the overlay."""
        notes = [f"use {site.span}" for site in self.uses]
        notes += self.remarks
        if self.within:
            notes.append(f"overlay {self.within}")
        return tuple(dict.fromkeys(notes))


def expanded(span: Span) -> ExpandedSpan:
    """Return a span as one that can bear provenance; one that does already is returned as it is."""
    return span if isinstance(span, ExpandedSpan) else ExpandedSpan(span.source, span.start, span.end)
