"""What the server and the process that compiles for it say to each other."""

from __future__ import annotations

import pickle
import struct
from typing import IO, TypeAlias

from meshc.lsp.analysis.finding import Finding
from meshc.lsp.analysis.question import Fact, Question
from meshc_lang.record import dataclass

_LENGTH = struct.Struct(">Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramName:
    """Which program is meant: a folder, or a single text that no file holds.

    `deep` tells that folders in the folder belong to it; the folder of a file that was opened alone is not searched.
    """

    root: str
    is_folder: bool = True
    deep: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileJob:
    """Compile a program, with the texts that are open in the editor; None for one that was closed since.

    Only what changed since the last job of any program is sent.
    """

    ticket: int
    program: ProgramName
    texts: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """Answer questions about the program as it was compiled last."""

    ticket: int
    program: ProgramName
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """What came of a job: the findings, and the files that make the program."""

    ticket: int
    findings: tuple[Finding, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The answers to an inquiry, in its order."""

    ticket: int
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A job or inquiry that ended in a mistake of ours, and its traceback."""

    ticket: int
    report: str


Request: TypeAlias = CompileJob | Inquiry
Reply: TypeAlias = Compiled | Answered | Failed


def send(stream: IO[bytes], message: Request | Reply) -> None:
    """Write a message."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def receive(stream: IO[bytes]) -> Request | Reply | None:
    """Read a message; None at the end of the stream."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = stream.read(length)
    if len(body) < length:
        return None
    message: Request | Reply = pickle.loads(body)  # noqa: S301 - the pipe is between us and our own child
    return message
