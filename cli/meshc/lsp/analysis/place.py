"""Places as editors count them: lines and columns from 0, columns in the units that editor and server agreed upon."""

from __future__ import annotations

from enum import StrEnum

from meshc_lang.record import dataclass


class Encoding(StrEnum):
    """The unit in which columns are counted (LSP 3.17, `PositionEncodingKind`)."""

    UTF8 = "utf-8"
    UTF16 = "utf-16"
    UTF32 = "utf-32"

    def width(self, text: str) -> int:
        """Return how many units a text has."""
        if self is Encoding.UTF32 or text.isascii():
            return len(text)
        if self is Encoding.UTF16:
            return len(text) + sum(character > "\uffff" for character in text)
        return len(text.encode("utf-8", "surrogatepass"))

    def character_at(self, line: str, units: int) -> int:
        """Return the character of a line that begins at or holds the given unit; the line's end if it is shorter."""
        if self is Encoding.UTF32 or line.isascii():
            return min(max(0, units), len(line))
        at = 0
        for index, character in enumerate(line):
            at += self.width(character)
            if at > units:
                return index
        return len(line)


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A line and a column."""

    line: int
    character: int


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """A stretch from one position up to, not including, another."""

    start: Position
    end: Position


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A stretch of a file; `key` names the file as `Document.key` does."""

    key: str
    range: Range


@dataclass(frozen=True, slots=True)
class TextEdit:
    """A replacement of a stretch of a file."""

    range: Range
    text: str
