"""`--watch`: a verb run again whenever a file of its program changes.

Files are asked for their state a few times a second. Unlike notices of the operating system this sees files through
links, on network and container mounts, in directories that are taken away and come back, and after an editor has put a
new file in the place of the old one. It costs a few microseconds a file, and never more than a twentieth of one core.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NoReturn, TextIO

import click

from meshc.render.count import counted
from meshc.render.terminal import Ink, Terminal, terminal_of
from meshc_compiler.source_reader import DiskReader, Refusal

if TYPE_CHECKING:
    from meshc.reporting import Reporting
    from meshc_compiler.pipeline import CompileResult
    from meshc_compiler.source_reader import SourceReader

SUFFIX = ".mesh"
_READ = (SUFFIX, ".yaml", ".yml", ".json", ".proto")
PERIOD = 0.25
"""Seconds between two looks."""
SETTLING = 0.05
"""Seconds for which files must be at rest: whoever saves several is done then."""
_MOST_SETTLING = 20
_SHARE = 20
_CLEAR = "\x1b[2J\x1b[3J\x1b[H"

State = Mapping[str, tuple[int, ...] | None]
"""What tells a file's versions apart, by its path; None for one that is not there or cannot be reached."""


def watch_program(
    program: tuple[str, ...],
    compiled: Callable[[SourceReader], CompileResult],
    tell: Callable[[CompileResult], object],
    reporting: Reporting,
) -> NoReturn:
    """Compile a program and tell what came of it, again after each change. What goes on is told beside JSON."""
    begun = False

    def run() -> Iterable[str]:
        nonlocal begun
        reader = _RecordingReader()
        try:
            tell(compiled(reader))
        except click.UsageError as error:  # an overlay that was asked for may go and come back
            if not begun:
                raise
            click.echo(f"meshc: {error.format_message()}", err=True)
        begun = True
        return reader.paths

    text = reporting.form == "text"
    watch(program, run, sys.stdout if text else sys.stderr, clear=text)


class _RecordingReader(DiskReader):
    """The file system, with the paths that were asked for: imports lead to files that the program does not name."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: dict[str, None] = {}

    def read(self, path: str, limit: int) -> bytes | Refusal:
        """Note the file, be it readable or not."""
        self.paths[path] = None
        return super().read(path, limit)

    def exists(self, path: str) -> bool:
        """Note what is not there: it may come."""
        found = super().exists(path)
        if not found:
            self.paths[path] = None
        return found

    def list_directory(self, path: str) -> tuple[str, ...] | Refusal:
        """Note the directory: something may be added to it."""
        self.paths[path.rstrip("/") + "/"] = None
        return super().list_directory(path)


def watch(paths: tuple[str, ...], run: Callable[[], Iterable[str]], told_on: TextIO, *, clear: bool) -> NoReturn:
    """Run, and run again after each change, until Ctrl-C.

    Args:
        paths: The program: directories, of which every `.mesh` file counts, and files.
        run: The verb. It returns the files that it read, which may lie elsewhere, and does not raise for what is wrong
            with them.
        told_on: Where it is told what changed.
        clear: Whether the screen is cleared before each run; nothing is cleared but a terminal.
    """
    terminal = terminal_of(told_on)
    clear = clear and told_on.isatty() and os.environ.get("TERM") != "dumb"
    news = ""
    while True:
        if clear:
            told_on.write(_CLEAR)
        _tell(told_on, terminal, news)
        before = state_of(paths)  # as it was before the run: a change meanwhile is one
        read = tuple(run())
        sys.stdout.flush()
        before = {**state_of(read), **before}
        files = sum(one is not None and not path.endswith("/") for path, one in before.items())
        _tell(told_on, terminal, f"watching {counted(files, 'file')}; Ctrl-C ends")
        after = _changed_state((*paths, *read), before)
        news = f"{time.strftime('%H:%M:%S')} {_difference(before, after)}"


def state_of(paths: Iterable[str]) -> State:
    """Return the state of the files that paths name or hold; hidden directories are passed over, as in a program.

    Of a path that ends with a stroke only the names in it count.
    """
    state: dict[str, tuple[int, ...] | None] = {}
    entered: set[tuple[int, int]] = set()
    for path in paths:
        if path.endswith("/"):
            _look_at_names(path, state)
        elif path not in state:
            _look(path, state, entered)
    return state


def _look_at_names(path: str, state: dict[str, tuple[int, ...] | None]) -> None:
    """Note which files there are in a directory that somebody could read."""
    try:
        names = [name for name in os.listdir(path) if name.endswith(_READ)]  # noqa: PTH208
    except (OSError, ValueError):
        names = []
    # By name alone: what is in them is noted where they are read.
    state[path] = (hash(tuple(sorted(names))),)


def _look(path: str, state: dict[str, tuple[int, ...] | None], entered: set[tuple[int, int]]) -> None:
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path for each file of each look would double its cost
        if not stat.S_ISDIR(found.st_mode):
            state[path] = (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
            return
        if (found.st_dev, found.st_ino) in entered:
            return
        entered.add((found.st_dev, found.st_ino))
        names = sorted(os.listdir(path))  # noqa: PTH208
    except (OSError, ValueError):
        state[path] = None
        return
    for name in names:
        below = name if path == "." else f"{path.rstrip('/')}/{name}"
        if name.endswith(SUFFIX) or (not name.startswith(".") and os.path.isdir(below)):  # noqa: PTH112
            _look(below, state, entered)


def _changed_state(paths: tuple[str, ...], before: State) -> State:
    """Wait until the state is another, and until it stays as it is for a moment."""
    while True:
        begun = time.perf_counter()
        after = state_of(paths)
        if after != before:
            break
        time.sleep(max(PERIOD, _SHARE * (time.perf_counter() - begun)))
    for _ in range(_MOST_SETTLING):
        time.sleep(SETTLING)
        at_rest, after = after, state_of(paths)
        if at_rest == after:
            break
    return after


def _difference(before: State, after: State) -> str:
    """Say what changed, in a few words: one path, and how many others."""
    changes = [
        (path, "gone" if after.get(path) is None else "new" if before.get(path) is None else "changed")
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    ]
    # Of a directory it is told only if nothing else is: what was added to it is most likely there by itself.
    changes = [change for change in changes if not change[0].endswith("/")] or changes
    if not changes:  # it was changed back before anybody could look
        return "a file was touched"
    path, what = changes[0]
    told = f"{path} {'changed' if what == 'changed' else 'is ' + what}"
    return told + (f", and {counted(len(changes) - 1, 'other file')}" if len(changes) > 1 else "")


def _tell(stream: TextIO, terminal: Terminal, text: str) -> None:
    if text:
        click.echo(terminal.paint(terminal.safe(text), Ink.FAINT), file=stream)
