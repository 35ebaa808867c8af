"""What a test expects a call to meet on its way: a limit, a copy, a fault, or none of them."""

from __future__ import annotations

from collections.abc import Callable

from meshc_compiler.finding import Findings, did_you_mean, one_of
from meshc_compiler.ir.example import Expectation, ExpectFault, ExpectLimit, ExpectMirror
from meshc_compiler.lower.field import wrong_type
from meshc_compiler.resolve.peer import Landscape
from meshc_lang.codes import names
from meshc_lang.tree.claim import SettingVerdict
from meshc_lang.tree.node import Name
from meshc_lang.tree.value import Rate, Switch

TRAFFIC_WORDS = ("limit", "mirror", "fault")
"""What a test may ask of a call besides its settings: `limit 500/s`, `mirror v2`, `fault slow`, each also `off`."""


def lower_traffic(
    verdict: SettingVerdict,
    callee: str,
    landscape: Landscape,
    fault_names: Callable[[], tuple[str, ...]],
    findings: Findings,
) -> Expectation | None:
    """Return what is expected of a call that is allowed; None, with findings, where it says nothing that could be."""
    value, word, origin = verdict.value, verdict.name.text, verdict.span
    off = isinstance(value, Switch) and not value.on
    match word:
        case "limit":
            if off:
                return ExpectLimit(rate=None, origin=origin)
            if isinstance(value, Rate):
                return ExpectLimit(rate=(value.amount, value.seconds), origin=origin)
            wrong_type(findings, "`limit`", "a rate, for example `500/s`, or `off`", value)
        case "mirror":
            if off:
                return ExpectMirror(target=None, origin=origin)
            if isinstance(value, Name):
                target = _mirrored(value, callee, landscape, findings)
                return None if target is None else ExpectMirror(target=target, origin=origin)
            wrong_type(findings, "`mirror`", "where the copy goes, for example `v2`, or `off`", value)
        case _:
            if off:
                return ExpectFault(name=None, origin=origin)
            if isinstance(value, Name):
                return _fault(value, fault_names(), verdict, findings)
            wrong_type(findings, "`fault`", "the name of a fault, or `off`", value)
    return None


def _mirrored(value: Name, callee: str, landscape: Landscape, findings: Findings) -> tuple[str, str | None] | None:
    """Return the service and version that get the copy: a version of the callee, or another service."""
    service = landscape.services.get(callee)
    versions = () if service is None else service.versions
    if value.text in versions:
        return callee, value.text
    if value.text in landscape.services or landscape.may_be_lost(value.text):
        return value.text, None
    help_line, fixes = did_you_mean(value.text, (*versions, *landscape.services), value.span)
    help_line = help_line or (f"`{callee}` has {one_of(versions)}" if versions else "")
    message = f"there is no version of `{callee}` and no service `{value}` to which a copy could go"
    findings.add(names.UNKNOWN_NAME, message, value.span, help=help_line, fixes=fixes)
    return None


def _fault(value: Name, known: tuple[str, ...], verdict: SettingVerdict, findings: Findings) -> ExpectFault | None:
    if value.text in known:
        return ExpectFault(name=value.text, origin=verdict.span)
    help_line, fixes = did_you_mean(value.text, known, value.span)
    help_line = help_line or (f"there is {one_of(known)}" if known else "the program has no `fault`")
    findings.add(names.UNKNOWN_NAME, f"there is no fault `{value}`", value.span, help=help_line, fixes=fixes)
    return None
