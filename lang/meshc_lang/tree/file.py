"""The root of the tree: one file's statements."""

from __future__ import annotations

from meshc_lang.record import dataclass, field
from meshc_lang.source import SourceText, Span
from meshc_lang.tree.node import Name
from meshc_lang.tree.statement import AnyStatement


@dataclass(frozen=True, slots=True)
class Comment:
    """A `#` comment as written, without its line break."""

    span: Span

    @property
    def text(self) -> str:
        """The comment, from its mark on."""
        return self.span.text


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One parsed file. Statements that could not be read are absent; their errors are in the parser's diagnostics.

    `unread_names` are the services, externals, groups, tokens, values and templates that such statements would have
    declared, and what a `use` may have: whatever depends on them is silenced, so that one mistake is told once.
    """

    source: SourceText = field(compare=False)
    statements: tuple[AnyStatement, ...]
    comments: tuple[Comment, ...] = field(default=(), compare=False)
    unread_names: tuple[Name, ...] = field(default=(), compare=False)
