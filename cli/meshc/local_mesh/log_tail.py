"""The logs of a running mesh, line by line as they grow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


class LogTail:
    """Follows every log in a folder; what it has told once it does not tell again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, int] = {}

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield whole new lines, each with the name of its log."""
        for path in sorted(self._folder.glob("*.log")):
            start = self._read.get(path.name, 0)
            with path.open("rb") as file:
                file.seek(start)
                new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            self._read[path.name] = start + len(whole)
            for line in whole.decode("utf-8", "replace").splitlines():
                yield path.name.removesuffix(".log"), line
