"""The state of one editor's session: open files, the programs they belong to, and what was found in them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from meshc.lsp.analysis.document import Document
from meshc.lsp.analysis.finding import Finding, PlacedFinding, findings_of, place_finding
from meshc.lsp.analysis.pending import Pending, T
from meshc.lsp.analysis.place import Encoding, Place, Range
from meshc.lsp.analysis.program import ProgramView
from meshc.lsp.analysis.question import Fact, Origin, Question
from meshc.lsp.compiler import CompileService
from meshc.lsp.message import Compiled, ProgramName
from meshc_lang.diagnostic import Severity
from meshc_lang.source import SourceText

LOG = logging.getLogger("meshc.lsp")

_SECONDS_OF_REST = 0.02
"""How long after an edit the compiler waits for another one."""

_SECONDS_OF_WORK = 0.005
"""How long a part of the reading of a large file may keep an answer waiting."""

_SECONDS_TO_ANSWER = 0.015
"""How long an answer waits for what the compiler knows; then it does without."""

_SECONDS_OF_PATIENCE = 2.0
"""How long it waits if without that there would be no answer."""

Publish = Callable[[str, int | None, Sequence[PlacedFinding]], None]
"""Tells the editor what is wrong with a file: its key, its version, and the findings."""


class OpenProgram:
    """A program of which at least one file is, or was, open."""

    def __init__(self, name: ProgramName, encoding: Encoding) -> None:
        self.name = name
        self.encoding = encoding
        self.others: dict[str, SourceText] = {}
        self.documents: dict[str, Document] = {}
        self.findings: tuple[Finding, ...] = ()
        self.compiled: dict[str, int] = {}
        self.disk: dict[str, tuple[int, int]] = {}
        self.jobs: dict[int, dict[str, int]] = {}
        self.is_known = asyncio.Event()
        self.facts: dict[Question, Fact] = {}
        self.old_facts: dict[Question, Fact] = {}
        self.timer: asyncio.TimerHandle | None = None
        self.told: dict[str, Sequence[PlacedFinding]] = {}

    @property
    def view(self) -> ProgramView:
        """The program as questions are asked of it."""
        return ProgramView(self.documents, self.compiled, self.others, self.encoding)


class Session:
    """What is open, and what follows from it. All of it runs in one thread, that of the loop."""

    def __init__(
        self, publish: Publish, compiled: Callable[[], None] = lambda: None, encoding: Encoding = Encoding.UTF16
    ) -> None:
        self.encoding = encoding
        self.folders: list[str] = []
        self._publish = publish
        self._tell_compiled = compiled
        self._open: dict[str, Document] = {}
        self._programs: dict[ProgramName, OpenProgram] = {}
        self._loop = asyncio.get_running_loop()
        self._service = CompileService(self._take, self._compile_all)
        self._reader: asyncio.Task[None] | None = None
        self._all_read = asyncio.Event()

    # ---- files

    def open(self, key: str, text: str, version: int | None) -> None:
        """Take over a file from the editor."""
        document = Document(key, text, self.encoding, version)
        self._open[key] = document
        program = self.program_of(key)
        program.documents[key] = document
        self._changed(program)

    def change(self, key: str, version: int | None, changes: Iterable[tuple[Range | None, str]]) -> None:
        """Take over changes of an open file, in their order."""
        document = self._open.get(key)
        if document is None:
            LOG.warning("a change of `%s`, which is not open", key)
            return
        for range_, text in changes:
            document.change(range_, text)
        document.version = version
        self._changed(self.program_of(key))

    def close(self, key: str) -> None:
        """Give a file back to the disk."""
        if self._open.pop(key, None) is None:
            return
        program = self.program_of(key)
        program.documents.pop(key, None)
        program.compiled.pop(key, None)
        program.disk.pop(key, None)
        self._load(program, (*program.documents, key))
        self._tell(program, {key})
        if any(one in self._open for one in program.documents):
            self._changed(program)
        else:
            self._forget(program)

    def disk_changed(self) -> None:
        """Look again at what lies on disk."""
        self._compile_all()

    def set_folders(self, added: Iterable[str], removed: Iterable[str]) -> None:
        """Take over the folders that are open in the editor; files move to other programs by it."""
        before = {key: self.program_of(key) for key in self._open}
        gone = set(removed)
        self.folders = [folder for folder in self.folders if folder not in gone]
        self.folders += [folder for folder in added if folder not in self.folders]
        for key, program in before.items():
            now = self.program_of(key)
            if now is not program:
                program.documents.pop(key, None)
                now.documents[key] = self._open[key]
                if not any(one in self._open for one in program.documents):
                    self._forget(program)
                self._changed(now)

    def _forget(self, program: OpenProgram) -> None:
        if program.timer is not None:
            program.timer.cancel()
        self._programs.pop(program.name, None)
        program.documents = {key: document for key, document in program.documents.items() if key in self._open}
        program.findings = ()
        self._tell(program, set(program.told))

    # ---- programs

    def program_of(self, key: str) -> OpenProgram:
        """Return the program of a file: that of the innermost open folder around it, or of its own folder."""
        path = PurePosixPath(key)
        around = [folder for folder in self.folders if path.is_relative_to(folder)]
        if around:
            name = ProgramName(root=max(around, key=len))
        elif path.is_absolute():
            name = ProgramName(root=str(path.parent), deep=False)
        else:
            name = ProgramName(root=key, is_folder=False)
        return self._programs.setdefault(name, OpenProgram(name, self.encoding))

    def document(self, key: str) -> Document | None:
        """Return an open file, or one of an open program."""
        return self._open.get(key) or next(
            (one.documents[key] for one in self._programs.values() if key in one.documents), None
        )

    @property
    def programs(self) -> Iterable[OpenProgram]:
        """The programs that are open."""
        return tuple(self._programs.values())

    async def ready(self, key: str, *, all_files: bool = False) -> tuple[OpenProgram, Document] | None:
        """Return a file and its program when its text has been read; None for a file that nobody knows."""
        document = self.document(key)
        if document is None:
            return None
        program = self.program_of(key)
        wanted = list(program.documents.values()) if all_files else [document]
        if not all(one.source.is_read for one in wanted):
            while self._reader is not None and not all(one.source.is_read for one in wanted):
                await self._all_read.wait()
        document = self.document(key)
        return None if document is None else (program, document)

    async def answer(self, program: OpenProgram, pending: Pending[T], *, patient: bool = False) -> T:
        """Return an answer, with what the compiler knows if it says so in time.

        `patient` is for answers that tell nothing else: they wait for the first time that the program is compiled.
        """
        if patient:
            await self.known(program)
        facts = await self._facts(program, pending.questions, _SECONDS_OF_PATIENCE if patient else _SECONDS_TO_ANSWER)
        return pending.finish(facts)

    def place(self, program: OpenProgram, origin: Origin) -> Place | None:
        """Return where something stands now that was compiled, be it in a file that is not of the language."""
        if origin.key not in program.documents and origin.key not in program.others:
            program.others[origin.key] = SourceText(origin.key, _read_text(origin.key) or "")
        return program.view.place_of(origin)

    async def known(self, program: OpenProgram) -> None:
        """Wait until a program was compiled for the first time, but not for ever."""
        if not program.is_known.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(program.is_known.wait(), _SECONDS_OF_PATIENCE)

    async def _facts(self, program: OpenProgram, questions: tuple[Question, ...], seconds: float) -> tuple[Fact, ...]:
        """Return what is known: what was asked since the program was compiled last is remembered.

        Where the compiler does not answer in time, what it said of an older program is better than nothing.
        """
        known = program.facts
        asked = tuple(question for question in questions if question not in known)
        if asked:
            told = await self._service.ask(program.name, asked, seconds)
            if told is None:
                return tuple(known.get(question, program.old_facts.get(question)) for question in questions)
            known.update(zip(asked, told, strict=True))
        return tuple(known[question] for question in questions)

    def stop(self) -> None:
        """End all work."""
        if self._reader is not None:
            self._reader.cancel()
        for program in self._programs.values():
            if program.timer is not None:
                program.timer.cancel()
        self._service.stop()

    # ---- reading

    def _changed(self, program: OpenProgram) -> None:
        if self._reader is None:
            self._all_read.clear()
            self._reader = self._loop.create_task(self._read())
        self._compile_soon(program)

    async def _read(self) -> None:
        """Read what was not read yet, a little at a time, and tell what is wrong with it."""
        # What is read stays: the collector need not look for garbage in it, now or later.
        gc.disable()
        try:
            await asyncio.sleep(0)
            while (document := self._unread()) is not None:
                document.advance(_SECONDS_OF_WORK)
                await asyncio.sleep(0)
            for program in self.programs:
                self._tell(program, set(program.documents) & set(self._open))
        except Exception:
            LOG.exception("reading failed")
        finally:
            gc.freeze()
            gc.enable()
            self._reader = None
            self._all_read.set()

    def _unread(self) -> Document | None:
        for program in self._programs.values():
            for document in program.documents.values():
                if not document.source.is_read:
                    return document
        return None

    # ---- compiling

    def _compile_soon(self, program: OpenProgram) -> None:
        if program.timer is not None:
            program.timer.cancel()
        program.timer = self._loop.call_later(_SECONDS_OF_REST, self._compile, program)

    def _compile_all(self) -> None:
        for program in self._programs.values():
            self._compile_soon(program)

    def _compile(self, program: OpenProgram) -> None:
        program.timer = None
        texts = {key: document.source.text for key, document in self._open.items()}
        ticket = self._service.compile(program.name, texts)
        program.jobs = {ticket: {key: document.revision for key, document in program.documents.items()}}

    def _take(self, reply: Compiled) -> None:
        """Take over what the compiler found, unless a newer job is on its way."""
        program = next((one for one in self._programs.values() if reply.ticket in one.jobs), None)
        if program is None:
            return
        program.compiled = program.jobs.pop(reply.ticket)
        program.findings = reply.findings
        program.old_facts, program.facts = program.facts or program.old_facts, {}
        self._load(program, reply.files)
        named = {origin.key for finding in program.findings for origin in finding.origins}
        program.others = {key: SourceText(key, _read_text(key) or "") for key in named if key not in program.documents}
        for key, revision in program.compiled.items():
            document = program.documents.get(key)
            if document is not None:
                document.forget_edits(revision)
        files = {finding.origin.key for finding in program.findings}
        self._tell(program, files | set(program.told) | set(program.documents))
        program.is_known.set()
        self._tell_compiled()
        if self._unread() is not None and self._reader is None:
            self._all_read.clear()
            self._reader = self._loop.create_task(self._read())

    def _load(self, program: OpenProgram, keys: Sequence[str]) -> None:
        """Take over from the disk the files of a program that are not open, and forget those that are gone."""
        for key in [key for key in program.documents if key not in keys and key not in self._open]:
            del program.documents[key]
            program.disk.pop(key, None)
        for key in keys:
            if key in self._open:
                program.documents[key] = self._open[key]
                continue
            stamp = _stamp(key)
            if stamp is None:
                program.documents.pop(key, None)
            elif program.disk.get(key) != stamp or key not in program.documents:
                text = _read_text(key)
                if text is not None:
                    program.disk[key] = stamp
                    program.documents[key] = Document(key, text, self.encoding)
                    program.compiled[key] = 0

    # ---- telling

    def _tell(self, program: OpenProgram, keys: Iterable[str]) -> None:
        """Publish the findings of files, where they are others than those that were told."""
        by_file: dict[str, list[PlacedFinding]] = {key: [] for key in keys}
        view = program.view
        for finding in program.findings:
            key = finding.origin.key
            if key in by_file and not (finding.is_of_reading and self._reads_itself(key)):
                placed = place_finding(view, finding)
                if placed is not None:
                    by_file[key].append(placed)
        for key in by_file:
            if self._reads_itself(key):
                by_file[key] += _reading_findings(view, self._open[key])
        for key, found in by_file.items():
            found.sort(key=lambda one: (one.range, one.finding.code, one.finding.message))
            if program.told.get(key, []) == found and (found or key in program.told):
                continue
            document = self._open.get(key)
            program.told[key] = found
            self._publish(key, None if document is None else document.version, found)

    def _reads_itself(self, key: str) -> bool:
        document = self._open.get(key)
        return document is not None and document.source.is_read

    def findings_at(self, key: str, range_: Range) -> list[PlacedFinding]:
        """Return the findings of a file that touch a range, as they were told last."""
        program = self.program_of(key)
        return [
            one for one in program.told.get(key, ()) if one.range.start <= range_.end and range_.start <= one.range.end
        ]

    def findings_in(self, key: str) -> Sequence[PlacedFinding]:
        """Return all findings of a file, as they were told last."""
        return self.program_of(key).told.get(key, ())


def _reading_findings(view: ProgramView, document: Document) -> Iterator[PlacedFinding]:
    for start, problem in document.source.problems():
        for finding in findings_of((problem,), start):
            placed = place_finding(view, finding, current=True)
            if placed is not None:
                yield placed


def _stamp(key: str) -> tuple[int, int] | None:
    try:
        found = os.stat(key)  # noqa: PTH116 - keys are texts
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size


def _read_text(key: str) -> str | None:
    try:
        return Path(key).read_bytes().decode("utf-8").removeprefix("\ufeff")
    except (OSError, ValueError):
        return None


def is_severe(finding: Finding) -> bool:
    """Tell whether a finding is an error."""
    return finding.severity is Severity.ERROR
