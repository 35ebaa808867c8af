"""Ways through the tree: the children of a node, all nodes below one, the nodes at a place."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from meshc_lang.tree.file import SourceFile
from meshc_lang.tree.node import Node

__all__ = ["children", "find_at", "walk"]

_FIELDS: dict[type[Node], tuple[str, ...]] = {}


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes that stand directly in a node, in the order in which they are written."""
    found: list[Node] = []
    for name in _fields(type(node)):
        value = getattr(node, name)
        if isinstance(value, Node):
            found.append(value)
        elif isinstance(value, tuple):
            found.extend(item for item in value if isinstance(item, Node))
    found.sort(key=lambda child: child.span.start)
    return tuple(found)


def walk(root: Node | SourceFile) -> Iterator[Node]:
    """Go over a node and everything below it, each node before its children, in the order of the text."""
    pending: list[Node] = list(reversed(root.statements)) if isinstance(root, SourceFile) else [root]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(children(node)))


def find_at(file: SourceFile, offset: int) -> tuple[Node, ...]:
    """Return the nodes that cover a character offset, from the statement inwards; empty between statements.

    The offset just past a node still counts as in it, as a cursor behind a word does, where no other node begins.
    """
    path: list[Node] = []
    level: tuple[Node, ...] = file.statements
    while True:
        covering = [node for node in level if node.span.start <= offset <= node.span.end]
        if not covering:
            return tuple(path)
        path.append(covering[-1])
        level = children(covering[-1])


def _fields(kind: type[Node]) -> tuple[str, ...]:
    known = _FIELDS.get(kind)
    if known is None:
        known = _FIELDS[kind] = tuple(field.name for field in dataclasses.fields(kind) if field.name != "span")
    return known
