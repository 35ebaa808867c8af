"""The server's end of the pipe to the process that compiles; that process is started anew if it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping

from meshc.lsp.analysis.question import Fact, Question
from meshc.lsp.message import (
    Answered,
    Compiled,
    CompileJob,
    Failed,
    Inquiry,
    ProgramName,
    Reply,
    Request,
    receive,
    send,
)

LOG = logging.getLogger("meshc.lsp")

_MOST_STARTS = 5
"""So often a process that ends is started anew; then something is wrong that no start mends."""

_SECONDS_TO_STOP = 2.0


class CompileService:
    """Sends jobs and inquiries, and hands over what comes back, in the loop's thread."""

    def __init__(self, compiled: Callable[[Compiled], None], ended: Callable[[], None]) -> None:
        self._compiled = compiled
        self._tell_end = ended
        self._loop = asyncio.get_running_loop()
        self._process: subprocess.Popen[bytes] | None = None
        self._outgoing: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._waiting: dict[int, asyncio.Future[tuple[Fact, ...]]] = {}
        self._sent: dict[str, str] = {}
        self._ticket = 0
        self._starts = 0

    def compile(self, program: ProgramName, texts: Mapping[str, str]) -> int:
        """Have a program compiled; `texts` are all that are open in the editor. Returns the job's ticket."""
        self._ensure_started()
        changed = [(key, text) for key, text in texts.items() if self._sent.get(key) is not text]
        gone = [(key, None) for key in self._sent if key not in texts]
        self._sent = dict(texts)
        self._ticket += 1
        self._outgoing.put(CompileJob(ticket=self._ticket, program=program, texts=(*changed, *gone)))
        return self._ticket

    async def ask(
        self, program: ProgramName, questions: tuple[Question, ...], seconds: float
    ) -> tuple[Fact, ...] | None:
        """Return what is known of the program as it was compiled last; None where that is not told in time."""
        if self._process is None:
            return None
        self._ticket += 1
        ticket = self._ticket
        future = self._waiting[ticket] = self._loop.create_future()
        self._outgoing.put(Inquiry(ticket=ticket, program=program, questions=questions))
        try:
            return await asyncio.wait_for(future, seconds) or None
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(ticket, None)

    def stop(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        self._outgoing.put(None)
        if process is None:
            return
        try:
            process.wait(_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    # ---- the process

    def _ensure_started(self) -> None:
        if self._process is not None or self._starts >= _MOST_STARTS:
            return
        self._starts += 1
        self._sent = {}
        self._outgoing = queue.SimpleQueue()
        # `-P`: the folder in which the editor was started is no place to look for modules.
        command = [sys.executable, "-P", "-m", "meshc.lsp.worker"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - ourselves
        self._process = process
        threading.Thread(target=_write, args=(process, self._outgoing), daemon=True).start()
        threading.Thread(target=self._read, args=(process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        with contextlib.suppress(OSError, ValueError), process.stdout:
            while (reply := receive(process.stdout)) is not None:
                self._loop.call_soon_threadsafe(self._take, reply)
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ended, process)

    def _take(self, reply: Reply | Request) -> None:
        match reply:
            case Compiled():
                self._starts = 0
                self._compiled(reply)
            case Answered() | Failed():
                if isinstance(reply, Failed):
                    LOG.error("the compiler failed: %s", reply.report)
                future = self._waiting.pop(reply.ticket, None)
                if future is not None and not future.done():
                    future.set_result(reply.facts if isinstance(reply, Answered) else ())

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        if self._process is process:
            LOG.error("the process that compiles ended with status %s", process.wait())
            self._process = None
            self._tell_end()


def _write(process: subprocess.Popen[bytes], outgoing: queue.SimpleQueue[Request | None]) -> None:
    assert process.stdin is not None  # noqa: S101 - it was asked for
    with contextlib.suppress(OSError, ValueError), process.stdin:
        while (message := outgoing.get()) is not None:
            send(process.stdin, message)
