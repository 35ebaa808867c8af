"""Numbers and their nouns."""

from __future__ import annotations


def counted(count: int, word: str, words: str = "") -> str:
    """Return a number and its noun: `1 file`, `2 files`."""
    return f"{count:,} {word if count == 1 else words or word + 's'}"
