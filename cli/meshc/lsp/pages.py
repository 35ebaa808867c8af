"""The pages of codes as files that an editor can open: written when a code is first told, gone at the end."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from meshc.lsp.analysis.hover import code_text
from meshc_lang.codes import CODES


class Pages:
    """A folder with a page for each code that was told."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._hrefs: dict[str, str | None] = {}

    def href(self, code: str) -> str | None:
        """Return the address of a code's page; None where it cannot be written."""
        if code not in self._hrefs:
            self._hrefs[code] = self._write(code)
        return self._hrefs[code]

    def _write(self, code: str) -> str | None:
        try:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="meshc-pages-"))
            page = self._folder / f"{code}.md"
            page.write_text(code_text(CODES[code]) + "\n", encoding="utf-8")
            return page.as_uri()
        except OSError:
            return None

    def remove(self) -> None:
        """Take the folder away."""
        if self._folder is not None:
            with contextlib.suppress(OSError):
                shutil.rmtree(self._folder)
            self._folder = None
