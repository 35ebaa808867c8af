"""Cuts a text that does not parse into statements, so that each can be read, and its errors told, on its own.

A statement begins on a line at brace depth 0 and ends with the line on which the depth is 0 again. Where braces do not
balance, indentation tells which one is to blame.
"""

from __future__ import annotations

from meshc_lang.codes import syntax
from meshc_lang.diagnostic import Applicability, Diagnostic, Edit, Fix, Label
from meshc_lang.pattern import pattern
from meshc_lang.record import dataclass
from meshc_lang.source import SourceText, Span

__all__ = ["HOLDING_STATEMENTS", "STATEMENTS", "STATEMENT_LINE", "Chunk", "cut", "cut_beginning"]

STATEMENTS = (
    "edition",
    "import",
    "mesh",
    "service",
    "external",
    "group",
    "jwt",
    "let",
    "template",
    "use",
    "allow",
    "deny",
    "defaults",
    "edge",
    "route",
    "limit",
    "mirror",
    "fault",
    "slo",
    "assert",
    "test",
    "overlay",
)
"""The words with which statements begin, in the order of the language guide."""

HOLDING_STATEMENTS = ("template", "overlay")
"""Statements whose blocks hold statements: what looks like one may stand in them."""

_OPENERS = {"{": "}", "[": "]", "(": ")"}

_TOKEN = pattern(
    r'(?P<string>"(?:[^"\\\r\n]|\\[^\r\n])*+")|(?P<unclosed>")|(?P<comment>\#[^\r\n]*)|(?P<opener>[{\[(])'
    r"|(?P<closer>[}\])])|(?P<path>(?<![A-Za-z0-9_])/(?:[^\s{}()\[\],;\"#]|\{[^\s{}]*\}|\([^\s(){}\[\]\"#]*\))*+)"
)
_TARGET = pattern(r"/[^ \t\r\n]*")

STATEMENT_LINE = pattern(
    r"[ \t]*(?:(?:mesh|service|external|jwt|group|defaults|route|let|mirror|slo|overlay|set|drop)[ \t]+[A-Za-z_]"
    r"|(?:template|use)[ \t]+[A-Za-z_][A-Za-z0-9_-]*[ \t]*\(|test[ \t]+\"|import[ \t]+(?:[a-z]+[ \t]+)?\""
    r"|edition[ \t]+[0-9]|assert[ \t]+[a-z]|(?:allow|deny|edge|limit|fault)[ \t]+[\"A-Za-z_].*->)"
)
"""A line that can only begin a statement: no entry of a block has two words in a row."""

_OUTERMOST_LINE = pattern(r"[ \t]*(?:mesh|edition|import|template|overlay)[ \t]+[A-Za-z0-9_\"]")
"""A line that begins a statement which stands in no other."""

_WORD = pattern(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of text that holds one statement and the comments above it; `broken` if its braces are at fault.

    `entries` are the lines of its blocks that could be taken out without upsetting the braces, `problems` what is wrong
    with its quotes and braces.
    """

    start: int
    end: int
    keyword: str
    broken: bool
    entries: tuple[tuple[int, int], ...]
    problems: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class _Opener:
    """Something that is open; `holds` if it is the block of a template or an overlay, in which statements stand."""

    mark: str
    offset: int
    indent: int
    holds: bool = False


class _Cutter:
    """Goes over the lines once, with the stack of what is open."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.chunks: list[Chunk] = []
        self.begin(0)

    def begin(self, offset: int) -> None:
        """Begin a new chunk."""
        self.start = offset
        self.keyword: str | None = None
        # The statement that the line belongs to: the chunk's, or one that it holds; and whether its block was opened.
        self.word = ""
        self.opened = False
        self.held: int | None = None
        self.inner_indent: int | None = None
        self.stack: list[_Opener] = []
        self.suspects: list[tuple[_Opener, int]] = []
        self.lowest = 0
        self.broken = False
        self.continued = ""
        self.entries: list[tuple[int, int]] = []
        self.problems: list[Diagnostic] = []

    def run(self) -> None:
        """Cut all that ends before the text does."""
        text = self.source.text
        starts = self.source.line_starts
        for index, start in enumerate(starts):
            end = starts[index + 1] if index + 1 < len(starts) else len(text)
            if start == len(text):
                # What follows the last line break is no line: more text may follow it, of which nothing is known.
                break
            line = text[start:end]
            content = line.strip()
            if content and not content.startswith("#"):
                self.line_begins(start, line)
            depth = self.lowest = len(self.stack)
            closed = self.scan(start, line)
            if depth and depth == self.lowest == len(self.stack) and closed.strip():
                self.entries.append((start, start + len(line.rstrip("\r\n"))))
            if closed.strip():
                self.continued = closed[-1] if closed[-1] in (",", "\\") else ""
            elif self.continued != ",":
                # Behind a comma there may be blank lines and comments before the statement goes on.
                self.continued = ""
            if self.held is not None and self.between_statements() and not self.continued:
                if self.held < start and self.stack:
                    self.entries.append((self.held, start + len(line.rstrip("\r\n"))))
                self.held = None
            if not self.stack and self.keyword is not None and not self.continued:
                self.finish(end)

    def line_begins(self, start: int, line: str) -> None:
        """Take note of a line that is neither blank nor a comment: it may begin a statement, and end what is open."""
        indent = _indent(line)
        if STATEMENT_LINE.match(line):
            if self.stack:
                if self.inner_indent is None:
                    self.inner_indent = indent
                self.statement_begins(start, line)
            elif self.continued == ",":
                # The comma is one too many, for nothing that goes on looks like this.
                self.finish(start)
        if self.stack and self.inner_indent is None:
            self.inner_indent = indent
        if self.between_statements() and not self.continued:
            word = _WORD.match(line, indent)
            self.word, self.opened = word[0] if word else "", False
            if self.keyword is None:
                self.keyword = self.word
            elif self.stack:
                self.held = start

    def between_statements(self) -> bool:
        """Whether a line here begins a statement: at depth 0, or in a block that holds statements."""
        return not self.stack or self.stack[-1].holds

    def statement_begins(self, start: int, line: str) -> None:
        """End what is open where a line can only begin a statement, unless it stands in a block that holds them."""
        indent = _indent(line)
        block = next((index for index, opener in enumerate(self.stack) if not opener.holds), None)
        if block is None:
            outer = self.stack[0]
            inner = self.inner_indent or 0
            if indent <= outer.indent and (inner > outer.indent or _OUTERMOST_LINE.match(line)):
                self.unclosed(start + indent, outer)
                self.finish(start)
        elif indent <= self.stack[block].indent:
            self.unclosed(start + indent, self.stack[block])
            if block and indent > self.stack[block - 1].indent:
                del self.stack[block:]
                self.suspects.clear()
            else:
                self.finish(start)

    def end(self) -> None:
        """Cut off what the end of the text ends."""
        length = len(self.source.text)
        if self.stack:
            self.unclosed(length, self.stack[0])
        self.finish(length)

    def finish(self, offset: int) -> None:
        """End the chunk before `offset`; comments and blank lines at the end of a file are a chunk of their own."""
        if offset > self.start:
            entries, problems = tuple(self.entries), tuple(self.problems)
            self.chunks.append(Chunk(self.start, offset, self.keyword or "", self.broken, entries, problems))
        self.begin(offset)

    def scan(self, start: int, line: str) -> str:
        """Follow the braces of one line; return the line without its comment and trailing blanks."""
        indent = _indent(line)
        at = 0
        content_end = len(line)
        while (found := _TOKEN.search(line, at)) is not None:
            at = found.end()
            match found.lastgroup:
                case "comment":
                    content_end = found.start()
                    break
                case "path" if self.word == "test":
                    target = _TARGET.match(line, found.start())
                    at = target.end() if target else at
                case "unclosed":
                    self.unclosed_string(start + found.start(), start + len(line.rstrip()))
                case "opener":
                    self.open(found[0], start + found.start(), indent)
                    if self.stack[-1].holds and (word := _WORD.match(line, at + _indent(line[at:]))) is not None:
                        self.word, self.opened = word[0], False
                case "closer":
                    self.close(found[0], start + found.start(), indent if found.start() == indent else None)
        return line[:content_end].rstrip()

    def open(self, mark: str, offset: int, indent: int) -> None:
        """Push an opener."""
        holds = False
        if mark == "{" and self.between_statements():
            holds = not self.opened and self.word in HOLDING_STATEMENTS
            self.opened = True
        self.stack.append(_Opener(mark, offset, indent, holds))

    def close(self, mark: str, offset: int, indent: int | None) -> None:
        """Close the innermost opener; `indent` is given where the closer stands first on its line."""
        if not self.stack:
            if not self.broken:
                self.report(syntax.STRAY_BRACE, f"this `{mark}` closes nothing", Span(self.source, offset, offset + 1))
            self.broken = True
            return
        opener = self.stack.pop()
        self.lowest = min(self.lowest, len(self.stack))
        if _OPENERS[opener.mark] != mark:
            if not self.broken:
                self.report(
                    syntax.UNCLOSED_BRACE,
                    f"this `{opener.mark}` is not closed",
                    Span(self.source, opener.offset, opener.offset + 1),
                    Label(
                        Span(self.source, offset, offset + 1), f"`{mark}` comes before its `{_OPENERS[opener.mark]}`"
                    ),
                )
            self.broken = True
            while self.stack and _OPENERS[opener.mark] != mark:
                opener = self.stack.pop()
        elif indent is not None and opener.indent > indent:
            self.suspects.append((opener, offset))

    def unclosed(self, until: int, opener: _Opener) -> None:
        """Report an opener that is still open where a new statement begins, or at the end of the text."""
        if not self.broken:
            if self.suspects:
                opener, offset = self.suspects[0]
                label = Label(Span(self.source, offset, offset + 1), "by its indentation this closes an outer one")
            elif until < len(self.source.text):
                word = _WORD.match(self.source.text, until)
                label = Label(
                    Span(self.source, until, word.end() if word else until + 1), "a new statement begins here"
                )
            else:
                label = Label(Span(self.source, until, until), "the file ends here")
            self.report(
                syntax.UNCLOSED_BRACE,
                f"this `{opener.mark}` is never closed",
                Span(self.source, opener.offset, opener.offset + 1),
                label,
                fixes=self.closings(opener, self.suspects[0][1] if self.suspects else None, until),
            )
        self.broken = True

    def closings(self, opener: _Opener, outer: int | None, until: int) -> tuple[Fix, ...]:
        """Return the fix that closes a block: above the line of the outer closer, or behind the statement's lines.

        There is none where more is open than that, nor for a bracket within a line.
        """
        if len(self.stack) > 1 or opener.mark != "{":
            return ()
        text = self.source.text
        closer = " " * opener.indent + _OPENERS[opener.mark]
        if outer is not None:
            at = text.rfind("\n", 0, outer) + 1
            edit = Edit(Span(self.source, at, at), f"{closer}\n")
        else:
            lines = text[opener.offset : until].split("\n")
            while len(lines) > 1 and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
                lines.pop()
            at = opener.offset + len("\n".join(lines).rstrip("\r"))
            edit = Edit(Span(self.source, at, at), f"\n{closer}")
        title = f"close it by `{_OPENERS[opener.mark]}`"
        return (Fix(title=title, applicability=Applicability.UNSAFE, edits=(edit,)),)

    def unclosed_string(self, start: int, end: int) -> None:
        if not self.broken:
            self.report(syntax.UNCLOSED_STRING, "this string has no closing quote", Span(self.source, start, end))
        self.broken = True

    def report(self, code: syntax.Code, message: str, span: Span, *related: Label, fixes: tuple[Fix, ...] = ()) -> None:
        self.problems.append(Diagnostic(code=code, message=message, primary=span, related=related, fixes=fixes))


def cut(source: SourceText) -> list[Chunk]:
    """Return the stretches of a text that each hold a statement, with what is wrong with quotes and braces."""
    cutter = _Cutter(source)
    cutter.run()
    cutter.end()
    return cutter.chunks


def cut_beginning(source: SourceText) -> tuple[list[Chunk], int]:
    """Cut a text that goes on: return the stretches that no more text can change, and where the last of them ends.

    Where one of them ends, cutting begins anew: nothing that comes before matters to what comes behind.
    """
    cutter = _Cutter(source)
    cutter.run()
    return cutter.chunks, cutter.start


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))
