"""The language in short, as data: each statement and each word with what it means, for editors and for the guide."""

from __future__ import annotations

from meshc_lang.reference.entry import Entry
from meshc_lang.reference.statement import IN_OVERLAYS, STATEMENTS
from meshc_lang.reference.word import WORDS

__all__ = ["IN_OVERLAYS", "STATEMENTS", "WORDS", "Entry"]
