"""Cases of tests to examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from meshc_compiler.finding import Findings, did_you_mean, heading, one_of
from meshc_compiler.ir.example import (
    Example,
    ExpectAllowed,
    Expectation,
    ExpectDenied,
    ExpectRetries,
    ExpectRouted,
    ExpectRule,
    ExpectSettings,
)
from meshc_compiler.lower.edge_condition import SETTING_FIELDS, lower_one_setting
from meshc_compiler.lower.expected_traffic import TRAFFIC_WORDS, lower_traffic
from meshc_compiler.lower.field import wrong_type
from meshc_compiler.request import check_request
from meshc_compiler.resolve.peer import Landscape
from meshc_lang.codes import names, units
from meshc_lang.diagnostic import Label, has_errors
from meshc_lang.tree.claim import (
    AllowedVerdict,
    ByVerdict,
    CaseDecl,
    DeniedVerdict,
    RoutedVerdict,
    SettingVerdict,
    TestDecl,
    Verdict,
)
from meshc_lang.tree.value import Block, Integer, Switch


def lower_test(
    statement: TestDecl,
    landscape: Landscape,
    rule_names: Callable[[str], tuple[str, ...]],
    fault_names: Callable[[], tuple[str, ...]],
    findings: Findings,
) -> tuple[Example, ...]:
    """Return the cases of a test. A case with an error in it is left out.

    `rule_names` returns the names of the rules that route the requests of a service, `fault_names` those of all faults.
    """
    examples = []
    for case in statement.cases:
        own = Findings()
        request = check_request(landscape, case.request, case.flow.caller.span, case.flow.callee.span, own)
        expectations = tuple(
            expectation
            for verdict in case.verdicts
            if (expectation := _expectation(verdict, case, landscape, rule_names, fault_names, own)) is not None
        )
        _check_contradiction(case, own)
        findings.extend(own.all())
        if request is not None and not has_errors(own.all()):
            examples.append(
                Example(test=statement.name.text, request=request, expectations=expectations, origin=case.span)
            )
    return tuple(examples)


def _expectation(
    verdict: Verdict,
    case: CaseDecl,
    landscape: Landscape,
    rule_names: Callable[[str], tuple[str, ...]],
    fault_names: Callable[[], tuple[str, ...]],
    findings: Findings,
) -> Expectation | None:
    match verdict:
        case AllowedVerdict():
            return ExpectAllowed(origin=verdict.span)
        case DeniedVerdict():
            return ExpectDenied(origin=verdict.span)
        case RoutedVerdict():
            return _routed(verdict, case, landscape, findings)
        case SettingVerdict(name=name, value=value) if name.text == "retry" and not isinstance(value, Block):
            if isinstance(value, Switch) and not value.on:
                return ExpectRetries(limit=0, origin=verdict.span)
            if isinstance(value, Integer):
                return ExpectRetries(limit=value.value, origin=verdict.span)
            wrong_type(findings, "`retry`", "the number of extra tries, for example `1`, or `off`", value)
            return None
        case ByVerdict():
            if landscape.may_be_lost(case.request.callee):
                return None
            return _expected_rule(verdict, case.request.callee, rule_names(case.request.callee), findings)
        case SettingVerdict() if verdict.name.text in TRAFFIC_WORDS:
            return lower_traffic(verdict, case.request.callee, landscape, fault_names, findings)
        case SettingVerdict():
            return _expected_setting(verdict, findings)
        case _:
            assert_never(verdict)


def _expected_rule(verdict: ByVerdict, callee: str, known: tuple[str, ...], findings: Findings) -> Expectation | None:
    name = verdict.name
    if name.text in known:
        return ExpectRule(name=name.text, origin=verdict.span)
    help_line, fixes = did_you_mean(name.text, known, name.span)
    help_line = help_line or (f"it has {one_of(known)}" if known else "name a rule by `as NAME`")
    message = f"no rule of `{callee}` is named `{name}`"
    findings.add(names.UNKNOWN_ROUTE_NAME, message, name.span, help=help_line, fixes=fixes)
    return None


def _expected_setting(verdict: SettingVerdict, findings: Findings) -> Expectation | None:
    """Return the value that a setting should have; it is read as the setting itself is."""
    word = verdict.name.text
    if word.partition(".")[0] not in SETTING_FIELDS:
        known = ("allowed", "denied", "routed", "by", *TRAFFIC_WORDS, *SETTING_FIELDS)
        help_line, fixes = did_you_mean(word, known, verdict.name.span)
        help_line = help_line or f"it takes {one_of(known)}"
        message = f"a test expects nothing by `{word}`"
        findings.add(units.UNKNOWN_WORD, message, verdict.name.span, help=help_line, fixes=fixes)
        return None
    values = lower_one_setting(verdict.name, verdict.value, findings)
    if values is None:
        return None
    return ExpectSettings(values=values, origin=verdict.span)


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
        findings.add(names.WRONG_KIND, message, target.span)
        return None
    if name not in service.versions:
        help_line, fixes = did_you_mean(name, service.versions, target.span)
        message = f"`{service.name}` declares no version `{name}`"
        related = (Label(heading(service.origin), "declared here"),) if service.origin is not None else ()
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
