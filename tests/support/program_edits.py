"""Programs rewritten in their text: values taken out into `let`, statements into templates, changes into overlays."""

from __future__ import annotations

from dataclasses import dataclass

from meshc_lang.parser import parse
from meshc_lang.source import SourceText, Span
from meshc_lang.tree.declaration import ExternalDecl, ServiceDecl
from meshc_lang.tree.node import Name, Node
from meshc_lang.tree.policy import HttpMatcher, NamedPeer, PathPattern
from meshc_lang.tree.statement import (
    AllowDecl,
    AnyStatement,
    DefaultsDecl,
    DenyDecl,
    EdgeDecl,
    LimitDecl,
    RouteDecl,
    RuleDecl,
)
from meshc_lang.tree.target import Target
from meshc_lang.tree.value import Block, Pair, Percent
from meshc_lang.tree.walk import walk


@dataclass(frozen=True)
class Hole:
    """A stretch of a statement that a name may stand for."""

    span: Span

    @property
    def text(self) -> str:
        return self.span.text


def statements_of(text: str) -> tuple[AnyStatement, ...]:
    file, problems = parse(SourceText("p.mesh", text))
    assert not problems, problems
    return file.statements


def values_in(node: Node) -> list[Hole]:
    """The values in a statement that a `let` or a parameter may stand for, none within another."""
    spans: list[Span] = []
    for inner in walk(node):
        match inner:
            case Pair(value=value) if not isinstance(value, Block):
                spans.append(value.span)
            case LimitDecl():
                spans.append(inner.rate.span)
                spans += [inner.burst.span] if inner.burst is not None else []
            case Target(share=Percent() as share):
                spans.append(share.span)
            case HttpMatcher(path=PathPattern() as path):
                spans.append(path.span)
    return [Hole(span) for span in sorted(spans, key=lambda span: span.start)]


def names_in(statement: AnyStatement) -> list[Hole]:
    """The names in a statement that a parameter may stand for."""
    spans: list[Span] = []
    if isinstance(statement, ServiceDecl | ExternalDecl):
        spans.append(statement.name.span)
    if isinstance(statement, RouteDecl):
        spans.append(statement.service.span)
    if isinstance(statement, DefaultsDecl) and statement.scope.text != "mesh":
        spans.append(statement.scope.span)
    for inner in walk(statement):
        match inner:
            case NamedPeer():
                spans.append(inner.name.span)
            case Target():
                spans.append(inner.name.span)
            case RuleDecl(name=Name() as name):
                spans.append(name.span)
    return [Hole(span) for span in spans]


def filled(statement: Node, names: dict[Hole, str]) -> str:
    """Return a statement's text with names in the places of some of its parts."""
    base, text = statement.span.start, statement.span.text
    for hole in sorted(names, key=lambda hole: hole.span.start, reverse=True):
        text = text[: hole.span.start - base] + names[hole] + text[hole.span.end - base :]
    return text


TEMPLATABLE = (ServiceDecl, ExternalDecl, AllowDecl, DenyDecl, EdgeDecl, DefaultsDecl, RouteDecl, LimitDecl)
