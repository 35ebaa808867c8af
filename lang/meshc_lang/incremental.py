"""A file that is being edited: kept as stretches of one statement each; an edit reads anew only those it touches.

A stretch has a text of its own, and the spans of its statements are places in that text, so that nothing has to be
moved when something above it changes. `file` gives the whole, the same as `parser.parse` of the text.
"""

from __future__ import annotations

import bisect
import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any, TypeVar

from meshc_lang.diagnostic import Diagnostic
from meshc_lang.parser import StretchReading, join_readings, parse, read_stretch, reads_as_program
from meshc_lang.recovery import Chunk, cut, cut_beginning
from meshc_lang.source import SourceText, Span
from meshc_lang.tree.file import SourceFile
from meshc_lang.tree.shift import shifted

__all__ = ["IncrementalSource", "Stretch"]

T = TypeVar("T")

Changed = Callable[[Sequence["Stretch"], Sequence["Stretch"]], None]

_SLICE = 1 << 15
"""How many characters are cut at a time when a text is opened: some milliseconds' work."""

_BYTE_ORDER_MARK = "\ufeff"


class Stretch:
    """One statement with the comments above it, as a text of its own; read when it is first asked about."""

    __slots__ = ("_derived", "_reading", "chunk", "lines", "source", "text")

    def __init__(self, source: SourceText, chunk: Chunk) -> None:
        self.source = source
        self.text = source.text
        self.chunk = chunk
        self.lines = source.text.count("\n")
        self._reading: StretchReading | None = None
        self._derived: dict[object, Any] = {}

    @property
    def is_read(self) -> bool:
        """Whether the text was read already."""
        return self._reading is not None

    @property
    def reading(self) -> StretchReading:
        """The statements, comments and problems of the stretch; their spans are places in its own text."""
        if self._reading is None:
            self._reading = read_stretch(self.source, self.chunk)
        return self._reading

    @property
    def file(self) -> SourceFile:
        """The stretch as if it were a file."""
        reading = self.reading
        return SourceFile(source=self.source, statements=reading.statements or (), comments=reading.comments)

    def derived(self, make: Callable[[Stretch], T]) -> T:
        """Return what a function makes of the stretch; it is asked once."""
        if make not in self._derived:
            self._derived[make] = make(self)
        made: T = self._derived[make]
        return made

    def says_as(self, other: Stretch) -> bool:
        """Tell whether another stretch has the same text and was cut for the same reasons."""
        mine, its = self.chunk, other.chunk
        return (
            self.text == other.text
            and (mine.keyword, mine.broken, mine.entries) == (its.keyword, its.broken, its.entries)
            and _places(mine.problems) == _places(its.problems)
        )


class IncrementalSource:
    """A file under edit. All offsets count characters of the whole text.

    `changed` is called with the stretches that are gone and those that are new, whenever there are others.
    """

    def __init__(self, path: str, text: str, changed: Changed = lambda _gone, _new: None) -> None:
        self._changed = changed
        self.path = path
        self.revision = 0
        self._stretches: list[Stretch] = []
        self._lengths: list[int] = []
        self._lines: list[int] = []
        self._starts: list[int] = [0]
        self._first_lines: list[int] = [0]
        self._text: str | None = text
        self._uncut = text
        self._indexes: dict[Stretch, int] | None = None
        # Stretches that nobody has looked at yet, and those at which something may be wrong; both as ordered sets.
        self._unread: dict[Stretch, None] = {}
        self._faulty: dict[Stretch, None] = {}

    def snapshot(self) -> IncrementalSource:
        """Return the file as it is now, for another thread: no edit changes it."""
        self.cut_all()
        taken = copy.copy(self)
        taken._changed = lambda _gone, _new: None
        taken._unread, taken._faulty = dict(self._unread), dict(self._faulty)
        return taken

    # ---- the text

    @property
    def text(self) -> str:
        """The whole text."""
        if self._text is None:
            self._text = "".join([stretch.text for stretch in self._stretches])
        return self._text

    @property
    def length(self) -> int:
        """How many characters the text has."""
        return self._starts[-1] if not self._uncut else len(self.text)

    @property
    def stretches(self) -> Sequence[Stretch]:
        """The stretches in order; together they are the text."""
        self.cut_all()
        return self._stretches

    def start_of(self, index: int) -> int:
        """Return where a stretch begins."""
        self.cut_all()
        return self._starts[index]

    def first_line_of(self, index: int) -> int:
        """Return the number of a stretch's first line, from 0."""
        self.cut_all()
        return self._first_lines[index]

    def index_at(self, offset: int) -> int:
        """Return the stretch that holds an offset; the last for the end of the text. There must be one."""
        self.cut_all()
        return max(0, min(bisect.bisect_right(self._starts, offset), len(self._stretches)) - 1)

    def index_at_line(self, line: int) -> int:
        """Return the stretch that holds the beginning of a line (from 0); the last for lines past the end."""
        self.cut_all()
        return max(0, min(bisect.bisect_right(self._first_lines, line), len(self._stretches)) - 1)

    def index_of(self, stretch: Stretch) -> int | None:
        """Return which of the stretches this one is; None if it is no part of the text any more."""
        self.cut_all()
        if self._indexes is None:
            self._indexes = {one: index for index, one in enumerate(self._stretches)}
        return self._indexes.get(stretch)

    # ---- edits

    def edit(self, start: int, end: int, new: str) -> None:
        """Replace the characters from `start` up to `end`; places outside the text are taken for its ends."""
        self.cut_all()
        start = max(0, min(start, self.length))
        end = max(start, min(end, self.length))
        self.revision += 1
        if not self._stretches:
            self._text = self._uncut = new
            return
        first, last = self.index_at(start), self.index_at(end)
        # Whether a statement's brace is unclosed depends on the first line of the next one.
        first = max(0, first - 1)
        last += 1
        extra = 2
        while True:
            last = min(last, len(self._stretches))
            old = self._stretches[first:last]
            base = self._starts[first]
            text = "".join([stretch.text for stretch in old])
            text = text[: start - base] + new + text[end - base :]
            source = SourceText(self.path, text)
            if last == len(self._stretches):
                chunks = cut(source)
                break
            chunks, settled = cut_beginning(source)
            if settled == len(text):
                break
            last += extra
            extra *= 2
        self._replace(first, last, self._made(source, chunks, old))
        self._text = None

    def set_text(self, text: str) -> tuple[int, int, str]:
        """Make the text another one, by the smallest single edit; return that edit."""
        old = self.text
        most = min(len(old), len(text))
        start = _common(old, text, most)
        end = _common(old[start:][::-1], text[start:][::-1], most - start)
        edit = (start, len(old) - end, text[start : len(text) - end])
        if edit[0] != edit[1] or edit[2]:
            self.edit(*edit)
        return edit

    def _made(self, source: SourceText, chunks: Sequence[Chunk], old: Sequence[Stretch]) -> list[Stretch]:
        """Return the stretches that chunks stand for, those of before where they say the same."""
        known: dict[str, list[Stretch]] = {}
        for stretch in old:
            known.setdefault(stretch.text, []).append(stretch)
        made: list[Stretch] = []
        for chunk in chunks:
            stretch = _stretch_of(source, chunk)
            same = next((one for one in known.get(stretch.text, ()) if one.says_as(stretch)), None)
            if same is not None:
                known[stretch.text].remove(same)
            made.append(same or stretch)
        return made

    def _replace(self, first: int, last: int, new: list[Stretch]) -> None:
        kept = set(new).intersection(self._stretches[first:last])
        gone = [stretch for stretch in self._stretches[first:last] if stretch not in kept]
        fresh = [stretch for stretch in new if stretch not in kept]
        for stretch in gone:
            self._unread.pop(stretch, None)
            self._faulty.pop(stretch, None)
        self._unread.update(dict.fromkeys(fresh))
        # Lists are made anew, and never changed: snapshots have the old ones.
        self._stretches = [*self._stretches[:first], *new, *self._stretches[last:]]
        lengths, lines = [len(stretch.text) for stretch in new], [stretch.lines for stretch in new]
        self._lengths = [*self._lengths[:first], *lengths, *self._lengths[last:]]
        self._lines = [*self._lines[:first], *lines, *self._lines[last:]]
        self._starts = list(accumulate(self._lengths, initial=0))
        self._first_lines = list(accumulate(self._lines, initial=0))
        self._indexes = None
        self._changed(gone, fresh)

    # ---- work that can be done in small parts

    def advance(self, seconds: float, read: Callable[[Stretch], object] = lambda _: None) -> bool:
        """Cut and read for about so long what was not read yet; tell whether all is done.

        `read` is called with each stretch that was read now.
        """
        until = time.monotonic() + seconds
        while self._uncut:
            self._cut_some()
            if time.monotonic() > until:
                return False
        while self._unread:
            stretch = next(iter(self._unread))
            del self._unread[stretch]
            if stretch.reading.problems or stretch.text.startswith(_BYTE_ORDER_MARK):
                self._faulty[stretch] = None
            read(stretch)
            if time.monotonic() > until:
                return False
        return True

    def cut_all(self) -> None:
        """Cut what was not cut yet."""
        while self._uncut:
            self._cut_some()

    @property
    def is_read(self) -> bool:
        """Whether all of the text was read."""
        return not self._uncut and not self._unread

    def _cut_some(self) -> None:
        size = _SLICE
        while True:
            source = SourceText(self.path, self._uncut[: self._uncut.find("\n", size) + 1] or self._uncut)
            if len(source.text) == len(self._uncut):
                chunks, settled = cut(source), len(self._uncut)
            else:
                chunks, settled = cut_beginning(source)
            if settled:
                break
            size *= 2
        count = len(self._stretches)
        self._replace(count, count, self._made(source, chunks, ()))
        self._uncut = self._uncut[settled:]

    # ---- the whole

    def file(self) -> tuple[SourceFile, tuple[Diagnostic, ...]]:
        """Return what `parser.parse` returns for the text."""
        source = SourceText(self.path, self.text)
        fault = self._fault()
        if self._is_odd(fault):
            return parse(source)
        readings = (shifted(stretch.reading, source, start) for start, stretch in self._placed())
        return join_readings(source, readings, whole=fault is None)

    def problems(self) -> Iterator[tuple[int, Diagnostic]]:
        """Return what is wrong with the text: each problem with the offset from which its places count."""
        if self._is_odd(self._fault()):
            for problem in parse(SourceText(self.path, self.text))[1]:
                yield 0, problem
            return
        for index in self._faults():
            for problem in self._stretches[index].reading.problems:
                yield self._starts[index], problem

    def _placed(self) -> Iterator[tuple[int, Stretch]]:
        self.cut_all()
        return zip(self._starts, self._stretches, strict=False)

    def _faults(self) -> list[int]:
        """Return the stretches at which something may be wrong, in order."""
        self.advance(math.inf)
        return sorted(index for one in self._faulty if (index := self.index_of(one)) is not None)

    def _is_odd(self, fault: int | None) -> bool:
        """Tell whether a text fails at a stretch that reads well by itself: a byte order mark begins files only."""
        return bool(fault) and self._stretches[fault or 0].text.startswith(_BYTE_ORDER_MARK)

    def _fault(self) -> int | None:
        """Return the first stretch at which reading the text as a whole fails.

        A stretch that cannot be read by itself is where the whole fails, but for odd texts (a statement that goes on
        where no cut sees it): then all that follows becomes one stretch.
        """
        for index in self._faults():
            if self._is_odd(index):
                return index
            stretch = self._stretches[index]
            if stretch.reading.statements is None:
                rest = "".join([one.text for one in self._stretches[index:]])
                if not reads_as_program(rest):
                    return index
                whole = Chunk(0, len(rest), stretch.chunk.keyword, False, ())
                self._replace(index, len(self._stretches), [_stretch_of(SourceText(self.path, rest), whole)])
                self.advance(math.inf)
                return None
        return None


def _stretch_of(source: SourceText, chunk: Chunk) -> Stretch:
    own = SourceText(source.path, source.text[chunk.start : chunk.end])
    start = chunk.start
    entries = tuple([(begin - start, end - start) for begin, end in chunk.entries])
    problems = shifted(chunk.problems, own, -start) if chunk.problems else ()
    return Stretch(own, Chunk(0, chunk.end - start, chunk.keyword, chunk.broken, entries, problems))


def _places(problems: Sequence[Diagnostic]) -> list[tuple[str, str, list[tuple[int, int, str]]]]:
    """Return diagnostics so that they can be compared: spans of two texts are never equal."""

    def place(span: Span, text: str) -> tuple[int, int, str]:
        return span.start, span.end, text

    return [
        (one.code.id, one.message, [place(one.primary, ""), *(place(label.span, label.text) for label in one.related)])
        for one in problems
    ]


def _common(left: str, right: str, most: int) -> int:
    """Return how many characters two texts have in common at their beginning, at most so many."""
    if left[:most] == right[:most]:
        return most
    low, high = 0, most
    while low + 1 < high:
        middle = (low + high) // 2
        if left[:middle] == right[:middle]:
            low = middle
        else:
            high = middle
    return low
