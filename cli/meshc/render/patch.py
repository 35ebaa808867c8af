"""A fix as the lines it changes: what stands there now, and what would stand there."""

from __future__ import annotations

from collections.abc import Iterator

from meshc.render.excerpt import window
from meshc.render.terminal import Ink, Terminal
from meshc_lang.diagnostic import Edit
from meshc_lang.record import dataclass
from meshc_lang.source import SourceText

_MOST_LINES = 6


def patch_lines(
    edits: tuple[Edit, ...], terminal: Terminal, most: int | None = _MOST_LINES, *, both: bool = True
) -> Iterator[str]:
    """Yield the changed lines with their numbers: `41 - old`, `41 + new`; at most `most`, and a count of the rest.

    Without `both`, lines that are replaced are left out, and what replaces them is shown alone.
    """
    if most == 0:
        return
    by_source: dict[str, tuple[SourceText, list[Edit]]] = {}
    for edit in edits:
        by_source.setdefault(edit.span.source.path, (edit.span.source, []))[1].append(edit)
    lines: list[tuple[str, Ink]] = []
    changes = {path: list(_changes(source, own, both)) for path, (source, own) in by_source.items()}
    width = max((len(str(change.number)) for own in changes.values() for change in own), default=1)
    for path, own in changes.items():
        if len(changes) > 1:
            lines.append((terminal.safe(path), Ink.FAINT))
        for change in own:
            text = window(change.line, change.focus, width + 2, terminal)
            lines.append((f"{change.number:>{width}} {change.sign} {text}", change.ink))
    # A count of one line would be as long as that line.
    shown = len(lines) if most is None or len(lines) <= most + 1 else most
    for text, ink in lines[:shown]:
        yield terminal.paint(text, ink)
    if len(lines) > shown:
        yield terminal.paint(f"and {len(lines) - shown} lines more", Ink.FAINT)


@dataclass(frozen=True, slots=True)
class _Change:
    """A line that goes (`-`) or comes (`+`), and the character of it that matters."""

    number: int
    sign: str
    line: str
    focus: int

    @property
    def ink(self) -> Ink:
        """The colour of the line."""
        return Ink.ADDED if self.sign == "+" else Ink.REMOVED


def _changes(source: SourceText, edits: list[Edit], both: bool) -> Iterator[_Change]:
    for first, last, group in _by_lines(source, edits):
        start = source.line_starts[first - 1]
        end = source.line_starts[last - 1] + len(source.line(last))
        new = source.text[start:end]
        for edit in sorted(group, key=lambda edit: edit.span.start, reverse=True):
            new = new[: edit.span.start - start] + edit.text + new[edit.span.end - start :]
        old_lines, new_lines = _lines(source.text[start:end]), _lines(new)
        while old_lines and new_lines and old_lines[0] == new_lines[0]:
            del old_lines[0], new_lines[0]
            first += 1
        while old_lines and new_lines and old_lines[-1] == new_lines[-1]:
            del old_lines[-1], new_lines[-1]
        focus = _first_difference(old_lines[0], new_lines[0]) if old_lines and new_lines else 0
        for offset, line in enumerate(old_lines if both or len(new_lines) < len(old_lines) else ()):
            yield _Change(first + offset, "-", line, focus)
        for offset, line in enumerate(new_lines):
            yield _Change(first + offset, "+", line, focus)


def _lines(text: str) -> list[str]:
    """Return the lines of a text, counted as everywhere; the empty one behind the last line break is none."""
    lines = [line.rstrip("\r") for line in text.split("\n")]
    return lines[:-1] if not lines[-1] else lines


def _first_difference(one: str, other: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _by_lines(source: SourceText, edits: list[Edit]) -> Iterator[tuple[int, int, list[Edit]]]:
    """Yield runs of edits that share lines, with their first and last line."""
    run: list[Edit] = []
    first = last = 0
    for edit in sorted(edits, key=lambda edit: edit.span.start):
        begin = source.position(edit.span.start).line
        end = source.position(edit.span.end).line
        if run and begin > last:
            yield first, last, run
            run = []
        if not run:
            first, last = begin, end
        run.append(edit)
        last = max(last, end)
    if run:
        yield first, last, run
