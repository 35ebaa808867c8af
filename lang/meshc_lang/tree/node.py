"""What every node of the tree has."""

from __future__ import annotations

from meshc_lang.record import dataclass, field
from meshc_lang.source import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A piece of syntax. Two nodes are equal when they say the same, wherever they stand."""

    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Name(Node):
    """An identifier as written."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Node):
    """A quoted string; `text` is its value, without quotes and escapes."""

    text: str

    def __str__(self) -> str:
        return self.text
