"""Work on many things in several processes: each a copy of this one, so that nothing has to be sent to them.

What a worker makes comes back as bytes. What it could not do, for whatever reason, is done again in this process: so
results, findings and exceptions are those of one process, in the same order.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import IO, TypeVar

__all__ = ["FEW", "processors", "work_on"]

T = TypeVar("T")

FEW = 48
"""So many things are done sooner than a worker is started and read."""

_NUMBER = 8


def processors() -> int:
    """Return on how many processors this process may run."""
    if sys.platform != "linux":
        return 1  # elsewhere a copy of a process may not do what its original could
    return len(os.sched_getaffinity(0))


def work_on(
    things: Sequence[T],
    do: Callable[[T], bytes | None],
    processes: int,
) -> list[bytes | None]:
    """Return what comes of each thing, in order; None where nothing was made of it by a worker.

    This process takes its share too. With one process, few things or other threads about, it takes all.
    """
    results: list[bytes | None] = [None] * len(things)
    if processes < 2 or len(things) < FEW or threading.active_count() > 1 or not hasattr(os, "fork"):
        return [do(thing) for thing in things]
    workers = [_start(things, do, first, processes) for first in range(1, processes)]
    try:
        for number in range(0, len(things), processes):
            results[number] = do(things[number])
        for process, file in workers:
            os.waitpid(process, 0)
            _read(file, results)
    except BaseException:
        for process, _ in workers:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
        raise
    finally:
        for _, file in workers:
            file.close()
    return results


def _start(things: Sequence[T], do: Callable[[T], bytes | None], first: int, processes: int) -> tuple[int, IO[bytes]]:
    file = _nameless_file()
    process = os.fork()
    if process:
        return process, file
    status = 1
    try:
        gc.disable()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for number in range(first, len(things), processes):
            made = do(things[number])
            if made is not None:
                file.write(number.to_bytes(_NUMBER, "big") + len(made).to_bytes(_NUMBER, "big") + made)
        file.flush()
        status = 0
    finally:
        # Whatever happened is found out again by the process that asked; nothing else of this copy may run.
        os._exit(status)


def _nameless_file() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        with contextlib.suppress(OSError):
            return os.fdopen(os.memfd_create("meshc"), "w+b")
    return tempfile.TemporaryFile()


def _read(file: IO[bytes], results: list[bytes | None]) -> None:
    """Take what a worker wrote; one that was killed may have stopped anywhere."""
    file.seek(0)
    while len(head := file.read(2 * _NUMBER)) == 2 * _NUMBER:
        number, size = int.from_bytes(head[:_NUMBER], "big"), int.from_bytes(head[_NUMBER:], "big")
        made = file.read(size)
        if len(made) < size:
            return
        results[number] = made
