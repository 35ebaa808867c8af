"""Programs in their canonical form: what would change, and the changes written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from meshc.replacing import replace_file
from meshc_backends.finding import finding, reason_of
from meshc_compiler.loader import DiskReader, load
from meshc_lang.codes.reading import NOT_UTF8
from meshc_lang.codes.style import NOT_CANONICAL
from meshc_lang.codes.targets import OUTPUT_UNWRITABLE
from meshc_lang.diagnostic import Diagnostic, has_errors
from meshc_lang.format import format_file
from meshc_lang.parser import parse
from meshc_lang.record import dataclass
from meshc_lang.source import SourceText
from meshc_lang.tree.file import SourceFile

STDIN = "<stdin>"


@dataclass(frozen=True, slots=True)
class Formatted:
    """One file's text as it is, and in canonical form."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Formatting:
    """The files that could be read, and the findings about those that could not."""

    files: tuple[Formatted, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def changed(self) -> tuple[Formatted, ...]:
        """The files that are not canonical."""
        return tuple(file for file in self.files if file.before != file.after)


def format_tree(paths: tuple[str, ...]) -> Formatting:
    """Format the files of a program; those with syntax errors are left out, each with its errors."""
    program, diagnostics = load(paths, DiskReader(), imports=False)
    broken = {id(one.primary.source) for one in diagnostics if has_errors((one,))}
    sound = (file for file in program.files if id(file.source) not in broken)
    return Formatting(files=tuple(map(_format, sound)), diagnostics=diagnostics)


def format_stream(content: bytes) -> Formatting:
    """Format one text that comes from standard input."""
    try:
        source = SourceText(STDIN, content.decode("utf-8").removeprefix("\ufeff"))
    except UnicodeDecodeError as error:
        message = f"standard input is not UTF-8: byte 0x{content[error.start]:02X}"
        return Formatting(files=(), diagnostics=(finding(NOT_UTF8, Path(STDIN), message),))
    file, diagnostics = parse(source)
    return Formatting(files=() if has_errors(diagnostics) else (_format(file),), diagnostics=diagnostics)


def write_formatted(changed: Iterable[Formatted]) -> tuple[tuple[str, ...], tuple[Diagnostic, ...]]:
    """Write files, each in one step; return the paths that were written, and why others were not."""
    written: list[str] = []
    problems: list[Diagnostic] = []
    for file in changed:
        try:
            replace_file(file.path, file.after.encode())
        except OSError as error:
            message = f"`{file.path}` cannot be written: {reason_of(error)}"
            problems.append(finding(OUTPUT_UNWRITABLE, Path(file.path), message))
        else:
            written.append(file.path)
    return tuple(written), tuple(problems)


def uncanonical(file: Formatted) -> Diagnostic:
    """Return the finding that a file is not canonical, at the first line that would be another."""
    source = SourceText(file.path, file.before)
    lines = file.after.split("\n")
    same = (source.line(number) == line for number, line in enumerate(lines, start=1))
    first = next((number for number, alike in enumerate(same, start=1) if not alike), 1)
    start = source.line_starts[min(first, len(source.line_starts)) - 1]
    return Diagnostic(
        code=NOT_CANONICAL,
        message=f"`{file.path}` is not in the canonical form",
        primary=source.span(start, start + len(source.line(first))),
        help="`meshc fmt` writes it",
        subject=f"file {file.path}",
    )


def _format(file: SourceFile) -> Formatted:
    text = format_file(file)
    again, problems = parse(SourceText(file.source.path, text))
    if problems or again.statements != file.statements:
        raise AssertionError(f"the canonical form of {file.source.path} would say something else; nothing was written")
    return Formatted(file.source.path, file.source.text, text)
