"""Entries of blocks that overlays put in and take away, by the path that leads to them."""

from __future__ import annotations

import dataclasses

from meshc_lang.source import Span, expanded
from meshc_lang.tree.node import Name
from meshc_lang.tree.value import Block, Integer, Pair, Path, Switch, Value

_SHORT = {"health": "path", "balance": "policy"}
"""Blocks that may be written as the value of one of their entries: `health: /healthz`."""


def has_room(block: Block, path: tuple[Name, ...]) -> tuple[str, Value] | None:
    """Return the entry on the way that can have no entries of its own, with its value; None if there is none."""
    held: Value = block
    for depth, name in enumerate(path[:-1]):
        pair = _pair(held, name.text) if isinstance(held, Block) else None
        if pair is None:
            return None
        unfolded = _unfolded(name.text, pair)
        if unfolded is None:
            return ".".join(part.text for part in path[: depth + 1]), pair.value
        held = unfolded
    return None


def with_entry(block: Block, path: tuple[Name, ...], value: Value, span: Span) -> Block:
    """Return a block in which a path leads to a value; what stood there before is gone. `span` is the entry's place."""
    key, *rest = path
    old = _pair(block, key.text)
    if not rest:
        new = Pair(span=span, key=key, value=value)
    else:
        inner = (_unfolded(key.text, old) if old is not None else None) or Block(span=span, pairs=())
        made = with_entry(inner, tuple(rest), value, span)
        new = Pair(span=span, key=key, value=made) if old is None else _changed(old, made, span)
    if old is None:
        return dataclasses.replace(block, pairs=(*block.pairs, new))
    return dataclasses.replace(block, pairs=tuple(new if pair is old else pair for pair in block.pairs))


def _changed(pair: Pair, value: Value, by: Span) -> Pair:
    """Return an entry with another block, whose span says where a part of it was changed."""
    span = expanded(pair.span)
    remarks = (*span.remarks, f"changed at {by}", f"overlay {by.overlay}")
    return dataclasses.replace(pair, value=value, span=dataclasses.replace(span, remarks=remarks))


def without_entry(block: Block, path: tuple[Name, ...]) -> Block:
    """Return a block in which a path leads to nothing; blocks that would be left empty go with it."""
    key, *rest = path
    old = _pair(block, key.text)
    if old is None:
        return block
    new: Pair | None = None
    if rest:
        if not isinstance(old.value, Block):
            return block
        inner = without_entry(old.value, tuple(rest))
        new = dataclasses.replace(old, value=inner) if inner.pairs else None
    pairs = (new if pair is old else pair for pair in block.pairs)
    return dataclasses.replace(block, pairs=tuple(pair for pair in pairs if pair is not None))


def _pair(block: Block, key: str) -> Pair | None:
    return next((pair for pair in block.pairs if pair.key.text == key), None)


def _unfolded(key: str, pair: Pair) -> Block | None:
    """Return an entry's block; where a short form stands (`retry: off`, `balance: random`), what it is short for."""
    value = pair.value
    match value:
        case Block():
            return value
        case Switch(on=False) if key == "retry":
            limit = Pair(
                span=pair.span, key=Name(span=pair.key.span, text="limit"), value=Integer(span=value.span, value=0)
            )
            return Block(span=value.span, pairs=(limit,))
        case Switch():
            return Block(span=value.span, pairs=())
        case Name() | Path() if key in _SHORT:
            full = Pair(span=pair.span, key=Name(span=pair.key.span, text=_SHORT[key]), value=value)
            return Block(span=value.span, pairs=(full,))
    return None
