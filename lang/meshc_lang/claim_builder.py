"""Builds what must hold while Lark reads: asserts, tests and their requests."""

# ruff: noqa: D102 -- one method a rule of the grammar, which says what each reads.

from __future__ import annotations

from typing import Any

from meshc_lang.codes import syntax
from meshc_lang.declaration_builder import DeclarationBuilder
from meshc_lang.diagnostic import Applicability, Diagnostic, Edit, Fix
from meshc_lang.record import dataclass
from meshc_lang.request import Request
from meshc_lang.source import Span
from meshc_lang.tree.claim import (
    AllowedVerdict,
    AlwaysClaim,
    AssertDecl,
    ByVerdict,
    CaseDecl,
    DeniedVerdict,
    EveryEdgeClaim,
    MetricClaim,
    MtlsClaim,
    NeverClaim,
    OnlyClaim,
    RoutedVerdict,
    SettingVerdict,
    TestDecl,
)
from meshc_lang.tree.node import Name
from meshc_lang.tree.policy import (
    AnyPeer,
    Comparison,
    Flow,
    IngressPeer,
    NamedPeer,
    PeerRef,
    SpiffePeer,
)
from meshc_lang.tree.target import Target

_Children = list[Any]
_Pairs = tuple[tuple[str, str], ...]

_OPPOSITES = {"allowed": "denied", "denied": "allowed"}


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


@dataclass(frozen=True, slots=True)
class _Chain:
    """`A ->* B`."""

    flow: Flow


class ClaimBuilder(DeclarationBuilder):
    """The part of the tree builder that reads asserts and tests."""

    def request_line(self, children: _Children) -> Request:
        flow, words = children
        return self._request(flow, words)

    def assertion(self, children: _Children) -> AssertDecl:
        keyword, claim, because = children
        span = self.up_to(keyword, (because or claim).span)
        return AssertDecl(span=span, doc=self.doc(keyword), claim=claim, because=because)

    def never(self, children: _Children) -> NeverClaim:
        keyword, flow, grants = children
        chain = isinstance(flow, _Chain)
        flow = flow.flow if chain else flow
        span = self.up_to(keyword, (grants or flow).span)
        return NeverClaim(span=span, flow=flow, grants=grants.grants if grants else (), chain=chain)

    def chain(self, children: _Children) -> _Chain:
        return _Chain(self.flow(children))

    def always(self, children: _Children) -> AlwaysClaim:
        keyword, flow, grants = children
        return AlwaysClaim(span=self.up_to(keyword, grants.span), flow=flow, grants=grants.grants)

    def only(self, children: _Children) -> OnlyClaim:
        keyword, caller, _, callee, grants = children
        span = self.up_to(keyword, (grants or callee).span)
        return OnlyClaim(span=span, caller=caller, callee=callee, grants=grants.grants if grants else ())

    def every_edge(self, children: _Children) -> EveryEdgeClaim:
        keyword, _, _, caller, _, callee, _, condition = children
        span = self.up_to(keyword, condition.span)
        return EveryEdgeClaim(span=span, caller=caller, callee=callee, condition=condition)

    def metric(self, children: _Children) -> MetricClaim:
        name, _, flow, grants, _, sign, value = children
        return MetricClaim(
            span=self.up_to(name, value.span),
            metric=self.word(name),
            flow=flow,
            grants=grants.grants if grants else (),
            comparison=Comparison(sign.value),
            value=value,
        )

    def mtls(self, children: _Children) -> MtlsClaim:
        keyword, flow = children
        return MtlsClaim(span=self.up_to(keyword, flow.span) if flow else self.at(keyword), flow=flow)

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
        keyword, name, part = children
        target = Target(span=self.between(name, part or name), name=self.word(name), part=part and self.word(part))
        return RoutedVerdict(span=self.up_to(keyword, target.span), target=target)

    def by(self, children: _Children) -> ByVerdict:
        keyword, name = children
        return ByVerdict(span=self.between(keyword, name), name=self.word(name))

    def setting(self, children: _Children) -> SettingVerdict:
        first, *parts, value = children
        last = parts[-1] if parts else first
        name = Name(span=self.between(first, last), text=".".join([first.value, *(part.value for part in parts)]))
        whole = self.up_to(first, value.span)
        if first.value == "not" and isinstance(value, Name) and value.text in _OPPOSITES:
            meant = _OPPOSITES[value.text]
            edit = Edit(whole, meant)
            self.problems.append(
                Diagnostic(
                    code=syntax.UNEXPECTED_TEXT,
                    message=f"what is not `{value}` is `{meant}`",
                    primary=whole,
                    fixes=(Fix(title=f"write `{meant}`", applicability=Applicability.SAFE, edits=(edit,)),),
                )
            )
        return SettingVerdict(span=whole, name=name, value=value)

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
