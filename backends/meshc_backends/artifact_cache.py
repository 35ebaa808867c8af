"""Files that were made and proved before, by the digest of what they are made of: `.meshc/cache`.

The folder is the project's, and a project may come from anywhere. So an entry holds only if it is sealed with a key
that is the user's and lies elsewhere, and nothing in it is ever run. The folder is safe to delete at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import importlib.util
import os
import re
import stat
import sys
import zlib
from functools import cache
from pathlib import Path

import pydantic

from meshc_lang.user_cache import user_cache

__all__ = ["ROOM", "ArtifactCache", "code_fingerprint", "open_cache", "user_secret"]

ROOM = 512 * 2**20
"""How many bytes the entries of one cache may take; what was not used for longest goes first."""

_HEAD = b"meshc artefact 1\n"
_SEAL = 32
_ENTRY = re.compile(r"[0-9a-f]{64}\Z")
_DAY = 24 * 3600
_IGNORE = b"*\n"
_PACKAGES = ("meshc_lang", "meshc_compiler", "meshc_backends", "meshc_runtime")


class ArtifactCache:
    """A cache in one open folder. Several builds may use it at once: each entry is written whole, and stands alone.

    `secret` seals the entries, `now` is the time in seconds since the epoch by which they grow old.
    """

    def __init__(self, folder: int, secret: bytes, now: float, room: int = ROOM) -> None:
        self._folder = folder
        self._secret = secret
        self._now = now
        self._room = room

    def key(self, *parts: str) -> str:
        """Return the key of what the code that runs now makes of these parts."""
        return hashlib.sha256("\n".join((code_fingerprint(), *map(repr, parts))).encode()).hexdigest()

    def get(self, key: str) -> bytes | None:
        """Return what was kept under a key; None if there is nothing, or what this user's builds did not keep there."""
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            with os.fdopen(os.open(key, flags, dir_fd=self._folder), "rb") as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode) or found.st_size > self._room:
                    return None
                content = file.read()
        except OSError:
            return None
        start = len(_HEAD) + _SEAL
        seal, packed = content[len(_HEAD) : start], content[start:]
        if not content.startswith(_HEAD) or not hmac.compare_digest(seal, self._seal(key, packed)):
            return None
        if found.st_mtime + _DAY < self._now:
            with contextlib.suppress(OSError):
                os.utime(key, (self._now, self._now), dir_fd=self._folder, follow_symlinks=False)
        return zlib.decompress(packed)

    def put(self, key: str, content: bytes) -> None:
        """Keep something; where it can't be kept, it is not."""
        packed = zlib.compress(content, 1)
        unfinished = f"{key}.{os.getpid()}"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(unfinished, flags, 0o600, dir_fd=self._folder), "wb") as file:
                file.write(_HEAD + self._seal(key, packed) + packed)
            os.replace(unfinished, key, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(unfinished, dir_fd=self._folder)

    def tidy(self) -> None:
        """Drop what was not used for longest, until the rest fits; and what builds left that were killed long ago."""
        entries: list[tuple[float, int, str]] = []
        with contextlib.suppress(OSError), os.scandir(self._folder) as found:
            for one in found:
                if not _ENTRY.match(one.name[:64]):
                    continue
                about = one.stat(follow_symlinks=False)
                if len(one.name) == 64:
                    entries.append((about.st_mtime, about.st_size, one.name))
                elif about.st_mtime + _DAY < self._now:
                    self._drop(one.name)
        size = sum(bytes_ for _, bytes_, _ in entries)
        for _, bytes_, name in sorted(entries):
            if size <= self._room:
                break
            self._drop(name)
            size -= bytes_

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._folder)

    def _drop(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=self._folder)

    def _seal(self, key: str, packed: bytes) -> bytes:
        return hashlib.blake2b(key.encode() + packed, key=self._secret, digest_size=_SEAL).digest()


def open_cache(folder: Path, now: float) -> ArtifactCache | None:
    """Return the cache in a folder, which is made if it is not there; None where none can be kept safely.

    That is so if the user has no place of their own for the key, or if the folder is a link or another user's.
    """
    secret = user_secret()
    if secret is None:
        return None
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        found = os.fstat(handle)
        if found.st_uid != os.geteuid():
            raise PermissionError
        if stat.S_IMODE(found.st_mode) != 0o700:
            os.fchmod(handle, 0o700)
        _keep_out_of_git(handle)
    except OSError:
        os.close(handle)
        return None
    return ArtifactCache(handle, secret, now)


def _keep_out_of_git(folder: int) -> None:
    with contextlib.suppress(FileExistsError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(".gitignore", flags, 0o600, dir_fd=folder), "wb") as file:
            file.write(_IGNORE)


def user_secret() -> bytes | None:
    """Return the key that seals this user's caches, made at the first use; None where no place is the user's alone."""
    place = user_cache()
    if place is None:
        return None
    path = os.path.join(place, "cache.key")  # noqa: PTH118 - as its neighbours are named
    for _ in range(2):
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
                found = os.fstat(file.fileno())
                if found.st_uid != os.geteuid() or found.st_mode & 0o077 or not stat.S_ISREG(found.st_mode):
                    return None
                secret = file.read()
            return secret if len(secret) == _SEAL else None
        except FileNotFoundError:
            if not _make_secret(path):
                return None
        except OSError:
            return None
    return None


def _make_secret(path: str) -> bool:
    """Write a key whole, or leave the one that another build wrote meanwhile."""
    unfinished = f"{path}.{os.getpid()}"
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(os.urandom(_SEAL))
        try:
            with contextlib.suppress(FileExistsError):
                os.link(unfinished, path)
        finally:
            os.unlink(unfinished)  # noqa: PTH108 - as above
    except OSError:
        return False
    return True


@cache
def code_fingerprint() -> str:
    """Return a digest of the code that makes files: name, size and time of each source, as Python goes by."""
    told = hashlib.sha256(f"{sys.version} {pydantic.VERSION}\n".encode())
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        for folder in spec.submodule_search_locations or () if spec is not None else ():
            for line in sorted(_sources(folder, "")):
                told.update(f"{package}{line}\n".encode())
    return told.hexdigest()


def _sources(folder: str, name: str) -> list[str]:
    lines: list[str] = []
    with os.scandir(folder) as found:
        for one in found:
            inner = f"{name}/{one.name}"
            if one.is_dir():
                lines += _sources(one.path, inner) if one.name != "__pycache__" else []
            elif one.name.endswith((".py", ".lark", ".so")):
                about = one.stat()
                lines.append(f"{inner} {about.st_size} {about.st_mtime_ns}")
    return lines
