"""Two texts of one file as a unified diff."""

from __future__ import annotations

import difflib

from meshc.render.terminal import Ink, Terminal

_INKS = {"+": Ink.ADDED, "-": Ink.REMOVED, "@": Ink.FRAME}


def difference(path: str, before: str, after: str, terminal: Terminal) -> str:
    """Return the diff; `patch -p0` takes it where nothing is coloured."""
    lines = difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), path, path, n=2)
    out: list[str] = []
    for line in lines:
        ink = _INKS.get(line[0])
        text = line.rstrip("\n")
        out.append(terminal.paint(text, ink) if ink is not None else text)
        if not line.endswith("\n"):
            out.append("\\ No newline at end of file")
    return "\n".join(out) + "\n"
