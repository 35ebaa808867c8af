"""What generated programs are made of: words, the gaps between them, and the spellings of a gap that mean the same."""

from __future__ import annotations

import json
from enum import Enum, auto
from typing import TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy


class Gap(Enum):
    """What may stand between two words."""

    SPACE = auto()
    """Blanks, of which one is needed."""
    TIGHT = auto()
    """Blanks, or nothing."""
    BREAK = auto()
    """Blanks, or line breaks and comments."""
    SEPARATOR = auto()
    """A comma, a line break, or a comma and line breaks; and comments."""
    COMMA = auto()
    """A comma, perhaps with line breaks and comments behind it."""
    DOT = auto()
    """A dot, perhaps with blanks around it."""
    LINE = auto()
    """A line break, and comments."""


Piece: TypeAlias = str | Gap
Pieces: TypeAlias = tuple[Piece, ...]

NAMES = (
    "web", "api", "a-b", "_x", "v1", "test", "limit", "mesh", "route", "is", "over", "as", "present-9", "set", "use",
    "to", "a-name-that-soon-fills-a-line-of-a-hundred-columns",
)  # fmt: skip
"""Names; many are keywords elsewhere."""


names = st.sampled_from(NAMES)


@st.composite
def quoted(draw: DrawFn) -> str:
    """A string literal of any characters that a string may hold, quotes, braces and hashes among them."""
    text = draw(st.text(st.sampled_from('ab /#{}[],;"\\\té→\x00\x7f'), max_size=6))
    return json.dumps(text, ensure_ascii=draw(st.booleans())).replace("\x7f", "\\u007f")


def joined(rows: list[Pieces], gap: Gap) -> Pieces:
    """Put a gap between rows of pieces."""
    out: list[Piece] = []
    for index, row in enumerate(rows):
        if index:
            out.append(gap)
        out.extend(row)
    return tuple(out)


def rows(element: SearchStrategy[Pieces], gap: Gap, *, least: int = 1, most: int = 3) -> SearchStrategy[Pieces]:
    """Several rows with gaps between them."""
    return st.lists(element, min_size=least, max_size=most).map(lambda found: joined(found, gap))


def bracketed(inner: SearchStrategy[Pieces], marks: str) -> SearchStrategy[Pieces]:
    """Pieces between brackets."""
    return inner.map(lambda pieces: (marks[0], Gap.BREAK, *pieces, Gap.BREAK, marks[1]))


_COMMENTS = ("# a note", "## of the next", "#", "### {", '# "', "#}  ", "## }", "# -> ; ,")
_ENDS = ("\n", "\r\n", "\n\n\n", "\n  ")


@st.composite
def _breaks(draw: DrawFn) -> str:
    """Line breaks, perhaps with comments: one behind what came before, others on lines of their own."""
    out = draw(st.sampled_from(("", " "))) + (draw(st.sampled_from(_COMMENTS)) if draw(st.booleans()) else "")
    for comment in draw(st.lists(st.sampled_from(_COMMENTS), max_size=2)):
        out += draw(st.sampled_from(_ENDS)) + comment
    return out + draw(st.sampled_from(_ENDS))


@st.composite
def filled(draw: DrawFn, gap: Gap) -> str:
    """One of the spellings of a gap."""
    plain = draw(st.integers(0, 3)) > 0
    match gap:
        case Gap.SPACE:
            return " " if plain else draw(st.sampled_from(("  ", "\t", " \\\n ")))
        case Gap.TIGHT:
            return "" if plain else " "
        case Gap.DOT:
            return "." if plain else " . "
        case Gap.BREAK:
            return " " if plain else draw(_breaks())
        case Gap.SEPARATOR:
            return ", " if plain else draw(st.sampled_from(("", " ,"))) + draw(_breaks())
        case Gap.COMMA:
            return ", " if plain else "," + draw(_breaks())
        case Gap.LINE:
            return "\n" if plain else draw(st.one_of(_breaks(), st.just(" ; ")))
