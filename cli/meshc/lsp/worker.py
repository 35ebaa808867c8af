"""The process that compiles for the language server, so that answers to an editor never wait for a compiler.

The main thread compiles; a job that a newer one of the same program overtakes is given up at once. A second thread
reads what the server sends, and answers questions about what was compiled last.
"""

from __future__ import annotations

import _thread
import contextlib
import gc
import os
import posixpath
import queue
import signal
import sys
import threading
import traceback
from collections import defaultdict
from functools import partial
from types import FrameType
from typing import BinaryIO

from meshc.compiling import today
from meshc.lsp.analysis.facts import Facts
from meshc.lsp.analysis.finding import findings_of
from meshc.lsp.message import Answered, Compiled, CompileJob, Failed, Inquiry, ProgramName, Reply, receive, send
from meshc.lsp.open_files import OpenFilesReader, ParsedFiles
from meshc_compiler.loader import MemoryReader, SourceReader, load
from meshc_compiler.pipeline import CompileResult, compile_loaded

_SWITCH_SECONDS = 0.0005
"""How long the compiler may keep the thread waiting that answers."""


_JOBS_BETWEEN_COLLECTIONS = 100


class _OvertakenError(Exception):
    """Raised in the midst of a job that nobody waits for any more."""


class Worker:
    """Compiles what it is told to, and remembers the last of each program."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO) -> None:
        self._requests = requests
        self._replies = replies
        self._writing = threading.Lock()
        self._jobs: queue.SimpleQueue[CompileJob | None] = queue.SimpleQueue()
        self._newest: dict[ProgramName, int] = {}
        self._running: CompileJob | None = None
        self._texts: dict[str, str] = {}
        self._parsed: defaultdict[ProgramName, ParsedFiles] = defaultdict(ParsedFiles)
        self._facts: dict[ProgramName, Facts] = {}

    def run(self) -> None:
        """Work until the server goes away."""
        signal.signal(signal.SIGINT, self._interrupted)
        threading.Thread(target=self._listen, daemon=True).start()
        done = 0
        while (job := self._jobs.get()) is not None:
            for key, text in job.texts:
                if text is None:
                    self._texts.pop(key, None)
                else:
                    self._texts[key] = text
            if not self._is_overtaken(job):
                self._compile(job)
            done += 1
            if done % _JOBS_BETWEEN_COLLECTIONS == 0:
                gc.collect()

    # ---- the thread that listens

    def _listen(self) -> None:
        while (message := receive(self._requests)) is not None:
            if isinstance(message, CompileJob):
                self._newest[message.program] = message.ticket
                self._jobs.put(message)
                running = self._running
                if running is not None and self._is_overtaken(running):
                    _thread.interrupt_main()
            elif isinstance(message, Inquiry):
                self._answer(message)
        self._jobs.put(None)

    def _answer(self, inquiry: Inquiry) -> None:
        facts = self._facts.get(inquiry.program)
        try:
            answers = tuple(None if facts is None else facts.answer(question) for question in inquiry.questions)
        except Exception:
            self._reply(Failed(ticket=inquiry.ticket, report=traceback.format_exc()))
        else:
            self._reply(Answered(ticket=inquiry.ticket, facts=answers))

    def _reply(self, reply: Reply) -> None:
        with self._writing:
            send(self._replies, reply)

    # ---- the thread that compiles

    def _is_overtaken(self, job: CompileJob) -> bool:
        return self._newest.get(job.program) != job.ticket

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        """Called between two instructions of the main thread; Ctrl-C at a terminal is the server's to heed."""
        del number, frame
        job = self._running
        if job is not None and self._is_overtaken(job):
            raise _OvertakenError

    def _compile(self, job: CompileJob) -> None:
        try:
            self._running = job
            result = self._compiled(job.program)
            facts = Facts(result, partial(_key, job.program))
            facts.prepare()
            findings = tuple(findings_of(result.diagnostics, key=partial(_key, job.program)))
            self._running = None
        except _OvertakenError:
            self._running = None
            self._parsed[job.program].drop_unfinished()
            return
        except Exception:
            self._running = None
            self._reply(Failed(ticket=job.ticket, report=traceback.format_exc()))
            return
        self._facts[job.program] = facts
        files = tuple(_key(job.program, source.path) for source in result.program.sources)
        self._reply(Compiled(ticket=job.ticket, findings=findings, files=files))

    def _compiled(self, program: ProgramName) -> CompileResult:
        reader: SourceReader
        if program.is_folder:
            folder = OpenFilesReader(program.root, self._texts)
            paths = (".",) if program.deep else folder.files_beside() or (".",)
            reader = folder
        else:
            paths = (program.root,)
            reader = MemoryReader({program.root: self._texts.get(program.root, "")})
        loaded, found = load(paths, reader, self._parsed[program].parse, imports=program.is_folder)
        return compile_loaded(loaded, found, today, every=True)


def _key(program: ProgramName, path: str) -> str:
    """Return the path by which the server knows a file of a program."""
    return posixpath.normpath(posixpath.join(program.root, path)) if program.is_folder else path


def main() -> None:
    """Serve the process that started this one, over standard input and output."""
    replies = os.fdopen(os.dup(1), "wb")
    # Nothing else may be written where the server reads.
    os.dup2(2, 1)
    sys.setswitchinterval(_SWITCH_SECONDS)
    # What a compiled program consists of has no circles, and is so large that looking for some takes seconds.
    gc.disable()
    with contextlib.suppress(BrokenPipeError):
        Worker(sys.stdin.buffer, replies).run()


if __name__ == "__main__":
    main()
