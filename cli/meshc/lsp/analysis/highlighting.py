"""What each piece of the text is, for editors that colour by meaning: words, names by what they stand for, values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache

from meshc.lsp.analysis.document import Document
from meshc.lsp.analysis.place import Range
from meshc.lsp.analysis.program import ProgramView
from meshc.lsp.analysis.symbol import NameKind, Role, occurrences
from meshc_lang.incremental import Stretch
from meshc_lang.parser import grammar_text
from meshc_lang.record import dataclass
from meshc_lang.source import Span
from meshc_lang.tree.declaration import ExternalDecl, GroupDecl
from meshc_lang.tree.node import Node, Text
from meshc_lang.tree.policy import HttpMatcher, PathPattern, RegexPattern
from meshc_lang.tree.value import Decimal, Duration, Integer, Pair, Path, Percent, PortLiteral, Rate, Size
from meshc_lang.tree.walk import walk


class TokenKind(StrEnum):
    """The kinds of pieces; the words are those of LSP's `SemanticTokenTypes`."""

    KEYWORD = "keyword"
    CLASS = "class"
    INTERFACE = "interface"
    ENUM = "enum"
    ENUM_MEMBER = "enumMember"
    FUNCTION = "function"
    VARIABLE = "variable"
    PARAMETER = "parameter"
    PROPERTY = "property"
    METHOD = "method"
    STRING = "string"
    REGEXP = "regexp"
    NUMBER = "number"
    COMMENT = "comment"


class TokenModifier(StrEnum):
    """What else is said of a piece; the words are those of LSP's `SemanticTokenModifiers`."""

    DECLARATION = "declaration"
    DOCUMENTATION = "documentation"


KINDS = tuple(TokenKind)
MODIFIERS = tuple(TokenModifier)

_BY_NODE: dict[type[Node], TokenKind] = {
    Text: TokenKind.STRING,
    PathPattern: TokenKind.STRING,
    Path: TokenKind.STRING,
    RegexPattern: TokenKind.REGEXP,
    Integer: TokenKind.NUMBER,
    Decimal: TokenKind.NUMBER,
    Duration: TokenKind.NUMBER,
    Percent: TokenKind.NUMBER,
    Size: TokenKind.NUMBER,
    Rate: TokenKind.NUMBER,
    PortLiteral: TokenKind.NUMBER,
}
"""What nodes are that are one piece."""

_BY_NAME: dict[NameKind, TokenKind] = {
    NameKind.PEER: TokenKind.CLASS,
    NameKind.PORT: TokenKind.PROPERTY,
    NameKind.VERSION: TokenKind.ENUM_MEMBER,
    NameKind.RULE: TokenKind.FUNCTION,
    NameKind.VALUE: TokenKind.VARIABLE,
    NameKind.PARAMETER: TokenKind.PARAMETER,
    NameKind.TEMPLATE: TokenKind.FUNCTION,
    NameKind.JWT: TokenKind.VARIABLE,
    NameKind.FAULT: TokenKind.FUNCTION,
    NameKind.OVERLAY: TokenKind.FUNCTION,
}

_LEXICAL = re.compile(
    r'(?P<string>"(?:[^"\\\r\n]|\\[^\r\n])*"?)|(?P<comment>\#[^\r\n]*)'
    r"|(?P<number>(?<![A-Za-z0-9_/.-])[0-9][A-Za-z0-9_.%/]*)|(?P<path>(?<![A-Za-z0-9_])/[^\s{}\"#,;]*)"
    r"|(?P<word>[A-Za-z_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)"
)
_WORD_OF_GRAMMAR = re.compile(r"^[A-Z_]+(?:\.\d+)?: */([a-z]+)\(\?!", re.MULTILINE)
_METHOD = re.compile(r"[A-Z]+\Z")


@dataclass(frozen=True, slots=True, order=True)
class Token:
    """A piece of a stretch, which is always within a line; `name` is set where the program decides what it is."""

    start: int
    end: int
    kind: TokenKind
    modifiers: tuple[TokenModifier, ...] = ()
    name: str = ""


@cache
def keywords() -> frozenset[str]:
    """Return the words of the language, as the grammar has them."""
    return frozenset(_WORD_OF_GRAMMAR.findall(grammar_text()))


def tokens_of(stretch: Stretch) -> tuple[Token, ...]:
    """Return the pieces of a stretch, in order, none within another."""
    found = {token.start: token for token in _by_tree(stretch)}
    taken = sorted((token.start, token.end) for token in found.values())
    at = 0
    for match in _LEXICAL.finditer(stretch.text):
        while at < len(taken) and taken[at][1] <= match.start():
            at += 1
        if at < len(taken) and taken[at][0] < match.end():
            continue
        kind = _lexical_kind(match.lastgroup or "", match[0])
        if kind is not None:
            doc = kind is TokenKind.COMMENT and match[0].startswith("##") and not match[0].startswith("###")
            modifiers = (TokenModifier.DOCUMENTATION,) if doc else ()
            found[match.start()] = Token(match.start(), match.end(), kind, modifiers)
    ordered: list[Token] = []
    for start in sorted(found):
        if not ordered or start >= ordered[-1].end:
            ordered.append(found[start])
    return tuple(ordered)


def _lexical_kind(group: str, text: str) -> TokenKind | None:
    match group:
        case "string" | "path":
            return TokenKind.STRING
        case "comment":
            return TokenKind.COMMENT
        case "number":
            return TokenKind.NUMBER
        case "word" if text in keywords():
            return TokenKind.KEYWORD
        case "word" if _METHOD.match(text):
            return TokenKind.METHOD
    return None


def _by_tree(stretch: Stretch) -> Iterator[Token]:
    for occurrence in stretch.derived(occurrences):
        if occurrence.role is Role.PERHAPS:
            # A word that is a value is none of the language's, though it may have the same letters.
            yield _token(occurrence.span, TokenKind.ENUM_MEMBER)
            continue
        modifiers = (TokenModifier.DECLARATION,) if occurrence.role is Role.DECLARED else ()
        key = occurrence.key
        name = key.name if key.kind is NameKind.PEER else ""
        yield _token(occurrence.span, _BY_NAME[key.kind], modifiers, name)
    for node in walk(stretch.file):
        kind = _BY_NODE.get(type(node))
        if kind is not None:
            yield _token(node.span, kind)
        elif isinstance(node, Pair):
            yield _token(node.key.span, TokenKind.PROPERTY)
        elif isinstance(node, HttpMatcher):
            yield from (_token(method.span, TokenKind.METHOD) for method in node.methods)


def _token(span: Span, kind: TokenKind, modifiers: tuple[TokenModifier, ...] = (), name: str = "") -> Token:
    return Token(span.start, span.end, kind, modifiers, name)


_DECLARED = {ExternalDecl: TokenKind.INTERFACE, GroupDecl: TokenKind.ENUM}


def _special_peers(stretch: Stretch) -> Mapping[str, TokenKind]:
    """Return the names that a stretch declares as something else than a service."""
    statements = stretch.reading.statements or ()
    return {
        statement.name.text: _DECLARED[type(statement)]
        for statement in statements
        if isinstance(statement, ExternalDecl | GroupDecl)
    }


def peer_kinds(view: ProgramView) -> dict[str, TokenKind]:
    """Return what the names of a program stand for that are no services."""
    peers: dict[str, TokenKind] = {}
    for _, stretch, _ in view.stretches():
        peers.update(stretch.derived(_special_peers))
    return peers


def semantic_tokens(peers: Mapping[str, TokenKind], document: Document, range_: Range | None = None) -> list[int]:
    """Return the pieces of a document, or of a range of it, as LSP encodes them (`SemanticTokens.data`).

    Each is five numbers: lines and columns since the last one, length, kind, modifiers as bits.
    """
    source = document.source
    if not source.stretches:
        return []
    first, last = 0, len(source.stretches) - 1
    if range_ is not None:
        first = source.index_at(document.offset(range_.start))
        last = source.index_at(document.offset(range_.end))
    data: list[int] = []
    line, column = 0, 0
    for index in range(first, last + 1):
        stretch = source.stretches[index]
        for at, character, length, token in _placed(document, stretch, source.first_line_of(index)):
            if range_ is not None and not range_.start.line <= at <= range_.end.line:
                continue
            kind = peers.get(token.name, token.kind) if token.name else token.kind
            column_step = character - column if at == line else character
            bits = sum(1 << MODIFIERS.index(modifier) for modifier in token.modifiers)
            data += (at - line, column_step, length, KINDS.index(kind), bits)
            line, column = at, character
    return data


def _placed(document: Document, stretch: Stretch, first_line: int) -> Iterator[tuple[int, int, int, Token]]:
    """Return the pieces of a stretch with line, column and length in the editor's units."""
    starts: Sequence[int] = stretch.source.line_starts
    width = document.encoding.width
    line = 0
    for token in stretch.derived(tokens_of):
        while line + 1 < len(starts) and starts[line + 1] <= token.start:
            line += 1
        text = stretch.text
        yield (
            first_line + line,
            width(text[starts[line] : token.start]),
            width(text[token.start : token.end]),
            token,
        )
