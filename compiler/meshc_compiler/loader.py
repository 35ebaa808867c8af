"""Files to a program: every `.mesh` file below the directories named, read and parsed."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Protocol

from meshc_compiler.finding import Findings
from meshc_lang.codes import reading
from meshc_lang.diagnostic import Diagnostic, has_errors
from meshc_lang.parser import parse
from meshc_lang.record import dataclass
from meshc_lang.source import SourceText, Span
from meshc_lang.tree.file import SourceFile

SUFFIX = ".mesh"
LARGEST_FILE = 64 * 1024 * 1024
"""The most bytes of one file that are read: a hundred times the largest policy that people write."""

_DECLARATION = re.compile(r"^[ \t]*(?:(?:service|external|group)[ \t]+(?P<name>[A-Za-z0-9_-]+)|mesh\b)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The files of a program in the order of their paths.

    `lost_names` are those that statements with syntax errors seem to declare (`mesh` stands for the mesh itself), and
    `incomplete` tells that some file could not be read at all: what depends on them is not an error of its own.
    """

    files: tuple[SourceFile, ...]
    lost_names: frozenset[str] = frozenset()
    incomplete: bool = False

    @property
    def sources(self) -> tuple[SourceText, ...]:
        """The texts of the files."""
        return tuple(file.source for file in self.files)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a path could not be read, as the end of a sentence that begins with the path."""

    reason: str


class SourceReader(Protocol):
    """Where files come from: the disk, or memory. Paths are as the user writes them, with `/` between parts."""

    def relative(self, path: str) -> str:
        """Return the path as diagnostics name it: relative to the working directory where it lies below that."""
        ...

    def is_directory(self, path: str) -> bool:
        """Tell whether the path is a directory that can be entered."""
        ...

    def exists(self, path: str) -> bool:
        """Tell whether there is anything at the path, a broken link included."""
        ...

    def list_directory(self, path: str) -> tuple[str, ...] | Refusal:
        """Return the names in a directory, sorted."""
        ...

    def real_path(self, path: str) -> str | None:
        """Return the path with all links followed, for comparisons; None for a link to nowhere or in a circle."""
        ...

    def read(self, path: str, limit: int) -> bytes | Refusal:
        """Return a file's bytes, at most `limit` + 1 of them."""
        ...


class DiskReader:
    """The file system; relative paths are below `directory`, the process's working directory if not given."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory or Path()

    def relative(self, path: str) -> str:
        """Cut the working directory off an absolute path below it."""
        whole = PurePosixPath(path)
        if whole.is_absolute():
            with suppress(OSError, ValueError):
                return str(whole.relative_to(self._directory.absolute()))
        return str(whole)

    def is_directory(self, path: str) -> bool:
        """Ask the file system."""
        try:
            return (self._directory / path).is_dir()
        except (OSError, ValueError):
            return False

    def exists(self, path: str) -> bool:
        """Ask the file system; a path it cannot even name does not exist."""
        try:
            return os.path.lexists(self._directory / path)
        except ValueError:
            return False

    def list_directory(self, path: str) -> tuple[str, ...] | Refusal:
        """Return the directory's names that are text; others could not be written down in a diagnostic."""
        try:
            entries = (self._directory / path).iterdir()
            return tuple(sorted(entry.name for entry in entries if entry.name.isprintable()))
        except OSError as error:
            return Refusal(_reason(error))

    def real_path(self, path: str) -> str | None:
        """Follow the links."""
        try:
            return str((self._directory / path).resolve(strict=True))
        except (OSError, RuntimeError, ValueError):
            return None

    def read(self, path: str, limit: int) -> bytes | Refusal:
        """Read a regular file; anything else (a pipe, a device) could keep the compiler waiting."""
        try:
            descriptor = os.open(self._directory / path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    return Refusal("is not a regular file")
                return file.read(limit + 1)
        except OSError as error:
            return Refusal(_reason(error))


class MemoryReader:
    """Files in a mapping from path to text or bytes: for tests, editors and documents."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = {
            str(PurePosixPath(path)): content.encode() if isinstance(content, str) else content
            for path, content in files.items()
        }

    def relative(self, path: str) -> str:
        """Return the path without superfluous parts."""
        return str(PurePosixPath(path))

    def is_directory(self, path: str) -> bool:
        """Tell whether some file lies below the path."""
        prefix = self._prefix(path)
        return any(name.startswith(prefix) for name in self._files)

    def exists(self, path: str) -> bool:
        """Tell whether it is a file or a directory."""
        return str(PurePosixPath(path)) in self._files or self.is_directory(path)

    def list_directory(self, path: str) -> tuple[str, ...] | Refusal:
        """Return the first parts of what lies below the path."""
        prefix = self._prefix(path)
        return tuple(sorted({name[len(prefix) :].split("/")[0] for name in self._files if name.startswith(prefix)}))

    def real_path(self, path: str) -> str | None:
        """Return the path: there are no links."""
        return str(PurePosixPath(path))

    def read(self, path: str, limit: int) -> bytes | Refusal:
        """Return the file's bytes."""
        content = self._files.get(str(PurePosixPath(path)))
        return Refusal("does not exist") if content is None else content[: limit + 1]

    @staticmethod
    def _prefix(path: str) -> str:
        normal = str(PurePosixPath(path))
        return "" if normal == "." else normal + "/"


def load(paths: Sequence[str], reader: SourceReader) -> tuple[Program, tuple[Diagnostic, ...]]:
    """Read and parse a program: the files named, and every `.mesh` file below the directories named.

    Hidden directories are passed over. A file that is reached twice is read once. What cannot be read becomes a
    diagnostic at the file's (empty) beginning.
    """
    findings = Findings()
    found: dict[str, str] = {}
    for path in paths:
        given = reader.relative(path)
        if not reader.exists(given):
            findings.add(reading.NO_SUCH_FILE, f"there is no file or directory `{path}`", _nowhere(given))
        elif reader.is_directory(given):
            _find_files(given, reader, found, findings)
        elif (real := reader.real_path(given)) is None:
            findings.add(reading.PATH_ESCAPES, f"the link `{path}` leads nowhere, or in a circle", _nowhere(given))
        else:
            found.setdefault(real, given)
    files = []
    lost: set[str] = set()
    for path in sorted(found.values()):
        source = _read_source(path, reader, findings)
        if source is not None:
            file, problems = parse(source)
            files.append(file)
            findings.extend(problems)
            if has_errors(problems):
                lost.update(declared["name"] or "mesh" for declared in _DECLARATION.finditer(source.text))
    incomplete = any(found.code.id.startswith("MSH08") for found in findings.all())
    return Program(files=tuple(files), lost_names=frozenset(lost), incomplete=incomplete), findings.all()


def _find_files(root: str, reader: SourceReader, found: dict[str, str], findings: Findings) -> None:
    """Add the `.mesh` files below a directory to `found`, by real path; links must stay inside the directory."""
    real_root = reader.real_path(root)
    files = 0
    problems = len(findings.all())
    entered: set[str | None] = {real_root}
    todo = [root]
    while todo:
        directory = todo.pop()
        names = reader.list_directory(directory)
        if isinstance(names, Refusal):
            findings.add(reading.UNREADABLE_FILE, f"`{directory}` {names.reason}", _nowhere(directory))
            continue
        for name in names:
            path = name if directory == "." else f"{directory}/{name}"
            is_directory = reader.is_directory(path)
            if name.startswith(".") or not (is_directory or name.endswith(SUFFIX)):
                continue
            real = reader.real_path(path)
            if real is None:
                message = f"the link `{path}` leads nowhere, or in a circle"
                findings.add(reading.PATH_ESCAPES, message, _nowhere(path))
            elif real_root is not None and not _is_below(real, real_root):
                findings.add(reading.PATH_ESCAPES, f"`{path}` leads out of the directory `{root}`", _nowhere(path))
            elif not is_directory:
                files += 1
                found.setdefault(real, path)
            elif real in entered:
                findings.add(reading.PATH_ESCAPES, f"`{path}` leads back to where it came from", _nowhere(path))
            else:
                entered.add(real)
                todo.append(path)
    if not files and len(findings.all()) == problems:
        message = f"there is no `.mesh` file in `{root}`"
        findings.add(reading.EMPTY_PROGRAM, message, _nowhere(root))


def _is_below(path: str, root: str) -> bool:
    return path == root or root == "." or path.startswith(root.rstrip("/") + "/")


def _read_source(path: str, reader: SourceReader, findings: Findings) -> SourceText | None:
    content = reader.read(path, LARGEST_FILE)
    if isinstance(content, Refusal):
        findings.add(reading.UNREADABLE_FILE, f"`{path}` {content.reason}", _nowhere(path))
        return None
    if len(content) > LARGEST_FILE:
        message = f"`{path}` is larger than {LARGEST_FILE // 1024 // 1024} MiB"
        findings.add(reading.FILE_TOO_LARGE, message, _nowhere(path))
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"`{path}` is not UTF-8: byte 0x{content[error.start]:02X} in line {line}"
        findings.add(reading.NOT_UTF8, message, _nowhere(path))
        return None
    # A byte order mark says nothing about UTF-8 and would be a character of the first word.
    return SourceText(path, text.removeprefix("\ufeff"))


def _nowhere(path: str) -> Span:
    return SourceText(path, "").span(0, 0)


def _reason(error: OSError) -> str:
    return f"cannot be read: {(error.strerror or type(error).__name__).lower()}"
