"""Why a request fares as it does: its rules, its route, where each setting comes from, and what would change it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import assert_never

from meshc_compiler.checks.assertion import check_claim
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.evaluate import (
    Decision,
    Reason,
    View,
    evaluate,
    identity_of,
    matches,
    port_of,
    stated_scopes,
    stated_settings,
)
from meshc_compiler.ir.caller import Callers, PlaintextCaller, TheseCallers, includes
from meshc_compiler.ir.claim import (
    ANYBODY,
    Always,
    Assertion,
    EveryEdge,
    MetricBound,
    MutualTls,
    Never,
    NeverChain,
    Only,
)
from meshc_compiler.ir.condition import settled_for
from meshc_compiler.ir.example import ExpectDenied
from meshc_compiler.ir.match import PathTemplate, RequestMatch
from meshc_compiler.ir.mesh import Mesh, MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.ir.setting import SETTING_NAMES, Settings
from meshc_compiler.ir.workload import ServicePort
from meshc_compiler.lower.program import LoweredProgram
from meshc_compiler.lower.sentence import callee_text, match_text
from meshc_compiler.lower.setting_text import setting_text
from meshc_compiler.lower.template import parse_template
from meshc_compiler.path import path_matches
from meshc_compiler.request import resolve_request
from meshc_lang.diagnostic import Applicability, Diagnostic, Edit, Fix
from meshc_lang.parser import parse_request
from meshc_lang.pattern import pattern
from meshc_lang.record import dataclass
from meshc_lang.request import PLAINTEXT, Request
from meshc_lang.source import ExpandedSpan, Span

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_PLAIN_PATH = pattern(r"/[A-Za-z0-9._~%!$&'()+=:@/-]*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The fate of one request and its reasons.

    `settings` are as stated, so that each has its scope and place, `off` included; `decision.settings` are those in
    effect. `flip` is the smallest change that would turn the decision, where one is known; it was tried out. `near` are
    allows that miss a refused request only by what it bears: one that bore something else would be allowed by them.
    """

    request: Request
    decision: Decision
    settings: Settings
    flip: Fix | None = None
    near: tuple[Rule, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that decide: the allows that match an allowed request, the denies that match a denied one."""
        return self.decision.rules

    @property
    def route_span(self) -> Span | None:
        """Where the winning rule of the route stands; None for the default target."""
        rule = self.decision.route_rule
        return None if rule is None else rule.origin


def explain_text(index: MeshIndex, text: str) -> tuple[Explanation | None, tuple[Diagnostic, ...]]:
    """Explain a request in the notation of tests; None with diagnostics where it cannot be read or resolved."""
    request, diagnostics = parse_request(text)
    if request is None or diagnostics:
        return None, diagnostics
    resolved, diagnostics = resolve_request(index, request)
    return (None if resolved is None else explain(index, resolved)), diagnostics


def explain(index: MeshIndex, request: Request, *, flip: bool = True) -> Explanation:
    """Explain a request that was resolved. Without `flip` no remedy is looked for: for long batches."""
    decision = evaluate(index, request)
    settings = Settings()
    if decision.allowed and decision.settings != settings:
        settings = stated_settings(index, decision)
    remedy: Fix | None = None
    near: tuple[Rule, ...] = ()
    if flip and decision.reason is Reason.NO_ALLOW:
        near = _near_allows(index, decision)
        # Where a guard is all that is missing, an allow without it would only go round it.
        remedy = None if near else _missing_allow(index, decision)
    return Explanation(request=request, decision=decision, settings=settings, flip=remedy, near=near)


def _near_allows(index: MeshIndex, decision: Decision) -> tuple[Rule, ...]:
    """Return the allows that match a refused request but for a condition that its caller could meet."""
    request, path = decision.request, decision.path
    port = port_of(index, request)
    caller = identity_of(index, request.caller)
    if port is None or path is None:
        return ()
    return tuple(
        rule
        for rule in index.rules_of(request.callee, port.number)
        if rule.effect is Effect.ALLOW
        and rule.match.condition is not None
        and includes(rule.callers, caller)
        and matches(replace(rule.match, condition=None), request.method, path, View())
        and settled_for(rule.match.condition, caller) is not False
    )


def _missing_allow(index: MeshIndex, decision: Decision) -> Fix | None:
    """Return the allow that would let a refused request pass, written behind the others about the callee."""
    request = decision.request
    port = port_of(index, request)
    workload = index.workloads.get(request.caller)
    place = _place(index, request.callee)
    if request.caller == PLAINTEXT:
        callers: Callers = PlaintextCaller()
    elif workload is not None:
        callers = TheseCallers((workload.spiffe_id,))
    else:
        return None
    if port is None or place is None or decision.path is None:
        return None
    match = _match_of(request, decision.path, port)
    if match is None:
        return None
    rule = Rule(
        id="",
        effect=Effect.ALLOW,
        callers=callers,
        callee=request.callee,
        port=port.number,
        match=match,
    )
    changed = _with_rule(index, request, rule)
    caller = request.caller
    if not evaluate(changed, request).allowed or _is_ruled_out(index, changed, rule, caller):
        return None
    line = f"allow {caller} -> {callee_text(request.callee, port)} : {match_text(match, port.protocol)}"
    return Fix(
        title=f"add `{line}`",
        applicability=Applicability.UNSAFE,
        edits=(Edit(place, f"\n{_indent(place)}{line}"),),
    )


def _match_of(request: Request, path: str, port: ServicePort) -> RequestMatch | None:
    """Return the narrowest grant that can be written for a request."""
    if not port.protocol.is_http:
        return RequestMatch()
    template = parse_template(path)
    if request.method not in _METHODS or not isinstance(template, PathTemplate) or not _PLAIN_PATH.match(path):
        return None
    if port.protocol.value == "grpc" and (request.method != "POST" or len(template.segments) != 2):
        return None
    return RequestMatch(methods=(request.method,), path=template)


def _with_rule(index: MeshIndex, request: Request, rule: Rule) -> MeshIndex:
    """Return the small part of a mesh that decides about a request, with one rule more."""
    mesh = index.mesh
    service, external = index.services.get(request.callee), index.externals.get(request.callee)
    caller = index.workloads.get(request.caller)
    small = replace(
        Mesh(name=mesh.name, trust_domain=mesh.trust_domain, workloads=(), services=()),
        workloads=() if caller is None else (caller,),
        services=() if service is None else (service,),
        externals=() if external is None else (external,),
        rules=(*index.rules_of(request.callee, rule.port), rule),
        token_issuers=mesh.token_issuers,
    )
    return MeshIndex(small)


def _is_ruled_out(index: MeshIndex, changed: MeshIndex, rule: Rule, caller: str) -> bool:
    """Tell whether an assert or a test of the program forbids the requests that a further allow opens.

    Conditions of a claim are passed over: a remedy that an assert might forbid is not offered.
    """
    names = {caller}
    if caller != PLAINTEXT:
        names.add(str(index.workloads[caller].spiffe_id))
    if any(_forbids(index, claim, rule, names) for claim in index.mesh.assertions):
        return True
    return any(
        example.request.caller in names
        and example.request.callee == rule.callee
        and any(isinstance(expectation, ExpectDenied) for expectation in example.expectations)
        and evaluate(changed, example.request).allowed
        for example in index.mesh.examples
    )


def _forbids(index: MeshIndex, claim: Assertion, rule: Rule, names: set[str]) -> bool:
    """Tell whether an assert may fail once a further allow is there. `names` are those of its caller."""
    match claim:
        case Never() | Only() if (rule.callee, rule.port) not in claim.callees:
            return False
        case Never() | Only():
            anybody = ANYBODY in claim.callers and not isinstance(rule.callers, PlaintextCaller)
            named = anybody or not names.isdisjoint(claim.callers)
            shares = any(_may_share(match, rule.match) for match in claim.matches or (RequestMatch(),))
            return shares and named is isinstance(claim, Never)
        case Always() | MutualTls():
            return False
        case NeverChain() | EveryEdge() | MetricBound():
            # A new edge may make a path of many: all of the mesh is looked at again.
            mesh = replace(index.mesh, rules=(*index.mesh.rules, rule))
            subject = CheckSubject(LoweredProgram(mesh=mesh, sites={}, repeated=()), MeshIndex(mesh))
            return any(True for _ in check_claim(subject, claim))
        case _:
            assert_never(claim)


def _may_share(claimed: RequestMatch, granted: RequestMatch) -> bool:
    """Tell whether a claim's requests may be among those of a grant for one method and one path."""
    if claimed.methods and granted.methods and set(claimed.methods).isdisjoint(granted.methods):
        return False
    if claimed.path is None or not isinstance(granted.path, PathTemplate):
        return True
    return path_matches(claimed.path, str(granted.path))


def _place(index: MeshIndex, callee: str) -> Span | None:
    """Return where a sentence about the callee is best added: at the end of the line of the last one, or of its own."""
    service, external = index.services.get(callee), index.externals.get(callee)
    ports = [port.number for port in service.ports] if service else [external.port.number] if external else []
    spans = [
        rule.origin
        for number in ports
        for rule in index.rules_of(callee, number)
        if rule.origin is not None and rule.effect is Effect.ALLOW
    ]
    named = service or external
    if not spans and named is not None and named.origin is not None:
        spans = [named.origin]
    if not spans:
        return None
    # Within a template it would be added for each of its uses: behind the `use` it is said once.
    plain = [span.uses[-1].span if isinstance(span, ExpandedSpan) and span.uses else span for span in spans]
    return _after_statement(max(plain, key=lambda span: span.sort_key))


def _indent(place: Span) -> str:
    """Return the indentation of the line that ends at a place: within an overlay statements are indented."""
    text = place.source.text
    line = text[text.rfind("\n", 0, place.start) + 1 : place.start]
    return line[: len(line) - len(line.lstrip())]


def _after_statement(span: Span) -> Span:
    """Return the end of the line on which the statement around a span ends: past the brace of its block, if any."""
    text = span.source.text
    line_start = text.rfind("\n", 0, span.start) + 1
    at = span.end
    if not text[line_start : span.start].lstrip().startswith(("allow", "deny", "service", "external", "use")):
        closing = re.compile(r"^[ \t]*\}", re.MULTILINE).search(text, at)
        at = closing.end() if closing is not None else len(text)
    end = text.find("\n", at)
    end = len(text) if end == -1 else end
    return Span(span.source, end, end)


def settings_rows(settings: Settings) -> tuple[tuple[str, str, str, Span | None], ...]:
    """Return what is stated as rows: the language's name of the setting, its value in text, its scope, its place."""
    rows = []
    for field, name in SETTING_NAMES.items():
        stated = getattr(settings, field)
        if stated is not None:
            rows.append((name, setting_text(field, stated.value), stated.scope.word, stated.origin))
    return tuple(rows)


def overridden_rows(index: MeshIndex, decision: Decision) -> tuple[tuple[str, str, str, Span | None], ...]:
    """Return the values that a more specific scope overrides, as `settings_rows` does, the most specific first."""
    rows = []
    scopes = stated_scopes(index, decision)
    for field, name in SETTING_NAMES.items():
        values = [stated for scope in scopes if (stated := getattr(scope, field)) is not None]
        for stated in reversed(values[:-1]):
            rows.append((name, setting_text(field, stated.value), stated.scope.word, stated.origin))
    return tuple(rows)


def says_nothing(name: str, settings: Settings) -> bool:
    """Tell whether a setting is without meaning for a call that is tried once, or of which no instance is ejected."""
    if name.startswith("retry ") and name != "retry limit":
        return not settings.retries
    if name in {"breaker eject", "breaker interval", "breaker max-ejected"}:
        return not (settings.outlier_consecutive_5xx and settings.outlier_consecutive_5xx.value)
    return False
