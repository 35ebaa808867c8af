"""Builds the statements that bring names into being while Lark reads: imports, services, groups, tokens, values."""

# ruff: noqa: D102 -- one method a rule of the grammar, which says what each reads.

from __future__ import annotations

import dataclasses
from typing import Any

from meshc_lang.codes import syntax
from meshc_lang.policy_builder import PolicyBuilder
from meshc_lang.tree.declaration import (
    EditionDecl,
    ExternalDecl,
    GroupDecl,
    GroupDifference,
    GroupExpression,
    GroupList,
    GroupUnion,
    GroupWhere,
    ImportDecl,
    JwtDecl,
    LetDecl,
    MeshDecl,
    ServiceDecl,
)

_Children = list[Any]

_MOST_OPERATORS = 200
"""How many `|` and `-` one group may chain: the tree is as deep as they are many, and a list says it better."""


class DeclarationBuilder(PolicyBuilder):
    """The part of the tree builder that reads what has a name of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.operators = 0

    def edition(self, children: _Children) -> EditionDecl:
        keyword, year = children
        number = self.integer([year])
        span = self.between(keyword, year)
        return EditionDecl(span=span, doc=self.doc(keyword), year=number)

    def mesh(self, children: _Children) -> MeshDecl:
        keyword, name, body = children
        return MeshDecl(span=self.up_to(keyword, body.span), doc=self.doc(keyword), name=self.word(name), body=body)

    def service(self, children: _Children) -> ServiceDecl:
        keyword, name, body = children
        return ServiceDecl(span=self.up_to(keyword, body.span), doc=self.doc(keyword), name=self.word(name), body=body)

    def external(self, children: _Children) -> ExternalDecl:
        keyword, name, body = children
        return ExternalDecl(span=self.up_to(keyword, body.span), doc=self.doc(keyword), name=self.word(name), body=body)

    def import_file(self, children: _Children) -> ImportDecl:
        keyword, kind, path, _, service = children
        return ImportDecl(
            span=self.up_to(keyword, service.span) if service else self.between(keyword, path),
            doc=self.doc(keyword),
            kind=kind and self.word(kind),
            path=self.text([path]),
            service=service,
        )

    def jwt(self, children: _Children) -> JwtDecl:
        keyword, name, body = children
        return JwtDecl(span=self.up_to(keyword, body.span), doc=self.doc(keyword), name=self.word(name), body=body)

    def let(self, children: _Children) -> LetDecl:
        keyword, name, value = children
        return LetDecl(span=self.up_to(keyword, value.span), doc=self.doc(keyword), name=self.word(name), value=value)

    # ---- groups

    def group(self, children: _Children) -> GroupDecl:
        keyword, name, members = children
        self.operators = 0
        span = self.up_to(keyword, members.span)
        return GroupDecl(span=span, doc=self.doc(keyword), name=self.word(name), members=members)

    def group_union(self, children: _Children) -> GroupExpression:
        left, right = children
        if self._too_many_operators(right):
            return dataclasses.replace(left, span=left.span.to(right.span))  # type: ignore[no-any-return]
        return GroupUnion(span=left.span.to(right.span), left=left, right=right)

    def group_difference(self, children: _Children) -> GroupExpression:
        left, right = children
        if self._too_many_operators(right):
            return dataclasses.replace(left, span=left.span.to(right.span))  # type: ignore[no-any-return]
        return GroupDifference(span=left.span.to(right.span), left=left, right=right)

    def group_list(self, children: _Children) -> GroupList:
        return GroupList(span=self.between(children[0], children[-1]), peers=tuple(children[1:-1]))

    def group_where(self, children: _Children) -> GroupWhere:
        keyword, condition = children
        return GroupWhere(span=self.up_to(keyword, condition.span), condition=condition)

    def group_parenthesised(self, children: _Children) -> GroupExpression:
        opener, inner, closer = children
        return dataclasses.replace(inner, span=self.between(opener, closer))  # type: ignore[no-any-return]

    def _too_many_operators(self, right: GroupExpression) -> bool:
        self.operators += 1
        if self.operators == _MOST_OPERATORS + 1:
            self.report(
                syntax.TOO_DEEP,
                f"this group chains more than {_MOST_OPERATORS} operators",
                right.span,
                help="write the members as a list: `[a, b, c]`",
            )
        return self.operators > _MOST_OPERATORS
