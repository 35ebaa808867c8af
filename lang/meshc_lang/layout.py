"""Where the formatter breaks lines, and where comments go: brackets, lists after a comma, blank lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from meshc_lang.pattern import pattern
from meshc_lang.source import Span
from meshc_lang.tree.file import Comment, SourceFile

__all__ = ["INDENT", "WIDTH", "Layout"]

INDENT = "  "
WIDTH = 100
"""A block or list written on one line is broken where its line would be longer."""


class _Placed(Protocol):
    @property
    def span(self) -> Span: ...


_NOTHING = pattern(r"(?:[\s,;\\]|#[^\n]*)*+")

_Item = TypeVar("_Item", bound=_Placed)

Render = Callable[[_Item, str], str]
"""Prints an item whose first line stands behind the given text (indentation and all) without repeating it."""


class Layout:
    """Gives out the comments of a file in the order of the text, each once, next to what they stand by."""

    def __init__(self, file: SourceFile) -> None:
        self.text = file.source.text
        self.pending: list[Comment] = list(reversed(file.comments))
        # While a line is being measured nothing inside it is broken: trying both ways at each depth would be 2^depth.
        self.flat = False

    def comments_before(self, offset: int) -> list[Comment]:
        """Take the comments that begin before `offset`."""
        taken: list[Comment] = []
        while self.pending and self.pending[-1].span.start < offset:
            taken.append(self.pending.pop())
        return taken

    def trailing(self, end: int, before: int) -> Comment | None:
        """Take the comment that stands behind `end` on the same line and begins before `before`, if there is one."""
        if not self.pending:
            return None
        start = self.pending[-1].span.start
        if start >= before or "\n" in self.text[end:start]:
            return None
        return self.pending.pop()

    def mark_behind(self, offset: int) -> int:
        """Return where the next thing stands that is neither blank, comma nor comment."""
        found = _NOTHING.match(self.text, offset)
        return found.end() if found else offset

    def lines(
        self, items: Sequence[_Item], render: Render[_Item], indent: str, start: int, end: int, mark: str = ""
    ) -> list[str]:
        """Print items one a line between the offsets `start` and `end`, with the comments and blank lines among them.

        Single blank lines are kept and several become one; none is kept at either end. `mark` follows each item.
        """
        out: list[str] = []
        at = start
        for index, item in enumerate(items):
            for comment in self.comments_before(item.span.start):
                self._blank(out, at, comment.span.start)
                out.append(indent + comment.text.rstrip())
                at = comment.span.end
            self._blank(out, at, item.span.start)
            line = indent + render(item, indent) + mark
            at = item.span.end
            following = items[index + 1].span.start if index + 1 < len(items) else end
            behind = self.trailing(at, following)
            if behind is not None:
                line += _behind(behind)
                at = behind.span.end
            out.append(line)
        for comment in self.comments_before(end):
            self._blank(out, at, comment.span.start)
            out.append(indent + comment.text.rstrip())
            at = comment.span.end
        return out

    def bracketed(
        self,
        items: Sequence[_Item],
        render: Render[_Item],
        *,
        opener: int,
        closer: int,
        marks: tuple[str, str],
        before: str,
        separator: str = "",
        one_a_line: bool = False,
        broken: bool = False,
    ) -> str:
        """Print what stands between two brackets: on one line if it was written so and fits, else one item a line.

        Args:
            items: What stands between them.
            render: Prints one item.
            opener: The offset of the opening bracket.
            closer: The offset of the closing bracket.
            marks: The brackets, with the blanks inside them on one line (`"{ "`, `" }"`).
            before: What the line holds before the opening bracket, indentation included.
            separator: What follows each item where each has its line.
            one_a_line: No two items ever share a line.
            broken: No item ever shares the line of the brackets.
        """
        opening, closing = marks[0].strip(), marks[1].strip()
        if "\n" not in self.text[opener:closer] and not items:
            return opening + closing
        if "\n" not in self.text[opener:closer] and not broken:
            outer, self.flat = self.flat, True
            line = marks[0] + ", ".join(render(item, before) for item in items) + marks[1]
            self.flat = outer
            if self.flat or (len(before) + len(line) <= WIDTH and not (one_a_line and len(items) > 1)):
                return line
        indent = before[: len(before) - len(before.lstrip(" "))]
        first = self.trailing(opener + 1, items[0].span.start if items else closer)
        start = first.span.end if first is not None else opener + 1
        inner = self.lines(items, render, indent + INDENT, start, closer, separator)
        if first is None and not inner:
            return opening + closing
        return "\n".join([opening + (_behind(first) if first is not None else ""), *inner, indent + closing])

    def after_commas(self, items: Sequence[_Item], render: Render[_Item], before: str) -> str:
        """Print items with commas between them; a line break behind a comma is kept, and what follows is indented."""
        out = before
        indent = before[: len(before) - len(before.lstrip(" "))] + INDENT
        for index, item in enumerate(items):
            if index:
                out += ","
                end = items[index - 1].span.end
                if "\n" in self.text[end : item.span.start]:
                    behind = self.trailing(end, item.span.start)
                    if behind is not None:
                        out += _behind(behind)
                    for comment in self.comments_before(item.span.start):
                        out += "\n" + indent + comment.text.rstrip()
                    out += "\n" + indent
                else:
                    out += " "
            out += render(item, out[out.rfind("\n") + 1 :])
        return out[len(before) :]

    def _blank(self, out: list[str], at: int, start: int) -> None:
        if out and self.text.count("\n", at, start) > 1:
            out.append("")


def _behind(comment: Comment) -> str:
    return "  " + comment.text.rstrip()
