"""Writes log lines from a thread of its own, so that a slow disk or pipe never holds the event loop."""

from __future__ import annotations

import os
import queue
import sys
import threading

_MAX_BACKLOG = 16 * 1024 * 1024


class LogWriter:
    """An append-only log: a file, or standard output for `-`.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: str) -> None:
        if path == "-":
            self._fd = os.dup(sys.stdout.fileno())
        else:
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._lines: list[bytes] = []
        self._backlog = 0
        self._lock = threading.Lock()
        self._batches: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._thread.start()

    def append(self, line: bytes) -> bool:
        """Keep a line for the next `flush`; false when the log is too far behind and the line is dropped."""
        if self._backlog > _MAX_BACKLOG:
            return False
        self._lines.append(line)
        return True

    def flush(self) -> None:
        """Hand the kept lines to the thread."""
        if self._lines:
            batch = b"".join(self._lines)
            self._lines.clear()
            with self._lock:
                self._backlog += len(batch)
            self._batches.put(batch)

    def close(self) -> None:
        """Write what is left and end the thread; a reader that is stuck is not waited for."""
        self.flush()
        self._batches.put(None)
        self._thread.join(timeout=2)
        if not self._thread.is_alive():
            os.close(self._fd)

    def _run(self) -> None:
        while (batch := self._batches.get()) is not None:
            view = memoryview(batch)
            try:
                while view:
                    view = view[os.write(self._fd, view) :]
            except OSError:
                pass  # nobody reads the log any more; the mesh goes on
            with self._lock:
                self._backlog -= len(batch)
