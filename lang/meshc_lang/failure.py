"""Where and how reading stopped, as those see it who explain it; and what their diagnostics have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from meshc_lang.codes.code import Code
from meshc_lang.diagnostic import Applicability, Diagnostic, Edit, Fix
from meshc_lang.pattern import pattern
from meshc_lang.record import dataclass
from meshc_lang.recovery import HOLDING_STATEMENTS, STATEMENTS
from meshc_lang.source import SourceText, Span

if TYPE_CHECKING:
    from meshc_lang.reader import Token

__all__ = ["NAME", "Failure", "clip", "diagnostic", "failure_at", "fix", "inserted", "misspelt"]

NAME = pattern(r"[A-Za-z_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")

_OFFENDER = pattern(
    r'"(?:[^"\\\r\n]|\\[^\r\n])*+"|[A-Za-z_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|[0-9][A-Za-z0-9_.%/]*|/[^\s{}()\[\]"#,;]*'
    r"|->\*|[-=<>!~&|]+|:=|[^\s]"
)
_BEGINNERS = frozenset(word.upper() for word in (*STATEMENTS, "set", "drop"))
_OPENERS = ("LBRACE", "LSQB", "LPAR")
_CLOSERS = ("RBRACE", "RSQB", "RPAR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Where and how reading stopped.

    `word` is what could not be read (empty at the end of a line), `span` its place; `accepts` holds the terminals that
    could have followed the last token, which is `before` (its terminal `before_type`, both empty where a line begins).
    `before_end` is the offset at which it ends, line break or not. `keyword` begins the innermost statement, or is
    empty for a request by itself; `inside` tells that a brace of that statement is open. `pieces` are the tokens of
    that statement, line breaks left out, and `base` is what their offsets count from. `last` tells that the statement's
    own text ended: what follows, if anything does, is another statement.
    """

    source: SourceText
    word: str
    span: Span
    accepts: frozenset[str]
    before: str
    before_type: str
    before_end: int
    keyword: str
    inside: bool
    pieces: tuple[Token, ...]
    base: int
    last: bool = False

    @property
    def at_end(self) -> bool:
        """Whether a line, block or list ends where something was missing."""
        return not self.word or self.word in ("}", ";", "]", ")")

    @property
    def place_of_lack(self) -> Span:
        """Where something is missing: at the word, or behind the last token where there is none."""
        if self.at_end and self.word != "}":
            return self.source.span(self.before_end, self.before_end)
        return self.span

    @property
    def rest(self) -> str:
        """What follows the word on its line, without trailing blanks."""
        text = self.source.text
        end = text.find("\n", self.span.end)
        return text[self.span.end : len(text) if end == -1 else end].rstrip()

    @property
    def line(self) -> str:
        """The line that could not be read on, up to the word."""
        return self.source.text[self.source.text.rfind("\n", 0, self.span.start) + 1 : self.span.start]

    def kind(self, back: int) -> str:
        """Return the terminal of a token before the word, counted from 1; empty where there is none."""
        return self.pieces[-back].type if back <= len(self.pieces) else ""

    def text(self, back: int) -> str:
        """Return the text of a token before the word, counted from 1; empty where there is none."""
        return self.pieces[-back].value if back <= len(self.pieces) else ""

    def place(self, back: int) -> Span:
        """Return where a token before the word stands, counted from 1."""
        piece = self.pieces[-back]
        return self.source.span(self.base + piece.start_pos, self.base + piece.end_pos)


def failure_at(
    source: SourceText,
    base: int,
    length: int,
    offset: int,
    tokens: Sequence[Token],
    accepts: frozenset[str],
    keyword: str,
) -> Failure:
    """Describe a failure at `offset` of a text that stands at `base` and begins with `keyword`, behind these tokens.

    What stands behind the `length` of the text is another's, and says nothing here.
    """
    text, at = source.text[: base + length], base + offset
    found = _OFFENDER.match(text, at)
    word = found[0] if found else ""
    if not word and text[at : at + 2] != "\r\n" and text[at : at + 1] != "\n":
        word = text[at : at + 1]
    keyword, inside, first = _innermost(tokens, keyword)
    pieces = tuple([token for token in tokens[first:] if token.type != "_NL"])
    last = next((token for token in reversed(tokens) if token.type != "_NL"), None)
    here = last is not None and tokens[-1] is last
    return Failure(
        source=source,
        word=word,
        span=source.span(at, at + len(word)),
        accepts=accepts,
        before=last.value if here and last is not None else "",
        before_type=last.type if here and last is not None else "",
        before_end=base + (last.end_pos if last is not None else 0),
        keyword=keyword,
        inside=inside,
        pieces=pieces,
        base=base,
        last=offset >= length,
    )


def _innermost(tokens: Sequence[Token], keyword: str) -> tuple[str, bool, int]:
    """Return the word of the innermost statement that tokens leave open, whether a brace of it is, and its first token.

    Templates and overlays hold statements: between those, the holder is the innermost.
    """
    outer: list[tuple[str, int]] = []
    first, depth = 0, 0
    beginning = True
    previous = ""
    for index, token in enumerate(tokens):
        kind = token.type
        if beginning and kind in _BEGINNERS:
            keyword, first = token.value, index
        beginning = False
        if kind in _OPENERS:
            if kind == "LBRACE" and not depth and keyword in HOLDING_STATEMENTS:
                outer.append((keyword, first))
                beginning = True
            else:
                depth += 1
        elif kind in _CLOSERS:
            if depth:
                depth -= 1
            elif outer:
                keyword, first = outer.pop()
        elif kind == "_NL" and not depth and previous != "COMMA":
            beginning = True
            if outer:
                keyword, first = outer[-1]
        elif kind == "_NL" and previous == "LBRACE" and outer and not depth:
            beginning = True
        previous = kind if kind != "_NL" else previous
    holding = bool(outer) and outer[-1] == (keyword, first)
    return keyword, depth > 0 or holding, first


def clip(word: str) -> str:
    """Return a word as messages show it: not too long, and printable."""
    printable = "".join(char if char.isprintable() else "\ufffd" for char in word[:40])
    return printable if len(word) <= 40 else printable[:39] + "…"


def fix(title: str, *edits: tuple[Span, str], unsafe: bool = False) -> Fix:
    """Return a patch of these replacements."""
    applicability = Applicability.UNSAFE if unsafe else Applicability.SAFE
    return Fix(title=title, applicability=applicability, edits=tuple(Edit(span, text) for span, text in edits))


def inserted(failure: Failure, offset: int, text: str, title: str, *, unsafe: bool = False) -> Fix:
    """Return a patch that inserts a text."""
    return fix(title, (failure.source.span(offset, offset), text), unsafe=unsafe)


def diagnostic(code: Code, message: str, span: Span, *fixes: Fix, help: str = "") -> Diagnostic:  # noqa: A002
    """Return a finding with its patches."""
    return Diagnostic(code=code, message=message, primary=span, help=help, fixes=fixes)


def misspelt(code: Code, message: str, span: Span, near: Iterable[str], help: str = "") -> Diagnostic:  # noqa: A002
    """Return a finding about a word, with the words that may be meant; of several the user chooses."""
    near = tuple(near)
    if not near:
        return diagnostic(code, message, span, help=help)
    if len(near) == 1 and near[0] == span.text.lower():
        return diagnostic(
            code, f"keywords are written small: `{near[0]}`", span, fix(f"write `{near[0]}`", (span, near[0]))
        )
    applicability = Applicability.SAFE if len(near) == 1 else Applicability.CHOOSE_ONE
    fixes = tuple(Fix(title=f"write `{word}`", applicability=applicability, edits=(Edit(span, word),)) for word in near)
    offered = " or ".join(f"`{word}`" for word in near)
    return diagnostic(code, f"{message}; did you mean {offered}?", span, *fixes)
