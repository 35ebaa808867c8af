"""Text to syntax tree; every mistake becomes a diagnostic, and no text at all raises."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from meshc_lang.codes import syntax
from meshc_lang.diagnostic import Diagnostic, in_order
from meshc_lang.request import Request
from meshc_lang.source import SourceText
from meshc_lang.tree.file import SourceFile

if TYPE_CHECKING:
    from meshc_lang.tree_builder import TreeBuilder

__all__ = ["parse", "parse_request"]

_LOCK = threading.Lock()


def parse(source: SourceText) -> tuple[SourceFile, tuple[Diagnostic, ...]]:
    from lark.exceptions import UnexpectedInput

    with _LOCK, _collector_paused():
        lark, builder = _reader()
        builder.begin(source, 0)
        try:
            statements = lark.parse(source.text, start="start")
        except UnexpectedInput as error:
            return SourceFile(source=source, statements=()), (
                Diagnostic(
                    code=syntax.UNEXPECTED,
                    message=str(error),
                    primary=source.span(error.pos_in_stream or 0, (error.pos_in_stream or 0) + 1),
                ),
            )
        return SourceFile(source=source, statements=statements, comments=tuple(builder.comments)), in_order(
            builder.problems
        )


def parse_request(text: str) -> tuple[Request | None, tuple[Diagnostic, ...]]:
    from lark.exceptions import UnexpectedInput

    source = SourceText("<request>", text)
    with _LOCK:
        lark, builder = _reader()
        builder.begin(source, 0)
        try:
            request = lark.parse(source.text, start="request_line")
        except UnexpectedInput as error:
            return None, (
                Diagnostic(
                    code=syntax.UNEXPECTED,
                    message=str(error),
                    primary=source.span(error.pos_in_stream or 0, (error.pos_in_stream or 0) + 1),
                ),
            )
        return request, in_order(builder.problems)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep the cyclic collector from walking the growing tree again and again: half the time of a large file."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@cache
def _reader() -> tuple[Any, TreeBuilder]:
    from lark import Lark
    from meshc_lang.tree_builder import TreeBuilder

    builder = TreeBuilder()
    grammar = resources.files("meshc_lang.grammar").joinpath("mesh.lark").read_text(encoding="utf-8")
    callbacks = {"_NL": builder.on_newline, "COMMENT": builder.on_comment}
    callbacks |= dict.fromkeys(("LBRACE", "LSQB", "LPAR"), builder.on_open)
    callbacks |= dict.fromkeys(("RBRACE", "RSQB", "RPAR"), builder.on_close)
    lark = Lark(
        grammar,
        parser="lalr",
        lexer="contextual",
        start=["start", "request_line"],
        transformer=builder,
        lexer_callbacks=callbacks,
    )
    return lark, builder
