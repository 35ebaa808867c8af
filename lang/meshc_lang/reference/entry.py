"""What the reference says of a word."""

from __future__ import annotations

from meshc_lang.record import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A word of the language: how it is written, what it means, what an editor may type for it, and an example.

    `snippet` has numbered places (`${1:name}`, LSP 3.17 snippet syntax); empty where the word alone is enough. The
    `example` of a statement reads by itself; that of a word within statements is its form.
    """

    form: str
    text: str
    snippet: str = ""
    example: str = ""
