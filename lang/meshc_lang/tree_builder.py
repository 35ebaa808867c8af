"""Builds statements while Lark reads: one method a rule of `grammar/mesh.lark`, named as the rule is."""

# ruff: noqa: D102 -- one method a rule of the grammar, which says what each reads.

from __future__ import annotations

import dataclasses
from typing import Any

from meshc_lang.codes import syntax
from meshc_lang.policy_builder import PolicyBuilder
from meshc_lang.record import dataclass
from meshc_lang.request import Request
from meshc_lang.source import Span
from meshc_lang.tree.claim import (
    AllowedVerdict,
    AssertDecl,
    CaseDecl,
    DeniedVerdict,
    NeverClaim,
    OnlyClaim,
    RoutedVerdict,
    SettingVerdict,
    TestDecl,
)
from meshc_lang.tree.declaration import (
    EditionDecl,
    ExternalDecl,
    GroupDecl,
    GroupDifference,
    GroupExpression,
    GroupList,
    GroupUnion,
    GroupWhere,
    MeshDecl,
    ServiceDecl,
)
from meshc_lang.tree.node import Name
from meshc_lang.tree.policy import (
    AnyPeer,
    Flow,
    IngressPeer,
    NamedPeer,
    PeerRef,
    SpiffePeer,
)
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

_Children = list[Any]
_Pairs = tuple[tuple[str, str], ...]

_MOST_OPERATORS = 200
"""How many `|` and `-` one group may chain: the tree is as deep as they are many, and a list says it better."""


@dataclass(frozen=True, slots=True)
class _RequestWords:
    """What a request says besides who calls whom."""

    protocol: str
    method: str
    path: str
    query: str
    headers: _Pairs
    claims: _Pairs
    span: Span


class TreeBuilder(PolicyBuilder):
    """Turns each rule, as soon as it is read, into its node; one builder serves one parse at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.operators = 0

    # ---- the file

    def start(self, children: _Children) -> tuple[AnyStatement, ...]:
        return tuple(children)

    def request_line(self, children: _Children) -> Request:
        flow, words = children
        return self._request(flow, words)

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

    def defaults(self, children: _Children) -> DefaultsDecl:
        keyword, scope, body = children
        span = self.up_to(keyword, body.span)
        return DefaultsDecl(span=span, doc=self.doc(keyword), scope=self.word(scope), body=body)

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
        keyword, flow, rate, _, burst, _, per = children
        end = per.span if per else self.at(burst or rate)
        return LimitDecl(
            span=self.up_to(keyword, end),
            doc=self.doc(keyword),
            flow=flow,
            rate=self.rate([rate]),
            burst=burst and self.integer([burst]),
            per=per,
        )

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
        matcher, guard, _, targets, _, name, over, body = children
        end: Span
        if body:
            end = body.span
        elif over:
            end = over[-1].span
        elif name:
            end = self.at(name)
        else:
            end = targets[-1].span
        return RuleDecl(
            span=matcher.span.to(end),
            matcher=matcher,
            guard=guard,
            targets=targets,
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
            share=share and self.percent([share]),
        )

    def over(self, children: _Children) -> tuple[Name, ...]:
        return tuple([self.word(child) for child in children[1:]])

    # ---- what must hold

    def assertion(self, children: _Children) -> AssertDecl:
        keyword, claim, because = children
        span = self.up_to(keyword, (because or claim).span)
        return AssertDecl(span=span, doc=self.doc(keyword), claim=claim, because=because)

    def never(self, children: _Children) -> NeverClaim:
        keyword, flow, grants = children
        span = self.up_to(keyword, (grants or flow).span)
        return NeverClaim(span=span, flow=flow, grants=grants.grants if grants else ())

    def only(self, children: _Children) -> OnlyClaim:
        keyword, caller, _, callee = children
        return OnlyClaim(span=self.up_to(keyword, callee.span), caller=caller, callee=callee)

    def test(self, children: _Children) -> TestDecl:
        keyword, name, _, *cases, closer = children
        span = self.between(keyword, closer)
        return TestDecl(span=span, doc=self.doc(keyword), name=self.text([name]), cases=tuple(cases))

    def case(self, children: _Children) -> CaseDecl:
        flow, words, _, *verdicts = children
        span = flow.span.to(verdicts[-1].span)
        return CaseDecl(span=span, request=self._request(flow, words), flow=flow, verdicts=tuple(verdicts))

    def http_request(self, children: _Children) -> _RequestWords:
        method, target, headers, claims = children
        path, _, query = target.value.partition("?")
        return _RequestWords(
            protocol="http",
            method=method.value if method else "GET",
            path=path,
            query=query,
            headers=headers[0] if headers else (),
            claims=claims[0] if claims else (),
            span=self._words_span(method or target, target, headers, claims),
        )

    def rpc_request(self, children: _Children) -> _RequestWords:
        keyword, name, headers, claims = children
        if "*" in name.value or "|" in name.value:
            self.report(
                syntax.BAD_REQUEST,
                f"a request names one method, and `{name.value}` stands for several",
                self.at(name),
            )
        return _RequestWords(
            protocol="rpc",
            method="POST",
            path=f"/{name.value}",
            query="",
            headers=headers[0] if headers else (),
            claims=claims[0] if claims else (),
            span=self._words_span(keyword, name, headers, claims),
        )

    def tcp_request(self, children: _Children) -> _RequestWords:
        return _RequestWords("tcp", "GET", "/", "", (), (), self.at(children[0]))

    def claims(self, children: _Children) -> tuple[_Pairs, Span]:
        return children[1]  # type: ignore[no-any-return]

    def entries(self, children: _Children) -> tuple[_Pairs, Span]:
        return tuple(children[1:-1]), self.between(children[0], children[-1])

    def entry(self, children: _Children) -> tuple[str, str]:
        key, value = children
        return self.key(key).text, self.text([value]).text

    def allowed(self, children: _Children) -> AllowedVerdict:
        return AllowedVerdict(span=self.at(children[0]))

    def denied(self, children: _Children) -> DeniedVerdict:
        return DeniedVerdict(span=self.at(children[0]))

    def routed(self, children: _Children) -> RoutedVerdict:
        keyword, target = children
        return RoutedVerdict(span=self.up_to(keyword, target.span), target=target)

    def setting(self, children: _Children) -> SettingVerdict:
        name, value = children
        if name.value == "by":
            self.report(
                syntax.NOT_SUPPORTED_YET,
                "`by` as a verdict is part of edition 2026, but this version of meshc does not support it yet",
                self.at(name),
            )
        return SettingVerdict(span=self.up_to(name, value.span), name=self.word(name), value=value)

    def _words_span(self, first: Any, last: Any, headers: Any, claims: Any) -> Span:
        end = claims or headers
        return self.up_to(first, end[1]) if end else self.between(first, last)

    def _request(self, flow: Flow, words: _RequestWords) -> Request:
        callee, port = self._callee(flow.callee)
        return Request(
            caller=self._caller(flow.caller),
            callee=callee,
            port=port,
            protocol=words.protocol,
            method=words.method,
            path=words.path,
            query=words.query,
            headers=words.headers,
            claims=words.claims,
            span=flow.span.to(words.span),
        )

    def _caller(self, peer: PeerRef) -> str:
        match peer:
            case NamedPeer(name=name, part=None):
                return name.text
            case NamedPeer(name=name, part=part):
                self.report(syntax.BAD_REQUEST, f"a caller has no port, so `.{part}` has no meaning here", peer.span)
                return name.text
            case SpiffePeer(id=identity):
                return identity.text
            case IngressPeer():
                return "ingress"
            case AnyPeer():
                self.report(syntax.BAD_REQUEST, "a request has one caller, and `any` stands for many", peer.span)
                return "any"

    def _callee(self, peer: PeerRef) -> tuple[str, str | None]:
        match peer:
            case NamedPeer(name=name, part=part):
                return name.text, part.text if part else None
            case SpiffePeer(id=identity):
                self.report(syntax.BAD_REQUEST, "a callee is called by name, not by SPIFFE ID", peer.span)
                return identity.text, None
            case IngressPeer():
                return "ingress", None
            case AnyPeer():
                self.report(syntax.BAD_REQUEST, "a request has one callee, and `any` stands for many", peer.span)
                return "any", None
