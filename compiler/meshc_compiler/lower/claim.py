"""Asserts to claims."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from meshc_compiler.finding import Findings, did_you_mean, one_of
from meshc_compiler.ir.claim import (
    ANYBODY,
    Always,
    Assertion,
    CalleePorts,
    EveryEdge,
    Metric,
    MetricBound,
    MutualTls,
    Never,
    NeverChain,
    Only,
)
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.workload import ServicePort
from meshc_compiler.lower.condition import lower_condition
from meshc_compiler.lower.edge_condition import lower_edge_condition
from meshc_compiler.lower.field import as_duration, wrong_type
from meshc_compiler.lower.match import LoweredMatcher, lower_grant
from meshc_compiler.lower.rule import fitting, no_port_fits, reaching
from meshc_compiler.lower.sentence import match_text, peer_text
from meshc_compiler.resolve.peer import CalleeEnd, CallerEnd, PeerResolver
from meshc_lang.codes import names, units
from meshc_lang.request import PLAINTEXT
from meshc_lang.tree.claim import (
    AlwaysClaim,
    AssertDecl,
    EveryEdgeClaim,
    MetricClaim,
    MtlsClaim,
    NeverClaim,
    OnlyClaim,
)
from meshc_lang.tree.policy import AnyPeer, Comparison, Flow, Grant, PeerRef
from meshc_lang.tree.value import Integer, Value

_Reached = list[tuple[str, ServicePort, tuple[RequestMatch, ...]]]
_Reach = Callable[[CalleeEnd, LoweredMatcher], _Reached]

_Meant = tuple[CallerEnd | None, CalleeEnd | None, list[tuple[CalleePorts, tuple[RequestMatch, ...], str]]]
"""Both ends of a flow, and its requests by the ports on which they mean the same, with the words for each."""

_MOST_ATTEMPTS = 10**9


def lower_assertion(statement: AssertDecl, resolver: PeerResolver, findings: Findings) -> tuple[Assertion, ...]:
    """Return what an assert claims; grants that are seen on different ports become claims of their own."""
    claims = _Claims(statement, resolver, findings)
    match statement.claim:
        case NeverClaim() as claim:
            return claims.never(claim)
        case AlwaysClaim() as claim:
            return claims.always(claim)
        case OnlyClaim() as claim:
            return claims.only(claim)
        case EveryEdgeClaim() as claim:
            return claims.every_edge(claim)
        case MetricClaim() as claim:
            return claims.metric(claim)
        case MtlsClaim() as claim:
            return claims.mutual_tls(claim)
        case _:
            assert_never(statement.claim)


class _Claims:
    """Lowers the claim of one assert."""

    def __init__(self, statement: AssertDecl, resolver: PeerResolver, findings: Findings) -> None:
        self._resolver = resolver
        self._findings = findings
        self._because = None if statement.because is None else statement.because.text
        self._origin = statement.span

    def never(self, claim: NeverClaim) -> tuple[Assertion, ...]:
        if claim.chain:
            return self._about_requests(NeverChain, "never", "->*", self._flow(claim.flow, claim.grants, reaching))
        return self._about_requests(Never, "never", "->", self._flow(claim.flow, claim.grants, reaching))

    def always(self, claim: AlwaysClaim) -> tuple[Assertion, ...]:
        return self._about_requests(Always, "always", "->", self._flow(claim.flow, claim.grants, _shown))

    def only(self, claim: OnlyClaim) -> tuple[Assertion, ...]:
        flow = Flow(span=claim.caller.span.to(claim.callee.span), caller=claim.caller, callee=claim.callee)
        meant = self._flow(flow, claim.grants, reaching)
        if meant[0] is not None and meant[0].any:
            # `only any` rules nothing out.
            return ()
        return self._about_requests(Only, "only", "->", meant)

    def _about_requests(
        self, kind: type[Never | NeverChain | Always | Only], word: str, arrow: str, meant: _Meant
    ) -> tuple[Assertion, ...]:
        caller, callee, seen = meant
        if caller is None or callee is None:
            return ()
        return tuple(
            kind(
                callers=self._caller_names(caller),
                callees=callees,
                matches=matches,
                text=f"{word} {caller.text} {arrow} {words}",
                because=self._because,
                origin=self._origin,
            )
            for callees, matches, words in seen
        )

    def every_edge(self, claim: EveryEdgeClaim) -> tuple[Assertion, ...]:
        from meshc_compiler.lower.written import condition_words

        caller = self._resolver.caller(claim.caller or self._any())
        callee = self._resolver.callee(claim.callee or self._any())
        condition = lower_edge_condition(claim.condition, self._findings)
        if caller is None or callee is None or condition is None:
            return ()
        ends = "" if claim.caller is None else f" from {caller.text}"
        ends += "" if claim.callee is None else f" to {_callee_text(callee, claim.callee)}"
        return (
            EveryEdge(
                callers=self._caller_names(caller),
                callees=_numbers(_all_ports(callee)),
                condition=condition,
                text=f"every edge{ends} has {condition_words(claim.condition)}",
                because=self._because,
                origin=self._origin,
            ),
        )

    def metric(self, claim: MetricClaim) -> tuple[Assertion, ...]:
        from meshc_compiler.lower.written import value_words

        caller, callee, seen = self._flow(claim.flow, claim.grants, _shown)
        name = claim.metric.text
        if name not in tuple(Metric):
            help_line, fixes = did_you_mean(name, tuple(Metric), claim.metric.span)
            help_line = help_line or f"known are {one_of(Metric).replace(' or ', ' and ')}"
            message = f"there is nothing to bound by the name `{name}`"
            self._findings.add(units.UNKNOWN_WORD, message, claim.metric.span, help=help_line, fixes=fixes)
            return ()
        metric = Metric(name)
        bound = self._bound(metric, claim.value)
        if claim.comparison not in {Comparison.LESS_OR_EQUAL, Comparison.LESS, Comparison.EQUAL}:
            message = f"`{metric}` is bounded from above, by `<=`, `<` or `==`, not by `{claim.comparison}`"
            self._findings.add(units.WRONG_TYPE, message, claim.span)
            return ()
        if caller is None or callee is None or bound is None:
            return ()
        return tuple(
            MetricBound(
                metric=metric,
                callers=self._caller_names(caller),
                callees=callees,
                matches=matches,
                bound=bound,
                strict=claim.comparison is Comparison.LESS,
                exact=claim.comparison is Comparison.EQUAL,
                text=f"{metric}({caller.text} -> {words}) {claim.comparison} {value_words(claim.value)}",
                because=self._because,
                origin=self._origin,
            )
            for callees, matches, words in seen
        )

    def mutual_tls(self, claim: MtlsClaim) -> tuple[Assertion, ...]:
        if claim.flow is None:
            callee = self._resolver.callee(self._any())
            text = "mtls"
        else:
            caller = self._resolver.caller(claim.flow.caller)
            callee = self._resolver.callee(claim.flow.callee)
            if caller is None or callee is None:
                return ()
            text = f"mtls {caller.text} -> {_callee_text(callee, claim.flow.callee)}"
            outside = sorted(name for name, _ in callee.ports if name in self._resolver.externals)
            if outside:
                message = f"the external {one_of(outside)} has no identity of the mesh, so calls of it are never mutual"
                self._findings.add(names.WRONG_KIND, message, claim.flow.callee.span)
                return ()
        if callee is None:
            return ()
        return (MutualTls(callees=_numbers(_all_ports(callee)), text=text, because=self._because, origin=self._origin),)

    # ---- ends and grants

    def _flow(self, flow: Flow, grants: tuple[Grant, ...], reach: _Reach) -> _Meant:
        """Return both ends, and the grants by the ports on which they mean the same, with the words for each."""
        caller, callee = self._resolver.caller(flow.caller), self._resolver.callee(flow.callee)
        by_ports: dict[tuple[tuple[str, ServicePort], ...], list[RequestMatch]] = {}
        for matcher in self._matchers(grants, callee):
            meaning: dict[tuple[RequestMatch, ...], list[tuple[str, ServicePort]]] = {}
            for name, port, matches in reach(callee, matcher) if callee is not None else ():
                meaning.setdefault(matches, []).append((name, port))
            for matches, ports in meaning.items():
                by_ports.setdefault(tuple(ports), []).extend(matches)
        if callee is None:
            return caller, None, []
        who = _callee_text(callee, flow.callee)
        if not grants:
            return caller, callee, [(_numbers(_all_ports(callee)), (), who)]
        meant = []
        for targets, asked in by_ports.items():
            words = sorted({match_text(match, targets[0][1].protocol) for match in asked})
            meant.append((_numbers(list(targets)), tuple(asked), f"{who} : {', '.join(words)}"))
        return caller, callee, meant

    def _matchers(self, grants: tuple[Grant, ...], callee: CalleeEnd | None) -> list[LoweredMatcher]:
        matchers = []
        for grant in grants:
            guard = None if grant.guard is None else lower_condition(grant.guard, self._resolver, self._findings)
            if grant.guard is not None and guard is None:
                continue
            matcher = lower_grant(grant.matcher, guard, self._findings)
            if matcher is None:
                continue
            if callee is not None and not fitting(callee, matcher):
                no_port_fits(callee, matcher, grant.span, self._findings)
            matchers.append(matcher)
        return matchers

    def _any(self) -> PeerRef:
        return AnyPeer(span=self._origin)

    def _caller_names(self, caller: CallerEnd) -> tuple[str, ...]:
        if caller.any:
            return (ANYBODY,)
        if caller.plaintext:
            return (PLAINTEXT,)
        return (*self._resolver.caller_names(caller), *(str(identity) for identity in caller.ids))

    def _bound(self, metric: Metric, value: Value) -> int | None:
        if metric is Metric.DEADLINE:
            return as_duration(value, "`deadline`", self._findings)
        if not isinstance(value, Integer):
            wrong_type(self._findings, "`attempts`", "a number of tries, for example `8`", value)
            return None
        if not 1 <= value.value <= _MOST_ATTEMPTS:
            message = f"a call is tried at least once, so `attempts` is from 1 to {_MOST_ATTEMPTS:,}"
            self._findings.add(units.OUT_OF_RANGE, message, value.span)
            return None
        return value.value


def _shown(callee: CalleeEnd, matcher: LoweredMatcher) -> _Reached:
    """Return the ports that show what a matcher speaks of: what is promised of requests is promised of those alone."""
    return [(name, port, matcher.matches) for name, port in fitting(callee, matcher)]


def _all_ports(callee: CalleeEnd) -> list[tuple[str, ServicePort]]:
    return [(name, port) for name, ports in callee.ports for port in ports]


def _numbers(ports: list[tuple[str, ServicePort]]) -> CalleePorts:
    return tuple(sorted((name, port.number) for name, port in ports))


def _callee_text(callee: CalleeEnd, peer: PeerRef) -> str:
    return peer_text(peer) if callee.one else callee.text
