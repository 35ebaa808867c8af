"""Lark itself, reading with the grammar and our builders: what the reader must do as well, only faster."""

from __future__ import annotations

from functools import cache
from typing import Any

from lark import Lark, Token
from lark.exceptions import UnexpectedInput

from meshc_lang.source import SourceText
from meshc_lang.tables import GRAMMAR_STARTS, grammar_text
from meshc_lang.tree_builder import TreeBuilder


def greedy_grammar() -> str:
    """Return the grammar without possessive loops, which `interegular`, where Lark finds it installed, can't read."""
    return grammar_text().replace(")*+", ")*")


class Oracle:
    """Lark with a builder of its own."""

    def __init__(self) -> None:
        self.builder = TreeBuilder()

        def on_newline(token: Token) -> Token:
            assert token.start_pos is not None
            assert token.end_pos is not None
            self.builder.on_newline(token.value, token.start_pos, token.end_pos)
            return token

        def on_comment(token: Token) -> Token:
            assert token.start_pos is not None
            assert token.end_pos is not None
            self.builder.on_comment(token.start_pos, token.end_pos)
            return token

        self.lark = Lark(
            greedy_grammar(),
            parser="lalr",
            lexer="contextual",
            start=list(GRAMMAR_STARTS),
            transformer=self.builder,
            lexer_callbacks={"_NL": on_newline, "COMMENT": on_comment},
        )

    def read(self, text: str, start: str) -> Any | None:
        """Read a text; None where it is refused."""
        self.builder.begin(SourceText("a.mesh", text), 0)
        try:
            return self.lark.parse(text, start=start)
        except UnexpectedInput:
            return None

    def stop(self, text: str, start: str) -> tuple[int, list[str], frozenset[str]]:
        """Return where a text is refused, the types of the tokens until there, and what could have followed them."""
        self.builder.begin(SourceText("a.mesh", text), 0)
        tokens: list[Token] = []
        offset = len(text)
        walk = self.lark.parse_interactive(text, start=start)
        try:
            for token in walk.iter_parse():
                tokens.append(token)
            walk.feed_eof(tokens[-1] if tokens else None)  # type: ignore[no-untyped-call]
        except UnexpectedInput as error:
            refused = getattr(error, "token", None)
            if tokens and refused is tokens[-1]:
                tokens.pop()
            if refused is None:
                offset = error.pos_in_stream if error.pos_in_stream is not None else offset
            elif refused.type != "$END":
                offset = refused.start_pos
        walk = self.lark.parse_interactive("", start=start)
        for token in tokens:
            walk.feed_token(token)
        return offset, [token.type for token in tokens], frozenset(walk.accepts())  # type: ignore[no-untyped-call]


@cache
def oracle() -> Oracle:
    """Return Lark with the grammar, made once: compiling it takes long."""
    return Oracle()
