"""The event loop: readiness of sockets (level-triggered), timers, and calls from other threads.

Sockets that are given up are closed only after the current batch of events, so that a file number is never
used for a new socket while an event of the old one is still in the batch.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import select
import socket
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

READ = 1
WRITE = 4
_BROKEN = 8 | 16  # error, hang-up: always reported, cannot be masked


class Crashable(Protocol):
    """What may be given up alone when a call of the loop raises."""

    def crashed(self, error: Exception) -> None:
        """Give up this one, and nothing else."""


class Flushable(Crashable, Protocol):
    """What has something to send at the end of a turn."""

    def flush(self) -> None:
        """Send it."""


class Handler(Crashable, Protocol):
    """What is told about one socket."""

    def ready(self, events: int) -> None:
        """Some of READ, WRITE and the broken bits hold."""


class _Poller(Protocol):
    def register(self, fd: int, eventmask: int) -> None: ...
    def modify(self, fd: int, eventmask: int) -> None: ...
    def unregister(self, fd: int) -> None: ...
    def poll(self, timeout: float) -> list[tuple[int, int]]: ...


def _new_poller() -> _Poller:
    epoll = getattr(select, "epoll", None)
    return _MillisecondPoller() if epoll is None else cast(_Poller, epoll())


class _MillisecondPoller:
    """`poll(2)` where there is no epoll; its bits are the same."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self.register = self._poll.register
        self.modify = self._poll.modify
        self.unregister = self._poll.unregister

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        return self._poll.poll(max(0, int(timeout * 1000 + 0.999)))


class Timer:
    """A call at a time; cancelling it is cheap."""

    __slots__ = ("call", "handler", "when")

    def __init__(self, when: float, call: Callable[[], None] | None, handler: Crashable | None) -> None:
        self.when = when
        self.call = call
        self.handler = handler

    def cancel(self) -> None:
        """Let the time pass without the call."""
        self.call = None
        self.handler = None

    def __lt__(self, other: Timer) -> bool:
        return self.when < other.when


class Loop:
    """One thread's event loop. `now` is the monotonic time at which the current batch began."""

    def __init__(self) -> None:
        self.clock = time.monotonic
        self.now = time.monotonic()
        self._flushes: list[Flushable] = []
        self._poller = _new_poller()
        self._handlers: dict[int, Handler] = {}
        self._timers: list[Timer] = []
        self._retired: list[socket.socket] = []
        self._calls: deque[Callable[[], None]] = deque()
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        self._poller.register(self._wake_in, READ)
        self._stopped = False

    def register(self, sock: socket.socket, handler: Handler, events: int) -> None:
        """Start to watch a socket."""
        fd = sock.fileno()
        self._handlers[fd] = handler
        self._poller.register(fd, events)

    def modify(self, sock: socket.socket, events: int) -> None:
        """Watch a registered socket for other events."""
        self._poller.modify(sock.fileno(), events)

    def unregister(self, sock: socket.socket) -> None:
        """Stop to watch a socket."""
        fd = sock.fileno()
        self._handlers.pop(fd, None)
        with contextlib.suppress(OSError, KeyError):
            self._poller.unregister(fd)

    def retire(self, sock: socket.socket) -> None:
        """Stop to watch a socket, and close it after this batch of events."""
        self.unregister(sock)
        self._retired.append(sock)

    def call_later(self, delay: float, call: Callable[[], None], handler: Crashable | None = None) -> Timer:
        """Call after so many seconds; if it raises, `handler` is given up."""
        timer = Timer(time.monotonic() + delay, call, handler)
        heapq.heappush(self._timers, timer)
        return timer

    def flush_later(self, flushable: Flushable) -> None:
        """Flush at the end of this turn, when all that has come has been looked at."""
        self._flushes.append(flushable)

    def call_from_thread(self, call: Callable[[], None]) -> None:
        """Let the loop's thread make this call soon; the only method other threads (and signals) may use."""
        self._calls.append(call)
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_out, b"\0")

    def stop(self) -> None:
        """Leave `run` after this batch."""
        self._stopped = True

    def run(self) -> None:
        """Run until `stop`; a handler that raises loses its socket and nothing else."""
        handlers = self._handlers
        while not self._stopped:
            timeout = 1.0
            if self._timers:
                timeout = min(1.0, max(0.0, self._timers[0].when - time.monotonic()))
            events = self._poller.poll(timeout)
            self.now = time.monotonic()
            for fd, bits in events:
                handler = handlers.get(fd)
                if handler is not None:
                    try:
                        handler.ready(bits)
                    except Exception as error:  # one connection's bug must not stop the others
                        self._crashed(handler, error)
                elif fd == self._wake_in:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake_in, 4096)
            self._run_due()
            if self._flushes:
                self._flush()
            for sock in self._retired:
                sock.close()
            self._retired.clear()

    def _flush(self) -> None:
        while self._flushes:
            flushes, self._flushes = self._flushes, []
            for flushable in flushes:
                try:
                    flushable.flush()
                except Exception as error:  # as above
                    self._crashed(flushable, error)

    def _run_due(self) -> None:
        while self._calls:
            try:
                self._calls.popleft()()
            except Exception as error:  # as above
                sys.stderr.write("".join(traceback.format_exception(error)))
        timers = self._timers
        while timers and timers[0].when <= self.now:
            timer = heapq.heappop(timers)
            if timer.call is not None:
                try:
                    timer.call()
                except Exception as error:  # as above
                    if timer.handler is None:
                        raise
                    self._crashed(timer.handler, error)

    def _crashed(self, handler: Crashable, error: Exception) -> None:
        sys.stderr.write("".join(traceback.format_exception(error)))
        handler.crashed(error)

    def close(self) -> None:
        """Free the loop's own descriptors; sockets belong to their owners."""
        for sock in self._retired:
            sock.close()
        self._retired.clear()
        os.close(self._wake_in)
        os.close(self._wake_out)
