"""Port numbers for servers that other processes start: below the range from which the system takes its own.

A number that the system once gave (by a bind to port 0) may be given again before the server listens on it, to another
test or to a connection that goes out: so such numbers are never chosen for somebody else.

Envoy binds with SO_REUSEPORT, so two that are given one port share it unseen. A block of numbers therefore belongs to
one process, by a lock on a file, and each number is tried before it is given out.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from functools import cache
from pathlib import Path
from typing import IO

_FIRST = 12_000
_BLOCKS = 44
_BLOCK_SIZE = 200


class Ports:
    """A block of ports that belongs to this process until it is closed. Numbers are not given out twice in a row."""

    def __init__(self) -> None:
        folder = Path(tempfile.gettempdir()) / f"mesh-test-ports-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        self._lock: IO[str] | None = None
        for attempt in range(_BLOCKS):
            block = (os.getpid() + attempt) % _BLOCKS
            lock = (folder / str(block)).open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                continue
            self._lock, self._start, self._next = lock, _FIRST + block * _BLOCK_SIZE, 0
            return
        raise RuntimeError("all blocks of ports are taken: too many test runs at once")

    def take(self) -> int:
        """Return a port of loopback on which nothing listens."""
        for _ in range(_BLOCK_SIZE):
            port = self._start + self._next
            self._next = (self._next + 1) % _BLOCK_SIZE
            with socket.socket() as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    trial.bind(("127.0.0.1", port))
                except OSError:
                    continue
            return port
        raise RuntimeError("no port of this block is free")

    def close(self) -> None:
        """Give the block back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


@cache
def own_ports() -> Ports:
    """Return the block that belongs to this process as long as it lives: each worker of a test run has its own."""
    return Ports()
