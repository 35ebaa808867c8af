"""The directory that holds the authority's keys: nobody else reads it, and one build at a time writes it."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from meshc_backends.finding import finding, reason_of
from meshc_lang.codes import targets
from meshc_lang.diagnostic import Code, Diagnostic

_LOCK = "lock"
_OTHERS = 0o077
_TRIES = 100
_PAUSE_SECONDS = 0.1


class AuthorityRefusedError(Exception):
    """Ends the opening of an authority with a finding; never leaves this package."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class Strongroom:
    """A directory of secret files, 0700; its files are 0600 from their first moment and replaced whole."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def finding(self, code: Code, name: str | None, message: str, help: str) -> Diagnostic:  # noqa: A002 - its name
        """Return a finding about one of the files, or about the directory itself (name None)."""
        path = self.directory if name is None else self.directory / name
        return finding(code, path, message, help)

    def refuse(self, code: Code, name: str | None, message: str, help: str) -> AuthorityRefusedError:  # noqa: A002
        """Return the exception to raise: a finding about one of the files, or the directory."""
        return AuthorityRefusedError(self.finding(code, name, message, help))

    def prepare(self) -> None:
        """Make the directory if there is none, and refuse one that others can look into."""
        try:
            self.directory.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                self.directory.mkdir(mode=0o700)
            mode = self.directory.stat().st_mode
        except OSError as error:
            raise self._unusable(None, error) from None
        if not self.directory.is_dir():
            raise self._unusable(None, OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
        if mode & _OTHERS:
            raise self._exposed(None, mode, "700")
        try:
            if not (self.directory / ".gitignore").exists():
                self.write(".gitignore", b"*\n")
        except OSError as error:
            raise self._unusable(".gitignore", error) from None

    @contextmanager
    def locked(self, wait: Callable[[float], None]) -> Iterator[None]:
        """Hold the directory against other builds; `wait` pauses for seconds between the tries, about ten in all."""
        try:
            lock = os.open(self.directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable(_LOCK, error) from None
        try:
            for _ in range(_TRIES):
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    wait(_PAUSE_SECONDS)
                except OSError as error:
                    raise self._unusable(_LOCK, error) from None
            else:
                raise self.refuse(
                    targets.AUTHORITY_BUSY,
                    _LOCK,
                    f"another build has held the certificate authority `{self.directory}` for too long",
                    "let the other build end, or end it, and build again",
                )
            yield
        finally:
            os.close(lock)  # and with it the lock

    def read(self, name: str) -> bytes | None:
        """Return a secret file's content, None where there is no such file; refuse one that others can read."""
        try:
            with (self.directory / name).open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                if mode & _OTHERS:
                    raise self._exposed(name, mode, "600")
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(name, error) from None

    def write(self, name: str, content: bytes) -> None:
        """Put a file in place, whole or not at all, and onto the disk before anything relies on it."""
        final = self.directory / name
        temporary = self.directory / f".{name}.{secrets.token_hex(8)}"
        try:
            # Created 0600: set afterwards, the mode would leave a moment in which a loose umask shows the key.
            opened = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                with os.fdopen(opened, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(final)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            directory = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise self._unusable(name, error) from None

    def _unusable(self, name: str | None, error: OSError) -> AuthorityRefusedError:
        path = self.directory if name is None else self.directory / name
        return self.refuse(
            targets.AUTHORITY_UNREADABLE,
            name,
            f"the certificate authority cannot be used: `{path}`: {reason_of(error)}",
            "put the permissions right, or name another directory for the authority",
        )

    def _exposed(self, name: str | None, mode: int, wanted: str) -> AuthorityRefusedError:
        path = self.directory if name is None else self.directory / name
        return self.refuse(
            targets.AUTHORITY_EXPOSED,
            name,
            f"others than its owner can get at `{path}`: its mode is {mode & 0o777:04o}",
            f"if nobody has read the keys: `chmod {wanted} {path}`; "
            f"else move `{self.directory}` away, and the next build makes a new authority",
        )
