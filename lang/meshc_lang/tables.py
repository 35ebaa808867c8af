"""The tables by which texts are read: made of the grammar by Lark, and kept, for that takes longer than most programs.

A wheel brings them along; else they are written beside the grammar, as Python does with bytecode, or where that may not
be written, into the user's cache directory. They are plain data, and taken only if grammar and format are the same.
"""

from __future__ import annotations

import binascii
import marshal
import os
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

from meshc_lang.user_cache import user_cache

__all__ = ["GRAMMAR_STARTS", "AnyBucket", "Pick", "RuleRow", "Tables", "grammar_text", "load_tables"]

GRAMMAR_STARTS = ("start", "request_line")
"""The rules of the grammar that a text may be read as: a program, and one request."""

Pick: TypeAlias = tuple[int | None, bool]
"""One child that a builder is given: its place among the symbols of the rule, None for one left out of the text; and
whether it is a list, of which the members are given."""

RuleRow: TypeAlias = tuple[str, int, str, bool, tuple[Pick, ...]]
"""A rule: its symbol, how many symbols it has, who builds it, whether a single child stands for it, its children."""

AnyBucket: TypeAlias = str | tuple[str, dict[str, str] | None, str]
"""How to tell which terminal stands where a certain character does: the only mark that it can be; or an expression, the
terminals of the words that it may match, and the terminal of all else, empty if the groups of the expression tell."""

_FORMAT = 2
"""Goes up with every change of what `table_maker` writes."""

_HEAD = b"meshc tables\n"
# Not `pathlib`, here and in what else a check of a sound program imports: it takes 8 ms, most of it for URLs.
_HERE = os.path.join(os.path.dirname(__file__), "grammar")


class Tables(NamedTuple):
    """What there is to know of a grammar. States are numbers, an action is a state to go to or `~rule` to reduce by."""

    starts: dict[str, tuple[int, int]]
    """For each start rule the state in which reading begins, and the one in which it ends."""
    actions: tuple[dict[str, int], ...]
    gotos: tuple[dict[str, int], ...]
    rules: tuple[RuleRow, ...]
    lexer_of: tuple[int, ...]
    lexers: tuple[dict[str, AnyBucket], ...]
    kept: tuple[str, ...]
    """The terminals that some builder is given."""
    ignored: tuple[str, ...]
    """The terminals that may stand anywhere and mean nothing."""


def grammar_text() -> str:
    """Return the grammar in Lark's notation: the normative syntax of the language."""
    with open(os.path.join(_HERE, "mesh.lark"), encoding="utf-8") as file:
        return file.read()


def load_tables() -> Tables:
    """Return the tables of the grammar; they are made if there are none, or none of this grammar."""
    grammar = grammar_text()
    for path in _places():
        tables = _read(path, grammar)
        if tables is not None:
            return tables
    from meshc_lang.table_maker import make_tables

    tables = make_tables(grammar, GRAMMAR_STARTS)
    any(_write(path, packed(grammar, tables)) for path in _places(writing=True))
    return tables


def packed(grammar: str, tables: Tables) -> bytes:
    """Return the bytes of a file that keeps tables."""
    # Version 4 is what every Python from 3.4 on reads, so that one wheel serves them all. Strings are interned so that
    # each is written once, in the same places whatever made the tables: the same grammar gives the same bytes.
    content = marshal.dumps((_FORMAT, grammar, _interned(tuple(tables))), 4)
    return _HEAD + binascii.crc32(content).to_bytes(4, "big") + content


def _interned(value: Any) -> Any:
    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, dict):
        return {_interned(key): _interned(inner) for key, inner in value.items()}
    return tuple(map(_interned, value)) if isinstance(value, tuple) else value


def _places(*, writing: bool = False) -> Iterator[str]:
    """Where tables may be, or may be written; whoever can write beside the grammar could change the grammar as well."""
    if not writing:
        yield os.path.join(_HERE, "mesh.tables")
    if sys.pycache_prefix is None and not (writing and sys.dont_write_bytecode):
        yield os.path.join(_HERE, "__pycache__", "mesh.tables")
    cache = user_cache()
    if cache is not None:
        yield os.path.join(cache, "mesh.tables")


def _read(path: str, grammar: str) -> Tables | None:
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return None
    start = len(_HEAD) + 4
    if not content.startswith(_HEAD) or binascii.crc32(content[start:]) != int.from_bytes(content[start - 4 : start]):
        return None
    found = marshal.loads(content[start:])  # noqa: S302 -- whole, and from where nobody else can write
    form, of, fields = found
    return Tables._make(fields) if form == _FORMAT and of == grammar else None


def _write(path: str, content: bytes) -> bool:
    """Write a file whole or not at all: another process may be reading it."""
    unfinished = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(unfinished, path)
    except OSError:
        return False
    return True
