"""The tree as text, one node a line, for people and for golden files."""

from __future__ import annotations

import dataclasses
from enum import Enum

from meshc_lang.request import Request
from meshc_lang.tree.file import SourceFile
from meshc_lang.tree.node import Node

__all__ = ["dump"]


def dump(root: Node | SourceFile, *, spans: bool = False) -> str:
    """Return a node or file as indented lines: what each node is, its plain fields, and the nodes below by field.

    Two trees that are equal print alike. With `spans`, each node also says where it stands, as `line:column`.
    """
    lines: list[str] = []
    if isinstance(root, SourceFile):
        for statement in root.statements:
            _node(lines, "", statement, 0, spans)
    else:
        _node(lines, "", root, 0, spans)
    return "\n".join(lines) + "\n"


def _node(lines: list[str], label: str, node: Node, depth: int, spans: bool) -> None:
    words = [label + type(node).__name__]
    if spans:
        words.append(f"@{node.span.first.line}:{node.span.first.column}")
    below: list[tuple[str, Node]] = []
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if field.name == "span" or (field.default is not dataclasses.MISSING and value == field.default):
            continue
        if isinstance(value, Node):
            below.append((f"{field.name}: ", value))
        elif isinstance(value, tuple) and all(isinstance(item, Node) for item in value):
            below.extend((f"{field.name}: ", item) for item in value)
        else:
            words.append(f"{field.name}={_plain(value)}")
    lines.append("  " * depth + " ".join(words))
    for name, child in below:
        _node(lines, name, child, depth + 1, spans)


def _plain(value: object) -> str:
    if isinstance(value, Request):
        return f"`{value.text}`"
    return repr(value.value) if isinstance(value, Enum) else repr(value)
