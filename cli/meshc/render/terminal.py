"""What the reader's terminal can show: colour, letters beyond ASCII, so many columns."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from typing import TextIO

from meshc_lang.record import dataclass

TAB = 4
"""The columns to a multiple of which a tab moves on."""

_ASCII = str.maketrans(
    {"…": "...", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "·": "-", "→": "->", "×": "x", "≤": "<="}
    | {"✓": "ok", "✗": "x", "─": "-", "│": "|", "█": "#", "•": "*", "µ": "u", "≥": ">=", "▏": "#"}
)

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


class Ink(StrEnum):
    """The colours of the renderers, by what they stand for (ECMA-48 SGR parameters)."""

    ERROR = "1;31"
    WARNING = "1;33"
    INFO = "1;36"
    GOOD = "1;32"
    FRAME = "1;34"
    STRONG = "1"
    FAINT = "2"
    ADDED = "32"
    REMOVED = "31"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """A place where text appears. `width` None means that nobody counts columns (a file, a pipe).

    Where it cannot show all of Unicode, `charset` is what it can show (a codec's name).
    """

    colour: bool = False
    unicode: bool = True
    width: int | None = None
    charset: str = "ascii"

    def paint(self, text: str, ink: Ink) -> str:
        """Return the text in a colour, or as it is where there are none."""
        return f"\x1b[{ink.value}m{text}\x1b[0m" if self.colour and text else text

    def safe(self, text: str) -> str:
        """Return one line that cannot steer the terminal: controls are spelled out, and what it cannot show."""
        return "".join(map(self.glyph, text)) if not text.isascii() or not text.isprintable() else text

    def glyph(self, character: str) -> str:
        """Return how one character is shown."""
        if character.isascii():
            return character if character.isprintable() else _SHORT.get(character, f"\\x{ord(character):02x}")
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
            return f"\\u{{{ord(character):x}}}"
        if self.unicode or self._has(character):
            return character
        return character.translate(_ASCII) if ord(character) in _ASCII else f"\\u{{{ord(character):x}}}"

    def _has(self, character: str) -> bool:
        if self.charset == "ascii":
            return False
        try:
            character.encode(self.charset)
        except (UnicodeError, LookupError):
            return False
        return True


def terminal_of(stream: TextIO, environment: Mapping[str, str] | None = None) -> Terminal:
    """Return what a stream can show.

    There is colour on a terminal, or where FORCE_COLOR asks for it (force-color.org); never with NO_COLOR
    (no-color.org), which weighs more, nor on a terminal that calls itself dumb.
    """
    environment = os.environ if environment is None else environment
    on_terminal = stream.isatty()
    forced = environment.get("FORCE_COLOR", "") not in {"", "0", "false"}
    capable = on_terminal and environment.get("TERM") != "dumb"
    colour = (capable or forced) and not environment.get("NO_COLOR")
    charset = getattr(stream, "encoding", None) or "ascii"
    unicode = charset.lower().replace("-", "").replace("_", "").startswith("utf")
    width = shutil.get_terminal_size().columns if on_terminal else None
    return Terminal(colour=colour, unicode=unicode, width=width, charset=charset)


def cell_count(text: str) -> int:
    """Return how many columns a text takes up in a terminal (UAX #11; marks and joining jamo take none)."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me"} or _joins(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _joins(character: str) -> bool:
    """Vowels and finals of Hangul stand in the cell of the consonant before them (Unicode §3.12)."""
    return "\u1160" <= character <= "\u11ff" or "\ud7b0" <= character <= "\ud7ff"
