"""Builds the sentences about who may call whom while Lark reads: peers, matchers, conditions, grants."""

# ruff: noqa: D102 -- one method a rule of the grammar, which says what each reads.

from __future__ import annotations

import dataclasses
from typing import Any

from meshc_lang.codes import syntax
from meshc_lang.record import dataclass
from meshc_lang.source import Span
from meshc_lang.tree.node import Name, Text
from meshc_lang.tree.policy import (
    AllOf,
    AnyMatcher,
    AnyOf,
    AnyPeer,
    Attribute,
    AttributeKind,
    Compare,
    Comparison,
    Condition,
    Flow,
    FromPeer,
    Grant,
    HttpMatcher,
    IngressPeer,
    NamedPeer,
    Not,
    PathName,
    PathPattern,
    Present,
    RegexPattern,
    RpcMatcher,
    SpiffePeer,
    TcpMatcher,
    Within,
)
from meshc_lang.value_builder import ValueBuilder

_Children = list[Any]

_MOST_NEGATIONS = 16


@dataclass(frozen=True, slots=True)
class Grants:
    """The grants of a statement and where they stand, colon or braces included."""

    grants: tuple[Grant, ...]
    span: Span


class PolicyBuilder(ValueBuilder):
    """The part of the tree builder that reads peers, matchers and conditions."""

    def flow(self, children: _Children) -> Flow:
        caller, _, callee = children
        return Flow(span=caller.span.to(callee.span), caller=caller, callee=callee)

    def named_peer(self, children: _Children) -> NamedPeer:
        name, part = children
        return NamedPeer(span=self.between(name, part or name), name=self.word(name), part=part and self.word(part))

    def any_peer(self, children: _Children) -> AnyPeer:
        return AnyPeer(span=self.at(children[0]))

    def ingress_peer(self, children: _Children) -> IngressPeer:
        return IngressPeer(span=self.at(children[0]))

    def spiffe_peer(self, children: _Children) -> SpiffePeer:
        return SpiffePeer(span=self.at(children[0]), id=self.text(children))

    def grants_line(self, children: _Children) -> Grants:
        return Grants(tuple(children), children[0].span.to(children[-1].span))

    def grants_block(self, children: _Children) -> Grants:
        return Grants(tuple(children[1:-1]), self.between(children[0], children[-1]))

    def grant(self, children: _Children) -> Grant:
        matcher, guard = children
        return Grant(span=matcher.span.to(guard.span) if guard else matcher.span, matcher=matcher, guard=guard)

    def http_matcher(self, children: _Children) -> HttpMatcher:
        methods, path = children
        if not methods:
            return HttpMatcher(span=path.span, methods=(), path=path)
        return HttpMatcher(span=methods[0].span.to(path.span), methods=methods, path=path)

    def star_matcher(self, children: _Children) -> HttpMatcher:
        star, path = children
        return HttpMatcher(span=self.up_to(star, path.span), methods=(), path=path)

    def methods(self, children: _Children) -> tuple[Name, ...]:
        return tuple([self.word(child) for child in children])

    def path_pattern(self, children: _Children) -> PathPattern:
        return PathPattern(span=self.at(children[0]), text=children[0].value)

    def path_name(self, children: _Children) -> PathName:
        return PathName(span=self.at(children[0]), name=self.word(children[0]))

    def regex_pattern(self, children: _Children) -> RegexPattern:
        tilde, pattern = children
        return RegexPattern(span=self.between(tilde, pattern), pattern=self.verbatim(pattern))

    def rpc_matcher(self, children: _Children) -> RpcMatcher:
        keyword, name = children
        service, _, methods = name.value.partition("/")
        return RpcMatcher(span=self.between(keyword, name), service=service, methods=tuple(methods.split("|")))

    def tcp_matcher(self, children: _Children) -> TcpMatcher:
        return TcpMatcher(span=self.at(children[0]))

    def any_matcher(self, children: _Children) -> AnyMatcher:
        return AnyMatcher(span=self.at(children[0]))

    def guard(self, children: _Children) -> Condition:
        return children[1]  # type: ignore[no-any-return]

    unless = guard

    def because(self, children: _Children) -> Text:
        return self.text(children[1:])

    # ---- conditions

    def any_of(self, children: _Children) -> AnyOf:
        operands = tuple(children[::2])
        return AnyOf(span=operands[0].span.to(operands[-1].span), operands=operands)

    def all_of(self, children: _Children) -> AllOf:
        operands = tuple(children[::2])
        return AllOf(span=operands[0].span.to(operands[-1].span), operands=operands)

    def negation(self, children: _Children) -> Condition:
        keyword, operand = children
        inner, depth = operand, 0
        while isinstance(inner, Not):
            inner, depth = inner.operand, depth + 1
        if depth >= _MOST_NEGATIONS:
            if not (self.problems and self.problems[-1].code is syntax.TOO_DEEP):
                self.report(syntax.TOO_DEEP, f"more than {_MOST_NEGATIONS} `not` stand in a row", self.at(keyword))
            return operand  # type: ignore[no-any-return]
        return Not(span=self.up_to(keyword, operand.span), operand=operand)

    def parenthesised(self, children: _Children) -> Condition:
        opener, inner, closer = children
        return dataclasses.replace(inner, span=self.between(opener, closer))  # type: ignore[no-any-return]

    def compare(self, children: _Children) -> Compare:
        attribute, sign, value = children
        return Compare(
            span=attribute.span.to(value.span), attribute=attribute, comparison=Comparison(sign.value), value=value
        )

    def matches(self, children: _Children) -> Compare:
        attribute, _, regex = children
        value = self.verbatim(regex)
        return Compare(
            span=attribute.span.to(value.span), attribute=attribute, comparison=Comparison.MATCHES, value=value
        )

    def present(self, children: _Children) -> Present:
        attribute, keyword = children
        return Present(span=attribute.span.to(self.at(keyword)), attribute=attribute)

    def within(self, children: _Children) -> Within:
        attribute, _, value = children
        return Within(span=attribute.span.to(value.span), attribute=attribute, value=value)

    def from_peer(self, children: _Children) -> FromPeer:
        keyword, peer = children
        return FromPeer(span=self.up_to(keyword, peer.span), peer=peer)

    def keyed_attribute(self, children: _Children) -> Attribute:
        kind, key = children
        return Attribute(span=self.between(kind, key), kind=AttributeKind(kind.value), key=self.text([key]).text)

    def field_attribute(self, children: _Children) -> Attribute:
        owner, *keys = children
        key = ".".join([token.value for token in keys])
        return Attribute(span=self.between(owner, keys[-1]), kind=AttributeKind.FIELD, key=key, owner=owner.value)
