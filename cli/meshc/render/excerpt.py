"""Lines of a source text with marks under them: what a finding points at, and the half-sentences beside it."""

from __future__ import annotations

from collections.abc import Iterator

from meshc.render.terminal import TAB, Ink, Terminal, cell_count
from meshc_lang.record import dataclass
from meshc_lang.source import SourceText, Span

_WIDEST_LINE = 160
"""How much of a line is shown where nobody counts columns."""
_MOST_CHARACTERS = 2_000
"""Of a longer line a stretch of about that length is looked at."""
_MOST_LINES_MARKED = 4
"""A longer span is shown by its first and last line."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of a source text to underline, with a label beside it (or none)."""

    span: Span
    label: str
    ink: Ink
    primary: bool

    @property
    def sign(self) -> str:
        """What the stretch is underlined with."""
        return "^" if self.primary else "-"


@dataclass(frozen=True, slots=True)
class _LineMark:
    """The part of a mark that lies on one line, by characters."""

    start: int
    end: int
    label: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class _Placed:
    """The part of a mark on one line, by columns of the terminal."""

    start: int
    end: int
    label: str
    mark: Mark


def excerpt(source: SourceText, marks: tuple[Mark, ...], gutter: int, terminal: Terminal) -> Iterator[str]:
    """Yield the marked lines of one source, in order; `gutter` is the width of the line numbers."""
    by_line: dict[int, list[_LineMark]] = {}
    for mark in marks:
        for number, part in _split(source, mark):
            by_line.setdefault(number, []).append(part)
    before: int | None = None
    for number in sorted(by_line):
        if before is not None and number == before + 2:
            yield _source_line(number - 1, _show(source.line(number - 1), 0, gutter, terminal)[0], gutter, terminal)
        elif before is not None and number > before + 1:
            yield terminal.paint("...", Ink.FRAME)
        yield from _marked_line(source, number, by_line[number], gutter, terminal)
        before = number


def line_number_width(spans: tuple[Span, ...]) -> int:
    """Return the width of the gutter that holds the numbers of all lines these spans touch."""
    return max((len(str(span.last.line)) for span in spans), default=1)


def _split(source: SourceText, mark: Mark) -> Iterator[tuple[int, _LineMark]]:
    first, last = mark.span.first, mark.span.last
    if last.line > first.line and last.column == 1:  # the span ends with a line break: that line is not meant
        last = source.position(max(mark.span.end - 1, mark.span.start))
    if first.line == last.line:
        end = min(last.column - 1, len(source.line(first.line)))  # a carriage return is no part of its line
        yield first.line, _LineMark(first.column - 1, max(end, first.column), mark.label, mark)
        return
    numbers = range(first.line, last.line + 1)
    for number in numbers if len(numbers) <= _MOST_LINES_MARKED else (first.line, last.line):
        text = source.line(number)
        start = first.column - 1 if number == first.line else len(text) - len(text.lstrip())
        end = min(last.column - 1, len(text)) if number == last.line else len(text.rstrip())
        if end > start:
            yield number, _LineMark(start, end, mark.label if number == first.line else "", mark)


def _marked_line(
    source: SourceText, number: int, parts: list[_LineMark], gutter: int, terminal: Terminal
) -> Iterator[str]:
    line, offset = source.line(number), 0
    # The primary place is the one that has to be seen.
    focus = min(part.start for part in parts if part.mark.primary is any(other.mark.primary for other in parts))
    if len(line) > _MOST_CHARACTERS:
        offset = max(focus - _MOST_CHARACTERS // 2, 0)
        line = line[offset : offset + _MOST_CHARACTERS]
        parts = [_moved(part, offset, len(line)) for part in parts]
    shown, columns = _show(line, focus - offset, gutter, terminal)
    yield _source_line(number, shown, gutter, terminal)
    placed: list[_Placed] = []
    for part in parts:
        start = columns[min(part.start, len(columns) - 1)]
        end = columns[part.end] if part.end < len(columns) else columns[-1] + (part.end - len(columns) + 1)
        placed.append(_Placed(start, max(end, start + 1), part.label, part.mark))
    margin = terminal.paint(" " * gutter + " |", Ink.FRAME)
    for row in _mark_rows(placed, terminal):
        yield f"{margin} {row}".rstrip()


def _moved(part: _LineMark, offset: int, length: int) -> _LineMark:
    """Return a mark on a stretch of its line; one that lies outside of it stands at its edge."""
    start = min(max(part.start - offset, 0), length)
    return _LineMark(start, min(max(part.end - offset, start + 1), length + 1), part.label, part.mark)


def _source_line(number: int, shown: str, gutter: int, terminal: Terminal) -> str:
    return f"{terminal.paint(f'{number:>{gutter}} |', Ink.FRAME)} {shown}".rstrip()


def window(line: str, focus: int, gutter: int, terminal: Terminal) -> str:
    """Return a line as it is shown, cut to the width around a character of it."""
    offset = max(focus - _MOST_CHARACTERS // 2, 0) if len(line) > _MOST_CHARACTERS else 0
    return _show(line[offset : offset + _MOST_CHARACTERS], focus - offset, gutter, terminal)[0]


def _show(line: str, focus: int, gutter: int, terminal: Terminal) -> tuple[str, list[int]]:
    """Return a line as it is shown, cut to the width around `focus`, and the column of each character (and the end)."""
    shown: list[str] = []
    columns: list[int] = []
    at = 0
    for character in line:
        columns.append(at)
        text = " " * (TAB - at % TAB) if character == "\t" else terminal.glyph(character)
        shown.append(text)
        at += cell_count(text)
    columns.append(at)
    room = max((terminal.width or _WIDEST_LINE) - gutter - 3, 20)
    if at <= room:
        return "".join(shown), columns
    dots = "…" if terminal.unicode else "..."
    begin = 0 if columns[min(focus, len(line))] < room // 2 else columns[focus] - room // 3
    left = next(index for index, column in enumerate(columns) if column >= begin)
    while 0 < left < len(line) and columns[left + 1] == columns[left]:  # a mark stays with its letter
        left -= 1
    right = left
    while right < len(line) and columns[right + 1] - columns[left] <= room - 2 * len(dots):
        right += 1
    head = dots if left else ""
    tail = dots if right < len(line) else ""
    shift = columns[left] - len(head)
    limit = columns[right] - shift
    return head + "".join(shown[left:right]) + tail, [min(max(column - shift, 0), limit) for column in columns]


def _mark_rows(placed: list[_Placed], terminal: Terminal) -> Iterator[str]:
    """Yield the underlining, with the rightmost label beside it and the others hanging below."""
    signs: dict[int, tuple[str, Ink]] = {}
    for one in sorted(placed, key=lambda one: one.mark.primary):
        for column in range(one.start, one.end):
            signs[column] = (one.mark.sign, one.mark.ink)
    row = _painted(signs, terminal)
    labelled = sorted((one for one in placed if one.label), key=lambda one: (one.start, one.end))
    if not labelled:
        yield row
        return
    last = labelled[-1]
    beside = last.end == max(signs) + 1 and all(other.start < last.start for other in labelled[:-1])
    if beside:
        row += " " + terminal.paint(terminal.safe(last.label), last.mark.ink)
        labelled.pop()
    yield row
    while labelled:
        one = labelled.pop()
        stems = {other.start: ("|", other.mark.ink) for other in labelled if other.start < one.start}
        yield _painted({**stems, one.start: ("|", one.mark.ink)}, terminal)
        stem = _painted(stems, terminal)
        used = max(stems) + 1 if stems else 0
        yield stem + " " * (one.start - used) + terminal.paint(terminal.safe(one.label), one.mark.ink)


def _painted(signs: dict[int, tuple[str, Ink]], terminal: Terminal) -> str:
    out: list[str] = []
    at = 0
    run, ink = "", Ink.FRAME
    for column in sorted(signs):
        sign, own = signs[column]
        if column > at or own is not ink:
            out.append(terminal.paint(run, ink))
            out.append(" " * (column - at))
            run = ""
        run, ink, at = run + sign, own, column + 1
    out.append(terminal.paint(run, ink))
    return "".join(out)
