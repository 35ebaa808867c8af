"""Paths written in a program: they stay inside it, whatever is written and wherever links lead."""

from __future__ import annotations

from meshc_compiler.source_reader import Refusal, SourceReader, is_below, plain_path

__all__ = ["resolve_inside"]

LONGEST_PATH = 1024
"""Characters of a path in a program."""


def resolve_inside(root: str, base: str, path: str, reader: SourceReader, *, directory: bool = False) -> str | Refusal:
    """Return the path of a file named in a program, or why it may not be read.

    Args:
        root: The directory of the program, as diagnostics name it.
        base: The directory of the file that names the other, as diagnostics name it: the root, or below it.
        path: What is written: relative to `base`, with `/` between parts.
        reader: Where the files are.
        directory: Whether it may be a directory, too.

    What is written decides, before any link is followed: `a/../b.mesh` is `b.mesh` even if `a` is a link. Then the
    file must exist, be no directory, and really lie below the root. That it is a regular file is seen when it is read.
    """
    refused = _odd(path)
    if refused is not None:
        return refused
    below = _parts(base)
    within = _parts(root)
    if below[: len(within)] != within:
        return Refusal("is named by a file outside the program", outside=True)
    parts = below[len(within) :]
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return Refusal("leads out of the program", outside=True)
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    where = plain_path("/".join([root, *parts]) if root != "." else "/".join(parts))
    real, real_root = reader.real_path(where), reader.real_path(root)
    nearest = real
    while nearest is None and parts:
        # Nothing is there; then the directory tells, so that what lies outside is not found out by asking.
        parts.pop()
        nearest = reader.real_path(plain_path("/".join([root, *parts]) if root != "." else "/".join(parts)))
    if nearest is not None and real_root is not None and not is_below(nearest, real_root):
        return Refusal("leads out of the program, by a link", outside=True)
    if not reader.exists(where):
        return Refusal("does not exist")
    if real is None or real_root is None:
        return Refusal("is a link that leads nowhere, or in a circle")
    return Refusal("is a directory") if reader.is_directory(where) and not directory else where


def _odd(path: str) -> Refusal | None:
    """Say what is wrong with a path as it is written."""
    if not path or not path.isprintable():
        return Refusal("is empty" if not path else "holds a character that cannot be shown")
    if len(path) > LONGEST_PATH:
        return Refusal(f"is longer than {LONGEST_PATH} characters")
    if path.startswith("/") or path[1:3] in (":/", ":\\"):
        return Refusal("is absolute, and a program lies elsewhere on every machine", outside=True)
    if path.startswith("~"):
        return Refusal("begins with `~`, and a program means the same for everyone", outside=True)
    if "\\" in path:
        return Refusal("holds a backslash: parts of a path are separated by `/`")
    return None


def _parts(path: str) -> list[str]:
    plain = plain_path(path)
    return [] if plain == "." else plain.split("/")
