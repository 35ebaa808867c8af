"""Conditions and values as they would be written in one line, whatever `let` or parameter they came by."""

from __future__ import annotations

from meshc_lang.json_string import json_text
from meshc_lang.policy_writer import PolicyWriter
from meshc_lang.source import SourceText
from meshc_lang.tree.file import SourceFile
from meshc_lang.tree.node import Text
from meshc_lang.tree.policy import Condition
from meshc_lang.tree.value import Block, ListValue, Value

__all__ = ["condition_words", "value_words"]


def condition_words(condition: Condition) -> str:
    """Return a condition on one line."""
    return _OneLine().condition(condition, "")


def value_words(value: Value) -> str:
    """Return a value on one line."""
    return _OneLine().value(value, "")


class _OneLine(PolicyWriter):
    """Writes from the tree alone: the source may have said it elsewhere, and otherwise."""

    def __init__(self) -> None:
        super().__init__(SourceFile(source=SourceText("", ""), statements=()))

    def value(self, node: Value, before: str) -> str:
        match node:
            case Text():
                return json_text(node.text)
            case ListValue():
                return f"[{', '.join(self.value(item, before) for item in node.items)}]"
            case Block():
                pairs = ", ".join(f"{pair.key}: {self.value(pair.value, before)}" for pair in node.pairs)
                return f"{{{pairs}}}"
        return super().value(node, before)
