"""Missing tests put into a program: which file, which text, and that they pass before anything is written."""

from __future__ import annotations

from collections.abc import Sequence

from meshc_compiler.coverage.measure import Coverage, measure
from meshc_compiler.coverage.missing_test import MissingCase, cases_text
from meshc_compiler.examples import run_examples
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.loader import Refusal, SourceReader
from meshc_compiler.pipeline import CompileResult, compile_all
from meshc_lang.diagnostic import Severity
from meshc_lang.record import dataclass

NEW_FILE = "coverage.test.mesh"
"""The file of a program's directory into which tests are written if no other is named."""

_HEADING = "# Cases that `meshc test --fill` wrote: read them, and say so where the policy should decide otherwise.\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """A file with the tests that were missing. `before` is None where there is no such file yet.

    Nothing was written. `index` and `coverage` are those of the program with them; `left_out` are cases that no test
    block of the program can hold, because some overlay lacks what they name.
    """

    path: str
    before: bytes | None
    after: bytes
    cases: tuple[MissingCase, ...]
    left_out: tuple[MissingCase, ...]
    coverage: Coverage
    index: MeshIndex

    @property
    def text_before(self) -> str:
        """The file's text as it is."""
        return (self.before or b"").decode("utf-8").removeprefix("\ufeff")

    @property
    def text_after(self) -> str:
        """The file's text with the tests."""
        return self.after.decode("utf-8").removeprefix("\ufeff")


class NotOfTheProgramError(Exception):
    """The file that was named is none that the program reads, nor would be."""


def default_file(paths: Sequence[str], reader: SourceReader) -> str:
    """Return the file for tests of a program: one of its own in the first directory, or else the last file named."""
    for path in paths:
        if reader.is_directory(reader.relative(path)):
            directory = path.rstrip("/") or "/"
            return reader.relative(NEW_FILE if directory == "." else f"{directory.rstrip('/')}/{NEW_FILE}")
    return reader.relative(paths[-1])


def fill(paths: Sequence[str], reader: SourceReader, path: str, cases: tuple[MissingCase, ...]) -> Filling:
    """Return a program's file with these cases behind what it holds; each passes, which was tried.

    Raises `NotOfTheProgramError` where the program would not read them there.
    """
    before = reader.read(path, _LARGEST) if reader.exists(path) else None
    if isinstance(before, Refusal):
        raise NotOfTheProgramError(f"`{path}` {before.reason}")
    left_out: list[MissingCase] = []
    while True:
        after = _extended(before, cases_text(cases))
        result = compile_all(paths, _Extended(reader, path, after))
        impossible = _impossible(result, path, cases)
        if not impossible:
            break
        left_out += impossible
        cases = tuple(case for case in cases if case not in impossible)
    index = _read(result)
    return Filling(
        path=path,
        before=before,
        after=after,
        cases=cases,
        left_out=tuple(left_out),
        coverage=_tried(index, path, cases),
        index=index,
    )


_LARGEST = 16 * 1024 * 1024


def _extended(before: bytes | None, tests: str) -> bytes:
    if not tests:
        return before or b""
    if before is None or not before.strip():
        return (before or b"") + (_HEADING + tests).encode()
    text = before.decode("utf-8")
    gap = "\n" if text.endswith("\n") else "\n\n"
    added = gap + tests
    return before + (added.replace("\n", "\r\n") if "\r\n" in text else added).encode()


def _impossible(result: CompileResult, path: str, cases: tuple[MissingCase, ...]) -> list[MissingCase]:
    """Return the cases of which some overlay, or the program itself, makes an error."""
    lines = {case.line: case for case in cases}
    wrong: dict[str, None] = {}
    for one in result.diagnostics:
        if one.severity is Severity.ERROR and one.primary.source.path == path:
            wrong[one.primary.source.line(one.primary.first.line).strip()] = None
    return [lines[line] for line in wrong if line in lines]


def _read(result: CompileResult) -> MeshIndex:
    if result.index is None:
        raise AssertionError("with these tests the program cannot be read; nothing was written")
    return result.index


def _tried(index: MeshIndex, path: str, cases: tuple[MissingCase, ...]) -> Coverage:
    """Return the coverage of the program with the cases, all of which must pass."""
    ran = run_examples(index)
    here = {one.request: one for one in ran if one.span is not None and one.span.source.path == path}
    for case in cases:
        one = here.get(case.request.text)
        if one is None:
            raise NotOfTheProgramError(f"`{path}` is no file of the program")
        if not one.passed:
            raise AssertionError(f"a test that was to be written fails: {one.name}; nothing was written")
    return measure(index, (one.decision for one in ran))


class _Extended:
    """Files from a reader, one of them with another text, be it there or not."""

    def __init__(self, reader: SourceReader, path: str, content: bytes) -> None:
        self._reader = reader
        self._path = path
        self._content = content
        self._new = not reader.exists(path)
        self._directory, _, self._name = path.rpartition("/")

    def relative(self, path: str) -> str:
        return self._reader.relative(path)

    def is_directory(self, path: str) -> bool:
        return self._reader.is_directory(path)

    def exists(self, path: str) -> bool:
        return path == self._path or self._reader.exists(path)

    def list_directory(self, path: str) -> tuple[str, ...] | Refusal:
        names = self._reader.list_directory(path)
        if self._new and not isinstance(names, Refusal) and path == (self._directory or "."):
            return tuple(sorted((*names, self._name)))
        return names

    def real_path(self, path: str) -> str | None:
        if path == self._path and self._new:
            directory = self._reader.real_path(self._directory or ".")
            return None if directory is None else (self._name if directory == "." else f"{directory}/{self._name}")
        return self._reader.real_path(path)

    def read(self, path: str, limit: int) -> bytes | Refusal:
        return self._content[: limit + 1] if path == self._path else self._reader.read(path, limit)
