"""Programs out of git: the tree of a revision, read object by object, without a work tree and without a shell."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from typing import IO, cast

from meshc_compiler.source_reader import Refusal
from meshc_lang.record import dataclass

PREFIX = "git:"

_TREE, _LINK, _MODULE = "40000", "120000", "160000"
"""Modes of entries of a tree, as git writes them: a directory, a symbolic link, another repository."""

_MOST_LINKS = 40
"""So many links are followed on one way, as the kernel does it."""

_CHUNK = 1 << 20

Parts = tuple[str, ...]


class GitError(Exception):
    """What git said, or that there is no git, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class GitPlace:
    """`git:REV:PATH`, taken apart."""

    revision: str
    path: str

    @staticmethod
    def parse(text: str) -> GitPlace | None:
        """Read it; None where a part is missing."""
        revision, colon, path = text.removeprefix(PREFIX).partition(":")
        return GitPlace(revision, path) if colon and revision and "\0" not in text else None


class GitTree:
    """A `SourceReader` of the tree of one revision. Paths are `git:REV:PATH`, the path counted from the tree's root.

    Links are followed inside the tree; one that leaves it leads to no file. Nothing is written and nothing is fetched.
    """

    def __init__(self, place: GitPlace, directory: str = ".") -> None:
        """Find the revision. A path that begins with `./` or `../` is below `directory`, as git itself reads it.

        Raises:
            GitError: there is no git, no repository, no such revision, or the path leads out of the tree.
        """
        self._directory = directory
        below = self._asked("rev-parse", "--show-prefix").rstrip("\n")
        name = f"{place.revision}^{{tree}}"
        try:
            self._root = self._asked("rev-parse", "--verify", "--quiet", "--end-of-options", name).strip()
        except GitError:
            shallow = self._asked("rev-parse", "--is-shallow-repository").strip() == "true"
            hint = "; the clone is shallow: fetch the revision first" if shallow else ""
            raise GitError(f"there is no revision `{place.revision}`{hint}") from None
        self._prefix = f"{PREFIX}{place.revision}:"
        relative = place.path in (".", "..") or place.path.startswith(("./", "../"))
        parts = _joined(tuple(below.split("/")) if relative else (), place.path)
        if parts is None:
            raise GitError(f"`{place.path}` leads out of the repository")
        self._trees: dict[str, dict[str, tuple[str, str]]] = {}
        self._objects: subprocess.Popen[bytes] | None = None
        self.path = self._named(parts)

    def close(self) -> None:
        """End the process that reads objects."""
        if self._objects is not None:
            with suppress(OSError):
                cast("IO[bytes]", self._objects.stdin).close()
            self._objects.wait()
            cast("IO[bytes]", self._objects.stdout).close()
            self._objects = None

    # ---- as a reader of sources

    def relative(self, path: str) -> str:
        """Return the path without superfluous parts."""
        parts = self._parts(path)
        return path if parts is None else self._named(parts)

    def is_directory(self, path: str) -> bool:
        """Tell whether it is a tree, links followed."""
        entry = self._entry(path)
        return entry is not None and entry[0] == _TREE

    def exists(self, path: str) -> bool:
        """Tell whether the tree has such an entry, be it a link to nowhere."""
        parts = self._parts(path)
        if parts is None:
            return False
        if not parts:
            return True
        above = self._resolved(parts[:-1])
        entry = None if above is None else self._at(above)
        return entry is not None and entry[0] == _TREE and parts[-1] in self._tree(entry[1])

    def list_directory(self, path: str) -> tuple[str, ...] | Refusal:
        """Return the names in a tree that are text."""
        entry = self._entry(path)
        if entry is None or entry[0] != _TREE:
            return Refusal("is not a directory of the revision")
        return tuple(sorted(name for name in self._tree(entry[1]) if name.isprintable()))

    def real_path(self, path: str) -> str | None:
        """Return the path inside the tree with links followed; None for one that leads nowhere or leaves the tree."""
        parts = self._parts(path)
        real = None if parts is None else self._resolved(parts)
        if real is None or self._at(real) is None:
            return None
        return "/".join(real) or "."

    def read(self, path: str, limit: int) -> bytes | Refusal:
        """Return a file's bytes, at most `limit` + 1 of them."""
        entry = self._entry(path)
        if entry is None:
            return Refusal("does not exist in the revision")
        if entry[0] in (_TREE, _MODULE):
            return Refusal("is not a regular file of the revision")
        return self._object(entry[1], limit + 1)

    # ---- paths in the tree

    def _named(self, parts: Parts) -> str:
        # A single file stands behind `./`, so that its directory is in this tree and not on the disk.
        entry = self._at(parts)
        alone = len(parts) == 1 and (entry is None or entry[0] != _TREE)
        return self._prefix + ("./" * alone + "/".join(parts) or ".")

    def _parts(self, path: str) -> Parts | None:
        return _joined((), path.removeprefix(self._prefix))

    def _entry(self, path: str) -> tuple[str, str] | None:
        parts = self._parts(path)
        real = None if parts is None else self._resolved(parts)
        return None if real is None else self._at(real)

    def _at(self, real: Parts) -> tuple[str, str] | None:
        """Return mode and object of a path on which no link lies."""
        mode, name = _TREE, self._root
        for part in real:
            entry = self._tree(name).get(part) if mode == _TREE else None
            if entry is None:
                return None
            mode, name = entry
        return mode, name

    def _resolved(self, parts: Parts) -> Parts | None:
        """Return the path with all links followed; what is not there stays as it is. None out of the tree."""
        done: list[str] = []
        todo = list(reversed(parts))
        links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                if not done:
                    return None
                done.pop()
                continue
            entry = self._at((*done, part))
            if entry is None or entry[0] != _LINK:
                done.append(part)
                continue
            links += 1
            target = self._object(entry[1], 4096).decode("utf-8", "surrogateescape")
            if links > _MOST_LINKS or target.startswith("/") or not target:
                return None
            todo += [piece for piece in reversed(target.split("/")) if piece not in ("", ".")]
        return tuple(done)

    # ---- git

    def _tree(self, name: str) -> dict[str, tuple[str, str]]:
        """Return mode and object of each entry of a tree: `MODE NAME`, a NUL, and the object's number in bytes."""
        if name not in self._trees:
            content = self._object(name, 1 << 30)
            size = len(name) // 2
            entries: dict[str, tuple[str, str]] = {}
            at = 0
            while at < len(content):
                space, end = content.index(b" ", at), content.index(b"\0", at)
                mode, entry = content[at:space].decode("ascii"), content[space + 1 : end]
                at = end + 1 + size
                entries[entry.decode("utf-8", "surrogateescape")] = (mode, content[end + 1 : at].hex())
            self._trees[name] = entries
        return self._trees[name]

    def _object(self, name: str, most: int) -> bytes:
        """Return the first bytes of an object; the others are read and thrown away."""
        if self._objects is None:
            self._objects = subprocess.Popen(
                ["git", "cat-file", "--batch"],  # noqa: S607 - the user's own git
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=self._directory,
                env=_environment(),
            )
        asks, tells = cast("IO[bytes]", self._objects.stdin), cast("IO[bytes]", self._objects.stdout)
        asks.write(name.encode("ascii") + b"\n")
        asks.flush()
        words = tells.readline().split()
        if len(words) != 3:
            raise GitError(f"the object {name} is missing from the repository")
        left = int(words[2])
        kept = tells.read(min(left, most))
        left -= len(kept)
        while left > 0:
            passed = tells.read(min(left, _CHUNK))
            if not passed:
                raise GitError(f"the object {name} could not be read to its end")
            left -= len(passed)
        tells.read(1)
        return kept

    def _asked(self, *arguments: str) -> str:
        try:
            done = subprocess.run(  # noqa: S603 - a list of arguments, which no shell reads
                ["git", *arguments],  # noqa: S607 - the user's own git
                capture_output=True,
                cwd=self._directory,
                env=_environment(),
                check=False,
            )
        except FileNotFoundError:
            raise GitError("there is no `git` on this machine") from None
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise GitError(said[0].removeprefix("fatal: ") if said else "git gave no answer")
        return done.stdout.decode("utf-8", "surrogateescape")


def _environment() -> dict[str, str]:
    """Git speaks English, asks nobody for anything, and takes no locks."""
    return {**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}


def _joined(below: Parts, path: str) -> Parts | None:
    """Return a path without `.` and `..`; None where it leads out of the tree."""
    parts = [part for part in below if part]
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return tuple(parts)
