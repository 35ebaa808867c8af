"""Text to syntax tree; every mistake becomes a diagnostic, and no text at all raises.

A whole text is read at once. Only where that fails is it cut into statements (`recovery`), each read by itself, so that
all errors of a file are told together and the statements without one are kept.
"""

from __future__ import annotations

import _thread
import bisect
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from meshc_lang.codes import syntax
from meshc_lang.collector import collector_paused
from meshc_lang.diagnostic import Diagnostic, in_order
from meshc_lang.pattern import pattern
from meshc_lang.record import dataclass
from meshc_lang.request import Request
from meshc_lang.source import SourceText
from meshc_lang.tables import GRAMMAR_STARTS, grammar_text, load_tables
from meshc_lang.tree.declaration import ExternalDecl, GroupDecl, JwtDecl, LetDecl, ServiceDecl
from meshc_lang.tree.file import Comment, SourceFile
from meshc_lang.tree.node import Name
from meshc_lang.tree.statement import AnyStatement, TemplateDecl, UseDecl
from meshc_lang.tree.walk import walk

if TYPE_CHECKING:
    from meshc_lang.reader import Reader
    from meshc_lang.recovery import Chunk
    from meshc_lang.tree_builder import TreeBuilder

__all__ = [
    "GRAMMAR_STARTS",
    "StretchReading",
    "grammar_text",
    "join_readings",
    "parse",
    "parse_request",
    "read_stretch",
    "reads_as_program",
]

_MOST_ERRORS = 500
"""After so many a text is not a program, and the rest of its errors tell nobody anything."""

_MOST_WORK = 2_000_000
"""How many characters are read again in search of further faults of one statement."""

_DECLARED = pattern(
    r"^[ \t]*(service|external|group|jwt|let|template)[ \t]+([A-Za-z_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)", re.MULTILINE
)
_ARGUMENT = pattern(r'"(?:[^"\\\n]|\\.)*+"|/[^\s,()]*|[0-9][A-Za-z0-9_./%]*|([A-Za-z_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)')

_LOCK = _thread.allocate_lock()
"""The one reader holds the state of the text that is being read."""


def parse(source: SourceText) -> tuple[SourceFile, tuple[Diagnostic, ...]]:
    """Read a file: its statements and comments, and everything that is wrong with its text.

    Statements that can't be read are left out, each with at least one error; the names they would have declared are
    kept in `SourceFile.unread_names`. Never raises for any text.
    """
    with _LOCK, collector_paused():
        reader = _reader()
        statements = reader.read(source, 0, source.text, "start")
        if statements is None:
            return _recover(reader, source)
        problems = reader.builder.problems
        kept, unread = _without_faulty(statements, problems)
        comments = tuple(reader.builder.comments)
        file = SourceFile(source=source, statements=kept, comments=comments, unread_names=unread)
        return file, in_order(problems)[:_MOST_ERRORS]


def parse_request(text: str) -> tuple[Request | None, tuple[Diagnostic, ...]]:
    """Read one request in the notation of `test` blocks; None, and why, if it is none. Never raises for any text."""
    from meshc_lang.request_line import read_plain_request  # here, since its expressions take 2 ms to compile

    plain = read_plain_request(text)
    if plain is not None:
        return plain, ()
    source = SourceText("<request>", text)
    with _LOCK:
        reader = _reader()
        request = reader.read(source, 0, text, "request_line")
        if request is None:
            return None, (reader.why_not(source, 0, text, "request_line", ""),)
        return (None if reader.builder.problems else request), in_order(reader.builder.problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class StretchReading:
    """What came of reading one stretch of a file by itself.

    `statements` are all that were read, those with a problem included; None where the stretch cannot be read.
    `unread` is what it would have declared then.
    """

    statements: tuple[AnyStatement, ...] | None
    comments: tuple[Comment, ...]
    problems: tuple[Diagnostic, ...]
    unread: tuple[Name, ...]


def read_stretch(source: SourceText, chunk: Chunk) -> StretchReading:
    """Read one stretch of a text that was cut apart (`recovery.cut`), by itself. Never raises for any text."""
    with _LOCK:
        return _read_stretch(_reader(), source, chunk)


def reads_as_program(text: str) -> bool:
    """Tell whether the whole text can be read, if perhaps with problems."""
    with _LOCK, collector_paused():
        return _reader().read(SourceText("", text), 0, text, "start") is not None


def join_readings(
    source: SourceText, readings: Iterable[StretchReading], *, whole: bool
) -> tuple[SourceFile, tuple[Diagnostic, ...]]:
    """Put together what was read stretch by stretch; `whole` tells that the text can be read as a whole as well.

    The result is that of `parse`, which of a text that cannot be read takes whole stretches away, and else statements.
    """
    statements: list[AnyStatement] = []
    comments: list[Comment] = []
    unread: list[Name] = []
    found: list[Diagnostic] = []
    for reading in readings:
        if len(found) >= _MOST_ERRORS and not whole:
            break
        found += reading.problems
        comments += reading.comments
        if not reading.problems and reading.statements is not None:
            statements += reading.statements
        elif whole and reading.statements is not None:
            kept, lost = _without_faulty(reading.statements, list(reading.problems))
            statements += kept
            unread += lost
        else:
            unread += reading.unread
    file = SourceFile(source=source, statements=tuple(statements), comments=tuple(comments), unread_names=tuple(unread))
    return file, in_order(found)[:_MOST_ERRORS]


class _Reader:
    """The reader and the builder of its nodes, made once a process."""

    def __init__(self, reader: Reader, builder: TreeBuilder) -> None:
        self.reader = reader
        self.builder = builder

    def read(self, source: SourceText, base: int, text: str, start: str) -> Any | None:
        """Read `text`, which stands at `base` of `source`; None where it fails. Problems are left with the builder."""
        return self.reader.read(source, base, text, start)

    def why_not(self, source: SourceText, base: int, text: str, start: str, keyword: str) -> Diagnostic:
        """Say why a text cannot be read, which `read` has refused."""
        from meshc_lang.parse_errors import explain, failure_at

        stop = self.reader.stop(text, start)
        if stop.too_deep:
            span = source.span(base + stop.offset, base + stop.offset + 1)
            message = "this nests deeper than any program needs"
            return Diagnostic(code=syntax.TOO_DEEP, message=message, primary=span)
        return explain(failure_at(source, base, len(text), stop.offset, stop.tokens, stop.accepts, keyword))


def _recover(reader: _Reader, source: SourceText) -> tuple[SourceFile, tuple[Diagnostic, ...]]:
    """Read statement by statement a text that does not read as a whole."""
    from meshc_lang.recovery import cut

    file, found = join_readings(source, (_read_stretch(reader, source, chunk) for chunk in cut(source)), whole=False)
    if not found:
        # Cut apart it reads: only two statements joined in a way that no cut sees can do that.
        found = (reader.why_not(source, 0, source.text, "start", "statement"),)
    return file, found


def _read_stretch(reader: _Reader, source: SourceText, chunk: Chunk) -> StretchReading:
    if chunk.broken:
        unread = tuple(_declared(source, chunk))
        return StretchReading(statements=None, comments=(), problems=chunk.problems, unread=unread)
    read, errors, comments = _read_chunk(reader, source, chunk)
    return StretchReading(
        statements=read,
        comments=tuple(comments),
        problems=(*chunk.problems, *errors),
        unread=tuple(_declared(source, chunk)) if read is None or errors else (),
    )


def _read_chunk(
    reader: _Reader, source: SourceText, chunk: Chunk
) -> tuple[Any | None, list[Diagnostic], list[Comment]]:
    """Read one statement; where a line of its block is at fault, leave it out to find the next fault.

    Returns the statement, None where it cannot be read, with what is wrong with it, and the comments.
    """
    text = source.text[chunk.start : chunk.end]
    errors: list[Diagnostic] = []
    for _ in range(1 + _MOST_WORK // (len(text) + 1)):
        read = reader.read(source, chunk.start, text, "start")
        if read is not None:
            return (None if errors else read), errors + reader.builder.problems, reader.builder.comments
        comments = reader.builder.comments
        fault = reader.why_not(source, chunk.start, text, "start", chunk.keyword)
        reader.builder.comments = comments
        if errors and fault.primary.text == "}":
            # With its faulty lines left out the block may lack what it needs: no fault of its own.
            break
        errors.append(fault)
        line = next((line for line in chunk.entries if line[0] <= fault.primary.start <= line[1]), None)
        if line is None:
            break
        start, end = line[0] - chunk.start, line[1] - chunk.start
        text = text[:start] + " " * (end - start) + text[end:]
    return None, errors, reader.builder.comments


def _without_faulty(
    statements: tuple[AnyStatement, ...], problems: list[Diagnostic]
) -> tuple[tuple[AnyStatement, ...], tuple[Name, ...]]:
    """Part statements in which a problem was found from the others; of the former return what they declare."""
    if not problems:
        return statements, ()
    places = sorted(problem.primary.start for problem in problems)
    kept: list[AnyStatement] = []
    unread: list[Name] = []
    for statement in statements:
        first = bisect.bisect_left(places, statement.span.start)
        if first == len(places) or places[first] >= statement.span.end:
            kept.append(statement)
        else:
            unread += _declared_by(statement)
    return tuple(kept), tuple(unread)


def _declared_by(statement: AnyStatement) -> Iterator[Name]:
    """The names that a statement, or one that it holds, brings into being; those that a `use` may declare by them."""
    for node in walk(statement):
        if isinstance(node, ServiceDecl | ExternalDecl | GroupDecl | JwtDecl | LetDecl | TemplateDecl):
            yield node.name
        elif isinstance(node, UseDecl):
            yield from (argument for argument in node.arguments if isinstance(argument, Name))


def _declared(source: SourceText, chunk: Chunk) -> list[Name]:
    """As `_declared_by`, of a statement that cannot be read."""
    from meshc_lang.recovery import HOLDING_STATEMENTS

    text = source.text
    if chunk.keyword in HOLDING_STATEMENTS:
        found = [(one.start(2), one[2]) for one in _DECLARED.finditer(text, chunk.start, chunk.end)]
    elif chunk.keyword == "use":
        opener = text.find("(", chunk.start, chunk.end)
        read = _ARGUMENT.finditer(text, opener, chunk.end) if opener >= 0 else ()
        found = [(one.start(1), one[1]) for one in read if one[1]]
    else:
        first = _DECLARED.search(text, chunk.start, chunk.end)
        found = [(first.start(2), first[2])] if first is not None and first[1] == chunk.keyword else []
    return [Name(span=source.span(start, start + len(name)), text=name) for start, name in found]


@cache
def _reader() -> _Reader:
    """Make the reader at the first parse: what only asks for the vocabulary need not load the tables."""
    from meshc_lang.reader import Reader
    from meshc_lang.tree_builder import TreeBuilder

    builder = TreeBuilder()
    return _Reader(Reader(load_tables(), builder), builder)
