"""Asserts to claims, test cases to examples."""

from __future__ import annotations

from meshc_compiler.finding import Findings, did_you_mean, one_of
from meshc_compiler.ir.claim import (
    ANYBODY,
    Assertion,
    Example,
    ExpectAllowed,
    Expectation,
    ExpectDenied,
    ExpectRetries,
    ExpectRouted,
    ExpectTimeout,
    Never,
    Only,
)
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.workload import ServicePort
from meshc_compiler.lower.field import as_duration, wrong_type
from meshc_compiler.lower.match import LoweredMatcher, lower_condition, lower_grant
from meshc_compiler.lower.rule import fitting, no_port_fits, reaching
from meshc_compiler.lower.sentence import match_text
from meshc_compiler.request import check_request
from meshc_compiler.resolve.peer import CalleeEnd, CallerEnd, Landscape, PeerResolver
from meshc_lang.codes import names, units
from meshc_lang.diagnostic import Label
from meshc_lang.tree.claim import (
    AllowedVerdict,
    AssertDecl,
    ByVerdict,
    CaseDecl,
    DeniedVerdict,
    NeverClaim,
    OnlyClaim,
    RoutedVerdict,
    SettingVerdict,
    TestDecl,
    Verdict,
)
from meshc_lang.tree.value import Integer, Switch

_VERDICTS = ("timeout", "retry")
_LATER = ("by",)


def lower_assertion(statement: AssertDecl, resolver: PeerResolver, findings: Findings) -> tuple[Assertion, ...]:
    """Return what an assert claims; grants that are seen on different ports become claims of their own."""
    because = None if statement.because is None else statement.because.text
    claim = statement.claim
    if isinstance(claim, OnlyClaim):
        caller, callee = resolver.caller(claim.caller), resolver.callee(claim.callee)
        if caller is None or callee is None or caller.any:
            # `only any` rules nothing out.
            return ()
        return (
            Only(
                callers=_caller_names(caller, resolver),
                callees=_numbers([(name, port) for name, ports in callee.ports for port in ports]),
                text=f"only {caller.text} -> {_callee_text(callee, claim.callee.span.text)}",
                because=because,
                origin=statement.span,
            ),
        )
    if not isinstance(claim, NeverClaim):
        raise NotImplementedError(type(claim).__name__)
    caller, callee = resolver.caller(claim.flow.caller), resolver.callee(claim.flow.callee)
    by_ports: dict[tuple[tuple[str, ServicePort], ...], list[RequestMatch]] = {}
    for matcher in _matchers(claim, callee, findings):
        meaning: dict[tuple[RequestMatch, ...], list[tuple[str, ServicePort]]] = {}
        for name, port, matches in reaching(callee, matcher) if callee is not None else ():
            meaning.setdefault(matches, []).append((name, port))
        for matches, ports in meaning.items():
            by_ports.setdefault(tuple(ports), []).extend(matches)
    if caller is None or callee is None:
        return ()
    callers = _caller_names(caller, resolver)
    callee_words = _callee_text(callee, claim.flow.callee.span.text)
    if not claim.grants:
        everything = [(name, port) for name, ports in callee.ports for port in ports]
        text = f"never {caller.text} -> {callee_words}"
        return (
            Never(
                callers=callers,
                callees=_numbers(everything),
                matches=(),
                text=text,
                because=because,
                origin=statement.span,
            ),
        )
    nevers = []
    for targets, ruled_out in by_ports.items():
        words = sorted({match_text(match, targets[0][1].protocol) for match in ruled_out})
        nevers.append(
            Never(
                callers=callers,
                callees=_numbers(list(targets)),
                matches=tuple(ruled_out),
                text=f"never {caller.text} -> {callee_words} : {', '.join(words)}",
                because=because,
                origin=statement.span,
            )
        )
    return tuple(nevers)


def _matchers(claim: NeverClaim, callee: CalleeEnd | None, findings: Findings) -> list[LoweredMatcher]:
    matchers = []
    for grant in claim.grants:
        guard = None if grant.guard is None else lower_condition(grant.guard, findings)
        if grant.guard is not None and guard is None:
            continue
        matcher = lower_grant(grant.matcher, guard, findings)
        if matcher is None:
            continue
        if callee is not None and not fitting(callee, matcher):
            no_port_fits(callee, matcher, grant.span, findings)
        matchers.append(matcher)
    return matchers


def _caller_names(caller: CallerEnd, resolver: PeerResolver) -> tuple[str, ...]:
    if caller.any:
        return (ANYBODY,)
    return (*resolver.caller_names(caller), *(str(identity) for identity in caller.ids))


def _numbers(ports: list[tuple[str, ServicePort]]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((name, port.number) for name, port in ports))


def _callee_text(callee: CalleeEnd, written: str) -> str:
    return written if callee.one else callee.text


def lower_test(statement: TestDecl, landscape: Landscape, findings: Findings) -> tuple[Example, ...]:
    """Return the cases of a test. A case with an error in it is left out."""
    examples = []
    for case in statement.cases:
        own = Findings()
        request = check_request(landscape, case.request, case.flow.caller.span, case.flow.callee.span, own)
        expectations = tuple(
            expectation
            for verdict in case.verdicts
            if (expectation := _expectation(verdict, case, landscape, own)) is not None
        )
        _check_contradiction(case, own)
        findings.extend(own.all())
        if request is not None and not own.all():
            examples.append(
                Example(test=statement.name.text, request=request, expectations=expectations, origin=case.span)
            )
    return tuple(examples)


def _expectation(verdict: Verdict, case: CaseDecl, landscape: Landscape, findings: Findings) -> Expectation | None:
    match verdict:
        case AllowedVerdict():
            return ExpectAllowed(origin=verdict.span)
        case DeniedVerdict():
            return ExpectDenied(origin=verdict.span)
        case RoutedVerdict():
            return _routed(verdict, case, landscape, findings)
        case SettingVerdict(name=name, value=value) if name.text == "timeout":
            if isinstance(value, Switch) and not value.on:
                return ExpectTimeout(timeout_ns=None, origin=verdict.span)
            timeout = as_duration(value, "`timeout`", findings)
            return None if timeout is None else ExpectTimeout(timeout_ns=timeout, origin=verdict.span)
        case SettingVerdict(name=name, value=value) if name.text == "retry":
            if isinstance(value, Switch) and not value.on:
                return ExpectRetries(limit=0, origin=verdict.span)
            if isinstance(value, Integer):
                return ExpectRetries(limit=value.value, origin=verdict.span)
            wrong_type(findings, "`retry`", "the number of extra tries, for example `1`, or `off`", value)
            return None
        case ByVerdict():
            raise NotImplementedError(type(verdict).__name__)
        case SettingVerdict():
            word = verdict.name.text
            if word in _LATER:
                message = f"expecting `{word}` is not part of this version"
                findings.add(units.NOT_IN_THIS_VERSION, message, verdict.span)
                return None
            known = ("allowed", "denied", "routed", *_VERDICTS)
            help_line, fixes = did_you_mean(word, known, verdict.name.span)
            help_line = help_line or f"it takes {one_of(known)}"
            findings.add(
                units.UNKNOWN_WORD,
                f"a test expects nothing by `{word}`",
                verdict.name.span,
                help=help_line,
                fixes=fixes,
            )
            return None


def _routed(verdict: RoutedVerdict, case: CaseDecl, landscape: Landscape, findings: Findings) -> Expectation | None:
    service = landscape.services.get(case.request.callee)
    if service is None or service.name in landscape.broken:
        if case.request.callee in landscape.externals:
            message = f"the external `{case.request.callee}` has no routes"
            findings.add(names.WRONG_KIND, message, verdict.span)
        return None
    target = verdict.target
    name = target.name.text if target.part is None else target.part.text
    if target.part is None and name == service.name and name not in service.versions:
        return ExpectRouted(service=service.name, version=None, origin=verdict.span)
    if target.part is not None and target.name.text != service.name:
        message = f"calls of `{service.name}` are routed to its own versions, not to `{target.name}`"
        findings.add(units.NOT_IN_THIS_VERSION, message, target.span)
        return None
    if name not in service.versions:
        help_line, fixes = did_you_mean(name, service.versions, target.span)
        message = f"`{service.name}` declares no version `{name}`"
        related = (Label(service.origin, "declared here"),) if service.origin is not None else ()
        findings.add(names.UNKNOWN_VERSION, message, target.span, help=help_line, fixes=fixes, related=related)
        return None
    return ExpectRouted(service=service.name, version=name, origin=verdict.span)


def _check_contradiction(case: CaseDecl, findings: Findings) -> None:
    """Tell of a case that expects both, or a route of what is denied: it could never pass."""
    denied = next((verdict for verdict in case.verdicts if isinstance(verdict, DeniedVerdict)), None)
    other = next((verdict for verdict in case.verdicts if not isinstance(verdict, DeniedVerdict)), None)
    if denied is not None and other is not None:
        message = "a call that is denied is not allowed, goes nowhere and has no settings"
        findings.add(units.WRONG_TYPE, message, other.span, related=(Label(denied.span, "expected denied"),))
