"""Builds values and blocks while Lark reads, and keeps what every rule needs: places, comments, problems."""

# ruff: noqa: D102 -- one method a rule of the grammar, which says what each reads.

from __future__ import annotations

import re
from typing import Any

from meshc_lang.codes import syntax
from meshc_lang.codes.code import Code
from meshc_lang.diagnostic import Applicability, Diagnostic, Edit, Fix
from meshc_lang.pattern import pattern
from meshc_lang.source import SourceText, Span
from meshc_lang.tree.file import Comment
from meshc_lang.tree.node import Name, Text
from meshc_lang.tree.value import (
    Block,
    Decimal,
    Duration,
    Integer,
    ListValue,
    Pair,
    Path,
    Percent,
    PortLiteral,
    Range,
    Rate,
    Size,
    Switch,
)
from meshc_lang.units import parse_duration, parse_percent, parse_port, parse_rate, parse_size

_Children = list[Any]

_ESCAPE = pattern(r"\\(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class ValueBuilder:
    """The part of the tree builder that reads values; it knows the text being read and gathers what is found."""

    def __init__(self) -> None:
        self.begin(SourceText("", ""), 0)

    def begin(self, source: SourceText, base: int) -> None:
        """Get ready to read a text that stands at offset `base` of `source`."""
        self.source = source
        self.base = base
        self.comments: list[Comment] = []
        self.problems: list[Diagnostic] = []
        self._docs: dict[int, tuple[str, ...]] = {}

    def report(
        self,
        code: Code,
        message: str,
        span: Span,
        *,
        label: str = "",
        help: str = "",  # noqa: A002 - the field's name
        fixes: tuple[Fix, ...] = (),
    ) -> None:
        """Note a problem that does not keep the rest from being read."""
        self.problems.append(Diagnostic(code=code, message=message, primary=span, label=label, help=help, fixes=fixes))

    # ---- places

    def at(self, token: Any) -> Span:
        """Return where a token stands."""
        return Span(self.source, self.base + token.start_pos, self.base + token.end_pos)

    def between(self, first: Any, last: Any) -> Span:
        """Return the stretch from one token to another."""
        return Span(self.source, self.base + first.start_pos, self.base + last.end_pos)

    def up_to(self, first: Any, last: Span) -> Span:
        """Return the stretch from a token to the end of a node's span."""
        return Span(self.source, self.base + first.start_pos, last.end)

    # ---- called by the reader as it goes

    def on_comment(self, start: int, end: int) -> None:
        """Keep a comment that shares its line with something, or opens the file."""
        self.comments.append(Comment(Span(self.source, self.base + start, self.base + end)))

    def on_newline(self, value: str, start: int, end: int) -> None:
        """Keep the comments among line breaks, and the `##` lines that end right above what follows."""
        if "#" in value:
            self._keep_comments(self.base + start, value)
        elif not self.comments or self.comments[-1].span.end != self.base + start:
            return  # no comment stands right above what follows
        doc = self._doc_lines(self.base + end)
        if doc:
            self._docs[end] = doc

    def doc(self, keyword: Any) -> tuple[str, ...]:
        """Return the doc comment of the statement that begins with this token."""
        return self._docs.get(keyword.start_pos, ())

    def _keep_comments(self, offset: int, breaks: str) -> None:
        for line in breaks.split("\n"):
            mark = line.find("#")
            if mark != -1:
                self.comments.append(Comment(Span(self.source, offset + mark, offset + len(line.rstrip("\r")))))
            offset += len(line) + 1

    def _doc_lines(self, end: int) -> tuple[str, ...]:
        """The run of `##` lines of which the last ends on the line above the one that begins before `end`."""
        text = self.source.text
        line_start = text.rfind("\n", 0, end) + 1
        lines: list[str] = []
        if text[line_start:end].strip(" \t;"):
            return ()
        for comment in reversed(self.comments):
            start, stop = comment.span.start, comment.span.end
            above = text.rfind("\n", 0, start) + 1
            if line_start - stop > 2 or text[stop:line_start] not in ("\n", "\r\n"):
                break
            if text[above:start].strip(" \t;\ufeff"):
                break
            if not text.startswith("##", start) or text.startswith("###", start):
                break
            lines.append(text[start + 2 : stop].strip())
            line_start = above
        return tuple(reversed(lines))

    # ---- names and strings

    def word(self, token: Any) -> Name:
        """Return a token as a name."""
        return Name(span=self.at(token), text=token.value)

    def key(self, token: Any) -> Name | Text:
        """Return the key of an entry."""
        return self.text([token]) if token.type == "STRING" else self.word(token)

    def name(self, children: _Children) -> Name:
        return self.word(children[0])

    def text(self, children: _Children) -> Text:
        token = children[0]
        value: str = token.value[1:-1]
        if "\\" in value:
            value = _ESCAPE.sub(lambda found: self._unescape(token, found), value)
        return Text(span=self.at(token), text=value)

    def verbatim(self, token: Any) -> Text:
        """Return a quoted regular expression: as it stands, for its escapes are its own."""
        return Text(span=self.at(token), text=token.value[1:-1])

    def _unescape(self, token: Any, found: re.Match[str]) -> str:
        body = found[1]
        if body in _ESCAPES:
            return _ESCAPES[body]
        if len(body) == 11:
            return chr(0x10000 + (int(body[1:5], 16) - 0xD800) * 0x400 + (int(body[7:], 16) - 0xDC00))
        if len(body) == 5 and not 0xD800 <= int(body[1:], 16) <= 0xDFFF:
            return chr(int(body[1:], 16))
        start = self.base + token.start_pos + 1 + found.start()
        shown = body[:5] if body.isprintable() else f"U+{ord(body[0]):04X}"
        twice = Edit(Span(self.source, start, start), "\\")
        self.report(
            syntax.BAD_ESCAPE,
            f"`\\{shown}` is no escape" if body != "u" else "`\\u` needs four hexadecimal digits behind it",
            Span(self.source, start, start + len(found[0])),
            help='a backslash is written `\\\\`; the escapes are `\\"`, `\\\\`, `\\n`, `\\r`, `\\t`, `\\u0041`',
            fixes=(Fix(title="write the backslash twice", applicability=Applicability.UNSAFE, edits=(twice,)),),
        )
        return ""

    # ---- quantities

    def integer(self, children: _Children) -> Integer:
        return Integer(span=self.at(children[0]), value=int(children[0].value))

    def decimal(self, children: _Children) -> Decimal:
        return Decimal(span=self.at(children[0]), text=children[0].value)

    def duration(self, children: _Children) -> Duration:
        token = children[0]
        nanoseconds = parse_duration(token.value)
        if nanoseconds is None:
            self._too_fine(token, "a nanosecond")
        return Duration(span=self.at(token), nanoseconds=nanoseconds or 0, text=token.value)

    def percent(self, children: _Children) -> Percent:
        token = children[0]
        millionths = parse_percent(token.value)
        if millionths is None:
            self._too_fine(token, "0.0001%")
        return Percent(span=self.at(token), millionths=millionths or 0, text=token.value)

    def size(self, children: _Children) -> Size:
        token = children[0]
        number = parse_size(token.value)
        if number is None:
            self._too_fine(token, "a byte")
        return Size(span=self.at(token), bytes=number or 0, text=token.value)

    def rate(self, children: _Children) -> Rate:
        token = children[0]
        amount, seconds = parse_rate(token.value) or (0, 1)
        return Rate(span=self.at(token), amount=amount, seconds=seconds, text=token.value)

    def port(self, children: _Children) -> PortLiteral:
        token = children[0]
        number, protocol = parse_port(token.value) or (0, "tcp")
        return PortLiteral(span=self.at(token), number=number, protocol=protocol)

    def path(self, children: _Children) -> Path:
        return Path(span=self.at(children[0]), text=children[0].value)

    def switch(self, children: _Children) -> Switch:
        return Switch(span=self.at(children[0]), on=children[0].value == "on")

    def range(self, children: _Children) -> Range:
        low, high = children
        return Range(span=low.span.to(high.span), low=low, high=high)

    def _too_fine(self, token: Any, finest: str) -> None:
        self.report(syntax.TOO_FINE, f"`{token.value}` is finer than {finest}", self.at(token))

    # ---- lists and blocks

    def list(self, children: _Children) -> ListValue:
        return ListValue(span=self.between(children[0], children[-1]), items=tuple(children[1:-1]))

    def block(self, children: _Children) -> Block:
        return Block(span=self.between(children[0], children[-1]), pairs=tuple(children[1:-1]))

    def pair(self, children: _Children) -> Pair:
        token, value = children
        return Pair(span=self.up_to(token, value.span), key=self.key(token), value=value)

    def block_pair(self, children: _Children) -> Pair:
        token, value = children
        return Pair(span=self.up_to(token, value.span), key=self.word(token), value=value)
