"""Builds statements while Lark reads: one method a rule of `grammar/mesh.lark`, named as the rule is."""

# ruff: noqa: D102 -- one method a rule of the grammar, which says what each reads.

from __future__ import annotations

from typing import Any

from meshc_lang.claim_builder import ClaimBuilder
from meshc_lang.codes import syntax
from meshc_lang.reader import MOST_NESTED
from meshc_lang.source import Span
from meshc_lang.tree.node import Name
from meshc_lang.tree.policy import Flow
from meshc_lang.tree.statement import (
    AllowDecl,
    AnyStatement,
    DefaultsDecl,
    DenyDecl,
    DropItem,
    EdgeDecl,
    FaultDecl,
    LimitDecl,
    MirrorDecl,
    OverlayDecl,
    Ref,
    RouteDecl,
    RuleDecl,
    SetItem,
    SloDecl,
    TemplateDecl,
    UseDecl,
)
from meshc_lang.tree.target import Redirect, Respond, Target
from meshc_lang.tree.value import Integer, Percent, Rate

_Children = list[Any]


class TreeBuilder(ClaimBuilder):
    """Turns each rule, as soon as it is read, into its node; one builder serves one parse at a time."""

    def start(self, children: _Children) -> tuple[AnyStatement, ...]:
        return tuple(children)

    def defaults(self, children: _Children) -> DefaultsDecl:
        keyword, scope, body = children
        span = self.up_to(keyword, body.span)
        return DefaultsDecl(span=span, doc=self.doc(keyword), scope=self.word(scope), body=body)

    # ---- who may call whom

    def allow(self, children: _Children) -> AllowDecl:
        keyword, flow, grants, because = children
        span = self.up_to(keyword, (because or grants).span)
        return AllowDecl(span=span, doc=self.doc(keyword), flow=flow, grants=grants.grants, because=because)

    def deny(self, children: _Children) -> DenyDecl:
        keyword, flow, grants, unless, because = children
        span = self.up_to(keyword, (because or unless or grants).span)
        return DenyDecl(
            span=span, doc=self.doc(keyword), flow=flow, grants=grants.grants, unless=unless, because=because
        )

    # ---- how calls behave

    def edge(self, children: _Children) -> EdgeDecl:
        keyword, flow, body = children
        return EdgeDecl(span=self.up_to(keyword, body.span), doc=self.doc(keyword), flow=flow, body=body)

    def limit(self, children: _Children) -> LimitDecl:
        keyword, caller, _, callee, rate, _, burst, _, per = children
        end = per.span if per else self.at(burst or rate)
        return LimitDecl(
            span=self.up_to(keyword, end),
            doc=self.doc(keyword),
            flow=Flow(span=caller.span.to(callee.span), caller=caller, callee=callee),
            rate=self._rate_or_name(rate),
            burst=burst and self._integer_or_name(burst),
            per=per,
        )

    def _rate_or_name(self, token: Any) -> Rate | Name:
        return self.word(token) if token.type == "NAME" else self.rate([token])

    def _integer_or_name(self, token: Any) -> Integer | Name:
        return self.word(token) if token.type == "NAME" else self.integer([token])

    def _percent_or_name(self, token: Any) -> Percent | Name:
        return self.word(token) if token.type == "NAME" else self.percent([token])

    def mirror(self, children: _Children) -> MirrorDecl:
        keyword, service, port, matcher, guard, _, target = children
        return MirrorDecl(
            span=self.up_to(keyword, target.span),
            doc=self.doc(keyword),
            service=self.word(service),
            port=port and self.word(port),
            matcher=matcher,
            guard=guard,
            target=target,
        )

    def fault(self, children: _Children) -> FaultDecl:
        keyword, name, _, flow, body = children
        span = self.up_to(keyword, body.span)
        return FaultDecl(span=span, doc=self.doc(keyword), name=self.word(name), flow=flow, body=body)

    def slo(self, children: _Children) -> SloDecl:
        keyword, service, body = children
        span = self.up_to(keyword, body.span)
        return SloDecl(span=span, doc=self.doc(keyword), service=self.word(service), body=body)

    def route(self, children: _Children) -> RouteDecl:
        keyword, service, port, _, *rules, closer = children
        return RouteDecl(
            span=self.between(keyword, closer),
            doc=self.doc(keyword),
            service=self.word(service),
            port=port and self.word(port),
            rules=tuple(rules),
        )

    def rule(self, children: _Children) -> RuleDecl:
        matcher, guard, _, sent, _, name, over, body = children
        end: Span
        if body:
            end = body.span
        elif over:
            end = over[-1].span
        elif name:
            end = self.at(name)
        else:
            end = (sent[-1] if isinstance(sent, tuple) else sent).span
        return RuleDecl(
            span=matcher.span.to(end),
            matcher=matcher,
            guard=guard,
            targets=sent if isinstance(sent, tuple) else (),
            answer=None if isinstance(sent, tuple) else sent,
            name=name and self.word(name),
            over=over or (),
            body=body,
        )

    def targets(self, children: _Children) -> tuple[Target, ...]:
        return tuple(children)

    def target(self, children: _Children) -> Target:
        name, part, share = children
        return Target(
            span=self.between(name, share or part or name),
            name=self.word(name),
            part=part and self.word(part),
            share=share and self._percent_or_name(share),
        )

    def over(self, children: _Children) -> tuple[Name, ...]:
        return tuple([self.word(child) for child in children[1:]])

    def redirect(self, children: _Children) -> Redirect:
        keyword, location = children
        return Redirect(span=self.between(keyword, location), location=self.text([location]))

    def respond(self, children: _Children) -> Respond:
        keyword, status = children
        return Respond(span=self.between(keyword, status), status=self.integer([status]))

    # ---- statements that hold statements

    def template(self, children: _Children) -> TemplateDecl:
        keyword, name, parameters, _, *body, closer = children
        return TemplateDecl(
            span=self.between(keyword, closer),
            doc=self.doc(keyword),
            name=self.word(name),
            parameters=parameters,
            body=tuple(body),
        )

    def parameters(self, children: _Children) -> tuple[Name, ...]:
        return tuple(children[1:-1])

    def parameter(self, children: _Children) -> Name:
        return self.word(children[0])

    def use(self, children: _Children) -> UseDecl:
        keyword, name, _, *arguments, closer = children
        return UseDecl(
            span=self.between(keyword, closer),
            doc=self.doc(keyword),
            name=self.word(name),
            arguments=tuple(arguments),
        )

    def overlay(self, children: _Children) -> OverlayDecl:
        keyword, name, _, *items, closer = children
        span = self.between(keyword, closer)
        return OverlayDecl(span=span, doc=self.doc(keyword), name=self.word(name), items=tuple(items))

    def set_item(self, children: _Children) -> SetItem:
        keyword, ref, value = children
        return SetItem(span=self.up_to(keyword, value.span), doc=self.doc(keyword), ref=ref, value=value)

    def drop_item(self, children: _Children) -> DropItem:
        keyword, ref = children
        return DropItem(span=self.up_to(keyword, ref.span), doc=self.doc(keyword), ref=ref)

    def ref(self, children: _Children) -> Ref:
        span = self.between(children[0], children[-1])
        if len(children) > MOST_NESTED:
            self.report(syntax.TOO_DEEP, f"this name has more than {MOST_NESTED} parts", span)
        return Ref(span=span, parts=tuple([self.word(child) for child in children[:MOST_NESTED]]))
