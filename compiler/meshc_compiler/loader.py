"""Files to a program: every `.mesh` file below the directories named, read and parsed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from os.path import commonpath
from typing import TYPE_CHECKING, TypeAlias

from meshc_compiler.finding import Findings
from meshc_compiler.source_reader import DiskReader, MemoryReader, Refusal, SourceReader, is_below, plain_path
from meshc_lang.codes import Code, reading
from meshc_lang.diagnostic import Diagnostic, has_errors
from meshc_lang.parser import parse
from meshc_lang.pattern import pattern
from meshc_lang.record import dataclass
from meshc_lang.source import SourceText, Span
from meshc_lang.tree.declaration import ImportDecl
from meshc_lang.tree.file import SourceFile

if TYPE_CHECKING:
    from meshc_compiler.importing.fact import ImportedFacts

__all__ = ["DiskReader", "MemoryReader", "Parse", "Program", "Refusal", "SourceReader", "load"]

SUFFIX = ".mesh"

LARGEST_FILE = 16 * 1024 * 1024
"""The most bytes of one file that are read: 400,000 lines, far more than people write or look at."""

LARGEST_PROGRAM = 32 * 1024 * 1024
"""The most bytes of all files: what a machine of ordinary size compiles."""

MOST_FILES = 10_000
"""The most files of one program."""

MOST_ENTRIES = 100_000
"""How many names in directories are looked at in search of files: a mistake such as `meshc check /` ends soon."""

DEEPEST_DIRECTORY = 32
"""How deep directories of a program may nest."""

_DECLARATION = pattern(
    r"^[ \t]*(?:(?:service|external|group|jwt|let|template)[ \t]+(?P<name>[A-Za-z0-9_-]+)|mesh\b)", re.MULTILINE
)

_IMPORT = pattern(r"^[ \t]*import\b", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The files of a program in the order of their paths.

    `lost_names` are those that statements with syntax errors seem to declare (`mesh` stands for the mesh itself), and
    `incomplete` tells that some file or import could not be read at all: what depends on them is no error of its own.
    `libraries` are the paths of files that others import: they may define more than is used. `imported` is what files
    of other languages say; None where the program imports nothing.
    """

    files: tuple[SourceFile, ...]
    lost_names: frozenset[str] = frozenset()
    incomplete: bool = False
    libraries: frozenset[str] = frozenset()
    imported: ImportedFacts | None = None

    @property
    def sources(self) -> tuple[SourceText, ...]:
        """The texts of the files."""
        return tuple(file.source for file in self.files)

    @property
    def read(self) -> tuple[SourceText, ...]:
        """The texts of the files, and those of other languages that they import."""
        return self.sources if self.imported is None else (*self.sources, *self.imported.sources)


Parse: TypeAlias = Callable[[SourceText], tuple[SourceFile, tuple[Diagnostic, ...]]]
"""From a text to its tree, as `parser.parse` does it: whoever keeps trees of texts that seldom change has another."""


def load(
    paths: Sequence[str], reader: SourceReader, parse: Parse = parse, *, imports: bool = True
) -> tuple[Program, tuple[Diagnostic, ...]]:
    """Read and parse a program: the files named, and every `.mesh` file below the directories named.

    Hidden directories are passed over. A file that is reached twice is read once. What cannot be read becomes a
    diagnostic at the file's (empty) beginning. However much there is, time and memory are bounded. Without `imports`
    what the files import is not read, and a program that imports something is incomplete.
    """
    findings = Findings()
    found: dict[str, str] = {}
    directories: list[str] = []
    for path in paths:
        given = reader.relative(path)
        if not reader.exists(given):
            findings.add(reading.NO_SUCH_FILE, f"there is no file or directory `{path}`", _nowhere(given))
        elif reader.is_directory(given):
            _find_files(given, reader, found, findings)
            directories.append(given)
        elif (real := reader.real_path(given)) is None:
            findings.add(reading.PATH_ESCAPES, f"the link `{path}` leads nowhere, or in a circle", _nowhere(given))
        else:
            found.setdefault(real, given)
            directories.append(directory_of(given))
    if len(found) > MOST_FILES:
        message = f"the program has {len(found):,} files, and more than {MOST_FILES:,} are not read"
        findings.add(reading.PROGRAM_TOO_LARGE, message, _nowhere(min(found.values())))
        found = {}
    shelf = FileShelf(reader, parse, findings)
    for real, path in sorted(found.items(), key=lambda pair: pair[1]):
        problem = shelf.add(real, path)
        if problem is not None:
            findings.add(problem.code, problem.message, _nowhere(path))
            if problem.code is reading.PROGRAM_TOO_LARGE:
                break
    imported = None
    has_imports = any(
        isinstance(statement, ImportDecl) for file in shelf.files.values() for statement in file.statements
    )
    if has_imports and imports:
        from meshc_compiler.importing.load import load_imports  # most programs import nothing

        imported = load_imports(shelf, _common_directory(directories), reader, findings)
    unread = any(found.code.id.startswith("MSH08") for found in findings.all())
    incomplete = shelf.incomplete or unread or (has_imports and not imports)
    return Program(
        files=tuple(sorted(shelf.files.values(), key=lambda file: file.source.path)),
        lost_names=frozenset(shelf.lost_names),
        incomplete=incomplete or (imported is not None and imported.incomplete),
        libraries=frozenset() if imported is None else imported.libraries,
        imported=imported,
    ), findings.all()


@dataclass(frozen=True, slots=True)
class Unread:
    """Why a file is not part of the program."""

    code: Code
    message: str


class FileShelf:
    """The files of a program by their real paths, each read and parsed when it is added; all of them are bounded."""

    def __init__(self, reader: SourceReader, parse: Parse, findings: Findings) -> None:
        self._reader = reader
        self._parse = parse
        self._findings = findings
        self._left = LARGEST_PROGRAM
        self.files: dict[str, SourceFile] = {}
        self.lost_names: set[str] = set()
        self.incomplete = False

    def add(self, real: str, path: str) -> Unread | None:
        """Read and parse one more file; tell why it could not be had."""
        source = read_text(path, self._reader, LARGEST_FILE)
        if isinstance(source, Unread):
            return source
        self._left -= len(source.text)
        if self._left < 0 or len(self.files) >= MOST_FILES:
            size = f"{LARGEST_PROGRAM // 1024 // 1024} MiB" if self._left < 0 else f"{MOST_FILES:,} files"
            message = f"the program is larger than {size} in all: `{path}` and what comes behind it are not read"
            return Unread(reading.PROGRAM_TOO_LARGE, message)
        self.files[real], problems = self._parse(source)
        self._findings.extend(problems)
        if has_errors(problems):
            file = self.files[real]
            self.lost_names.update(declared["name"] or "mesh" for declared in _DECLARATION.finditer(source.text))
            self.lost_names.update(name.text for name in file.unread_names)
            imports = sum(isinstance(statement, ImportDecl) for statement in file.statements)
            # What an import that cannot be read would have brought nobody knows.
            self.incomplete |= imports < len(_IMPORT.findall(source.text))
        return None


def directory_of(path: str) -> str:
    """Return the directory in which a file lies, as paths are written."""
    directory, slash, _ = plain_path(path).rpartition("/")
    return directory or ("/" if slash else ".")


def _common_directory(directories: Sequence[str]) -> str:
    """Return the directory below which all of these lie: that of the program."""
    if len({path.startswith("/") for path in directories}) != 1:
        return "."
    return commonpath(directories) or "."


def _find_files(root: str, reader: SourceReader, found: dict[str, str], findings: Findings) -> None:
    """Add the `.mesh` files below a directory to `found`, by real path; links must stay inside the directory."""
    real_root = reader.real_path(root)
    files = 0
    problems = len(findings.all())
    entered: set[str | None] = {real_root}
    entries = 0
    todo = [(root, 0)]
    while todo:
        directory, depth = todo.pop()
        names = reader.list_directory(directory)
        if isinstance(names, Refusal):
            findings.add(reading.UNREADABLE_FILE, f"`{directory}` {names.reason}", _nowhere(directory))
            continue
        entries += len(names)
        if entries > MOST_ENTRIES:
            message = f"there are more than {MOST_ENTRIES:,} files and directories in `{root}`"
            findings.add(reading.PROGRAM_TOO_LARGE, message, _nowhere(root))
            found.clear()
            return
        for name in names:
            path = name if directory == "." else f"{directory.rstrip('/')}/{name}"
            is_directory = reader.is_directory(path)
            if name.startswith(".") or not (is_directory or name.endswith(SUFFIX)):
                continue
            real = reader.real_path(path)
            if real is None:
                message = f"the link `{path}` leads nowhere, or in a circle"
                findings.add(reading.PATH_ESCAPES, message, _nowhere(path))
            elif real_root is not None and not is_below(real, real_root):
                findings.add(reading.PATH_ESCAPES, f"`{path}` leads out of the directory `{root}`", _nowhere(path))
            elif not is_directory:
                files += 1
                found.setdefault(real, path)
            elif real in entered:
                findings.add(reading.PATH_ESCAPES, f"`{path}` leads back to where it came from", _nowhere(path))
            elif depth == DEEPEST_DIRECTORY:
                message = f"`{path}` lies more than {DEEPEST_DIRECTORY} directories below `{root}`"
                findings.add(reading.PROGRAM_TOO_DEEP, message, _nowhere(path))
            else:
                entered.add(real)
                todo.append((path, depth + 1))
    if not files and len(findings.all()) == problems:
        message = f"there is no `.mesh` file in `{root}`"
        findings.add(reading.EMPTY_PROGRAM, message, _nowhere(root))


def read_text(path: str, reader: SourceReader, largest: int) -> SourceText | Unread:
    """Read a UTF-8 file of at most `largest` bytes."""
    content = reader.read(path, largest)
    if isinstance(content, Refusal):
        return Unread(reading.UNREADABLE_FILE, f"`{path}` {content.reason}")
    if len(content) > largest:
        return Unread(reading.FILE_TOO_LARGE, f"`{path}` is larger than {largest // 1024 // 1024} MiB")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"`{path}` is not UTF-8: byte 0x{content[error.start]:02X} in line {line}"
        return Unread(reading.NOT_UTF8, message)
    # A byte order mark says nothing about UTF-8 and would be a character of the first word.
    return SourceText(path, text.removeprefix("\ufeff"))


def _nowhere(path: str) -> Span:
    return SourceText(path, "").span(0, 0)
