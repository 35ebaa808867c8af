"""What a place in a statement that is still being written expects: from the words before it, without a tree."""

from __future__ import annotations

import re
from collections.abc import Sequence

from meshc.lsp.analysis.document import Document
from meshc_lang.record import dataclass

_TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\\r\n]|\\[^\r\n])*(?:"|$))|(?P<comment>\#[^\r\n]*)|(?P<newline>\r?\n|;)'
    r"|(?P<blank>[ \t]+|\\\r?\n)|(?P<mark>->\*?|=>|==|!=|<=|>=|\.\.|[{}()\[\],:=~|<>-])"
    r"|(?P<path>(?<![A-Za-z0-9_])/(?:[^\s{}\"#,;]|\{[^\s{}]*\})*)|(?P<word>[^\s{}()\[\],:=~|<>\"#;]+)",
    re.MULTILINE,
)

_HOLDING = ("template", "overlay")
_CONTINUES = ("->", "->*", "=>", "==", "!=", "<=", ">=", ",", "=", "|")


@dataclass(frozen=True, slots=True)
class _Frame:
    """An open bracket and the words of the entry before it."""

    mark: str
    words: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where a cursor stands.

    `prefix` is the part of a word before it, `words` are the tokens of the entry or sentence before that. `keyword` is
    the word that the statement begins with (the innermost of nested ones), empty where a statement may begin. `head`
    are the tokens of the statement before its block, `block` the kind of the fields of that block (`settings.retry`),
    empty where it holds none; `bracket` is the innermost open bracket, `keys` what its entries have stated already.
    `inside` is `overlay` or `template` where the statement stands in one.
    """

    prefix: str
    words: tuple[str, ...]
    keyword: str
    head: tuple[str, ...]
    block: str
    bracket: str
    keys: tuple[str, ...]
    inside: str = ""
    comment: str | None = None
    string: str | None = None

    @property
    def last(self) -> str:
        """The token before the prefix; empty at the beginning of an entry or sentence."""
        return self.words[-1] if self.words else ""

    @property
    def begins(self) -> bool:
        """Whether an entry, sentence or statement begins here."""
        return not self.words


def context_at(document: Document, offset: int) -> Context:
    """Return what stands before an offset, in the statement around it."""
    source = document.source
    if not source.stretches:
        return context_of("")
    index = source.index_at(offset)
    # At the end of a text that ends without a line break the statement is the one that was written last.
    return context_of(source.stretches[index].text[: offset - source.start_of(index)])


def context_of(text: str) -> Context:
    """Return what the words of a statement up to a place say about the place."""
    frames: list[_Frame] = []
    words: list[str] = []
    keys: list[str] = []
    comment: str | None = None
    string: str | None = None
    prefix = ""
    for found in _TOKEN.finditer(text):
        kind, piece = found.lastgroup, found[0]
        ends = found.end() == len(text)
        match kind:
            case "comment":
                comment = piece if ends else None
            case "string":
                if ends and (len(piece) == 1 or not piece.endswith('"')):
                    string = piece[1:]
                else:
                    words.append(piece)
            case "newline":
                if frames and frames[-1].mark in "[(":
                    words = words if words[-1:] == [","] else [*words, ","]
                elif not words or words[-1] not in _CONTINUES:
                    words = []
            case "mark" if piece in "{[(":
                if piece == "{" and len(words) == 1:
                    keys.append(words[0])
                frames.append(_Frame(piece, tuple(words), tuple(keys)))
                words, keys = [], []
            case "mark" if piece in "}])":
                if frames:
                    frame = frames.pop()
                    words, keys = [*frame.words, frame.mark + piece], list(frame.keys)
            case "mark" if piece == "," and frames and frames[-1].mark == "{" and _is_block(frames):
                words = []
            case "mark":
                if piece == ":" and len(words) == 1:
                    keys.append(words[0])
                words.append(piece)
            case "word" | "path":
                if ends:
                    prefix = piece
                else:
                    words.append(piece)
    return _context(frames, words, keys, prefix, comment, string)


def _is_block(frames: Sequence[_Frame]) -> bool:
    """Tell whether the innermost braces hold entries that commas part, and not sentences with commas in them."""
    first = frames[0].words[:1]
    return first not in (("route",), ("test",)) or len(frames) > 1


def _context(
    frames: list[_Frame], words: list[str], keys: list[str], prefix: str, comment: str | None, string: str | None
) -> Context:
    outer, inside = frames, ""
    while outer and outer[0].mark == "{" and outer[0].words[:1] and outer[0].words[0] in _HOLDING:
        inside, outer = outer[0].words[0], outer[1:]
    braces = [frame for frame in outer if frame.mark == "{"]
    behind = outer[outer.index(braces[-1]) + 1 :] if braces else outer
    sentence = tuple(word for frame in behind for word in frame.words) + tuple(words)
    head = braces[0].words if braces else ()
    keyword = (*head, *sentence, "")[0]
    return Context(
        prefix=prefix,
        words=sentence,
        keyword=keyword,
        head=head,
        block=_block_kind(keyword, braces),
        bracket=outer[-1].mark if outer else "",
        keys=tuple(keys),
        inside=inside,
        comment=comment,
        string=string,
    )


_ROOTS = {
    "mesh": "mesh",
    "service": "service",
    "external": "external",
    "jwt": "jwt",
    "defaults": "settings",
    "edge": "settings",
    "fault": "fault",
    "slo": "slo",
}


def block_root(keyword: str) -> str:
    """Return the kind of the block of a statement that begins with this word; empty if it holds no fields."""
    return _ROOTS.get(keyword, "")


def _block_kind(keyword: str, braces: list[_Frame]) -> str:
    kind = block_root(keyword)
    if keyword == "route" and len(braces) > 1:
        kind, braces = "settings", braces[1:]
    if not braces or not kind:
        return ""
    for frame in braces[1:]:
        key = next((word for word in reversed(frame.words) if word != ":"), "")
        kind = f"{kind}.{key}" if kind else ""
    return kind
