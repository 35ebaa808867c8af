"""The files of a program as the editor has them: texts in memory over the files on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from meshc_compiler.loader import SUFFIX, DiskReader, Refusal
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.incremental import IncrementalSource
from meshc_lang.source import SourceText
from meshc_lang.tree.file import SourceFile


class OpenFilesReader(DiskReader):
    """The folder of a program; of a file that is open, the text in the editor. `texts` is by absolute path."""

    def __init__(self, folder: str, texts: Mapping[str, str]) -> None:
        super().__init__(Path(folder))
        self._folder = PurePosixPath(folder)
        self._texts = texts

    def _key(self, path: str) -> str:
        return str(self._folder / path)

    def is_directory(self, path: str) -> bool:
        """Ask the file system; a folder is where open files are, though it may have been deleted under them."""
        return super().is_directory(path) or any(key.startswith(self._key(path) + "/") for key in self._texts)

    def exists(self, path: str) -> bool:
        """Tell whether the file is open or on disk."""
        return self._key(path) in self._texts or super().exists(path) or self.is_directory(path)

    def list_directory(self, path: str) -> tuple[str, ...] | Refusal:
        """Return what is on disk, and the open files that are not, or not yet."""
        listed = super().list_directory(path)
        prefix = self._key(path) + "/"
        own = {key.removeprefix(prefix).split("/")[0] for key in self._texts if key.startswith(prefix)}
        if isinstance(listed, Refusal):
            return tuple(sorted(own)) if own else listed
        return tuple(sorted({*listed, *own}))

    def real_path(self, path: str) -> str | None:
        """Follow links; a file that is only in the editor is where it says."""
        real = super().real_path(path)
        if real is None and (self._key(path) in self._texts or self.is_directory(path)):
            return self._key(path)
        return real

    def read(self, path: str, limit: int) -> bytes | Refusal:
        """Return the text in the editor, or what is on disk."""
        text = self._texts.get(self._key(path))
        if text is None:
            real = self._texts.get(super().real_path(path) or "")
            if real is None:
                return super().read(path, limit)
            text = real
        return text.encode("utf-8", "replace")[: limit + 1]

    def files_beside(self) -> tuple[str, ...]:
        """Return the `.mesh` files in the folder itself."""
        names = self.list_directory(".")
        if isinstance(names, Refusal):
            return ()
        return tuple(name for name in names if name.endswith(SUFFIX) and name[0] != "." and not self.is_directory(name))


class ParsedFiles:
    """The trees of texts that seldom change: of one that did, only the statements that did are read again."""

    def __init__(self) -> None:
        self._sources: dict[str, IncrementalSource] = {}
        self._files: dict[str, tuple[str, tuple[SourceFile, tuple[Diagnostic, ...]]]] = {}
        self._unfinished: str | None = None

    def parse(self, source: SourceText) -> tuple[SourceFile, tuple[Diagnostic, ...]]:
        """Return what `parser.parse` returns."""
        known = self._files.get(source.path)
        if known is not None and known[0] == source.text:
            return known[1]
        self._unfinished = source.path
        incremental = self._sources.get(source.path)
        if incremental is None:
            incremental = self._sources[source.path] = IncrementalSource(source.path, source.text)
        else:
            incremental.set_text(source.text)
        parsed = incremental.file()
        self._files[source.path] = (source.text, parsed)
        self._unfinished = None
        return parsed

    def drop_unfinished(self) -> None:
        """Forget a file of which the reading was cut short: it may be half of one text and half of another."""
        if self._unfinished is not None:
            self._sources.pop(self._unfinished, None)
            self._files.pop(self._unfinished, None)
            self._unfinished = None
