"""Where the files of a program come from: the disk, or memory."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from meshc_lang.record import dataclass, field

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a path could not be read, as the end of a sentence that begins with the path.

    `outside` tells that it may not be read because of where it leads, whatever is there.
    """

    reason: str
    outside: bool = field(default=False, compare=False)


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
        self._directory = "" if directory is None else os.fspath(directory)

    def relative(self, path: str) -> str:
        """Cut the working directory off an absolute path below it."""
        whole = plain_path(path)
        if whole.startswith("/"):
            with suppress(OSError, ValueError):
                here = plain_path(os.path.abspath(self._directory or "."))
                return "." if whole == here else whole.removeprefix("/" if here == "/" else here + "/")
        return whole

    def is_directory(self, path: str) -> bool:
        """Ask the file system."""
        try:
            return stat.S_ISDIR(os.stat(self._at(path)).st_mode)
        except (OSError, ValueError):
            return False

    def exists(self, path: str) -> bool:
        """Ask the file system; a path it cannot even name does not exist."""
        try:
            return os.path.lexists(self._at(path))
        except ValueError:
            return False

    def list_directory(self, path: str) -> tuple[str, ...] | Refusal:
        """Return the directory's names that are text; others could not be written down in a diagnostic."""
        try:
            return tuple(sorted(name for name in os.listdir(self._at(path)) if name.isprintable()))
        except OSError as error:
            return Refusal(_reason(error))

    def real_path(self, path: str) -> str | None:
        """Follow the links."""
        try:
            return os.path.realpath(self._at(path), strict=True)
        except (OSError, ValueError):
            return None

    def read(self, path: str, limit: int) -> bytes | Refusal:
        """Read a regular file; anything else (a pipe, a device) could keep the compiler waiting."""
        where = self._at(path)
        try:
            if not stat.S_ISREG(os.stat(where).st_mode):
                return Refusal("is not a regular file")
            descriptor = os.open(where, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                # Asked again of what was opened: it may have been exchanged.
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    return Refusal("is not a regular file")
                with os.fdopen(descriptor, "rb", closefd=False) as file:
                    return file.read(limit + 1)
            finally:
                os.close(descriptor)
        except OSError as error:
            return Refusal(_reason(error))
        except ValueError:
            return Refusal("does not exist")

    def _at(self, path: str) -> str:
        return os.path.join(self._directory, path) or "."


class MemoryReader:
    """Files in a mapping from path to text or bytes: for tests, editors and documents."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = {
            plain_path(path): content.encode() if isinstance(content, str) else content
            for path, content in files.items()
        }
        self._directories: dict[str, set[str]] = {}
        for path in self._files:
            below = path
            while below not in (".", "/"):
                directory, _, name = below.rpartition("/")
                directory = directory or ("/" if below.startswith("/") else ".")
                self._directories.setdefault(directory, set()).add(name)
                below = directory

    def relative(self, path: str) -> str:
        """Return the path without superfluous parts."""
        return plain_path(path)

    def is_directory(self, path: str) -> bool:
        """Tell whether some file lies below the path."""
        return plain_path(path) in self._directories

    def exists(self, path: str) -> bool:
        """Tell whether it is a file or a directory."""
        return plain_path(path) in self._files or self.is_directory(path)

    def list_directory(self, path: str) -> tuple[str, ...] | Refusal:
        """Return the first parts of what lies below the path."""
        return tuple(sorted(self._directories.get(plain_path(path), ())))

    def real_path(self, path: str) -> str | None:
        """Return the path: there are no links."""
        return plain_path(path)

    def read(self, path: str, limit: int) -> bytes | Refusal:
        """Return the file's bytes."""
        content = self._files.get(plain_path(path))
        return Refusal("does not exist") if content is None else content[: limit + 1]


class EditedReader:
    """Files from a reader, some of them with another text; what the reader gave is kept in `contents`."""

    def __init__(self, reader: SourceReader, texts: dict[str, str], contents: dict[str, bytes]) -> None:
        self._reader = reader
        self._texts = texts
        self._contents = contents

    def relative(self, path: str) -> str:
        """Ask the reader."""
        return self._reader.relative(path)

    def is_directory(self, path: str) -> bool:
        """Ask the reader."""
        return self._reader.is_directory(path)

    def exists(self, path: str) -> bool:
        """Ask the reader."""
        return self._reader.exists(path)

    def list_directory(self, path: str) -> tuple[str, ...] | Refusal:
        """Ask the reader."""
        return self._reader.list_directory(path)

    def real_path(self, path: str) -> str | None:
        """Ask the reader."""
        return self._reader.real_path(path)

    def read(self, path: str, limit: int) -> bytes | Refusal:
        """Return the other text of a file that has one, and what the reader gives of all else."""
        if path in self._texts:
            return self._texts[path].encode()
        content = self._reader.read(path, limit)
        if isinstance(content, bytes):
            self._contents[path] = content
        return content


def plain_path(path: str) -> str:
    """Return a path without empty parts and `.`; `..` stays, since what it means depends on links."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return "/" * path.startswith("/") + "/".join(parts) or "."


def is_below(path: str, root: str) -> bool:
    """Tell whether a real path is a real directory or lies in it."""
    return path == root or root == "." or path.startswith(root.rstrip("/") + "/")


def _reason(error: OSError) -> str:
    return f"cannot be read: {(error.strerror or type(error).__name__).lower()}"
