"""The reference semantics: what becomes of one request. Everything else that enforces a mesh must agree with this file.

    allowed(request) = some allow matches it, and no deny matches it

A path that has no canonical form is refused. A request without a mesh identity is refused too, unless the callee takes
plaintext; then only rules that say `plaintext` are about it. Routes, settings and limits are those of an allowed
request.
"""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from meshc_compiler.ir.caller import includes
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import (
    AllOf,
    AnyOf,
    AttributeKind,
    AttributeMatches,
    AttributeOneOf,
    AttributePresent,
    CallerIn,
    Condition,
    HeaderMatches,
    HeaderOneOf,
    HeaderPresent,
    Not,
    RequestMatch,
)
from meshc_compiler.ir.mesh import INGRESS, MeshIndex
from meshc_compiler.ir.policy import Effect, Limit, Rule
from meshc_compiler.ir.route import REDIRECT_STATUS, WHOLE, Answer, Destination, Redirect, Respond, RouteRule
from meshc_compiler.ir.setting import NOTHING_STATED, Settings
from meshc_compiler.ir.traffic import Fault, Mirror
from meshc_compiler.ir.workload import HealthCheck, ServicePort
from meshc_compiler.path import canonical_path, path_matches
from meshc_compiler.regex import value_matches
from meshc_lang.record import dataclass
from meshc_lang.request import PLAINTEXT, Request

Pairs = tuple[tuple[str, str], ...]
"""Names with values; a name may stand there several times."""

NEVER_FORWARDED = frozenset({"CONNECT", "TRACE"})
"""Methods that are answered with 405 though a rule allows them: one is a tunnel, the other echoes what proxies add."""


class Reason(StrEnum):
    """Why a request is allowed or refused."""

    ALLOWED = "allowed"
    NO_ALLOW = "no-allow"
    DENIED_BY_RULE = "denied-by-rule"
    PLAINTEXT = "plaintext"
    UNKNOWN_CALLER = "unknown-caller"
    UNKNOWN_CALLEE = "unknown-callee"
    REFUSED_PATH = "refused-path"
    REFUSED_METHOD = "refused-method"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a request.

    `rules` are those that decide: the allows that match an allowed request, the denies that match a denied one.
    `status` is what the caller sees of its sidecar's or the callee's own: None where there is no answer to see (a
    connection closed), or the request goes to the callee. `path` is the canonical path. `route_rule` None with
    destinations means the service's default target; a rule with an `answer` has none. `mirrors` get a copy, each of its
    own share; `faults` befall the call, each with its own share. `health` is how instances are chosen that are well.
    """

    request: Request
    allowed: bool
    reason: Reason
    rules: tuple[Rule, ...] = ()
    status: int | None = None
    path: str | None = None
    route_rule: RouteRule | None = None
    destinations: tuple[Destination, ...] = ()
    settings: Settings = NOTHING_STATED
    limits: tuple[Limit, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    faults: tuple[Fault, ...] = ()
    health: HealthCheck | None = None

    @property
    def answer(self) -> Answer | None:
        """What the caller's sidecar answers itself, if it does."""
        return None if self.route_rule is None else self.route_rule.answer


def evaluate(index: MeshIndex, request: Request) -> Decision:
    """Return what becomes of a request. Total: unknown names are refused, never an error."""
    caller = identity_of(index, request.caller)
    if request.caller == PLAINTEXT:
        if not index.takes_plaintext(request.callee):
            return _refused(request, Reason.PLAINTEXT, status=None)
    elif caller is None:
        return _refused(request, Reason.UNKNOWN_CALLER, status=403)
    port = port_of(index, request)
    if port is None:
        return _refused(request, Reason.UNKNOWN_CALLEE, status=403)

    tcp = not port.protocol.is_http
    path = "/" if tcp else canonical_path(request.path)
    if path is None:
        return _refused(request, Reason.REFUSED_PATH, status=400)

    # No token counts where no issuer is trusted.
    claims = request.claims if index.mesh.token_issuers else ()
    view = View(headers=request.headers, query=request.query, claims=claims, caller=caller)
    matching = tuple(
        rule
        for rule in index.rules_of(request.callee, port.number)
        if includes(rule.callers, caller) and matches(rule.match, request.method, path, view)
    )
    denies = tuple(rule for rule in matching if rule.effect is Effect.DENY)
    allows = tuple(rule for rule in matching if rule.effect is Effect.ALLOW)
    # A connection that is refused has no status: it is closed.
    status = None if tcp else 403
    if denies:
        return _refused(request, Reason.DENIED_BY_RULE, status=status, path=path, rules=denies)
    if not allows:
        return _refused(request, Reason.NO_ALLOW, status=status, path=path)
    if request.method in NEVER_FORWARDED and not tcp:
        return _refused(request, Reason.REFUSED_METHOD, status=405, path=path)

    rule, settings = None, NOTHING_STATED
    if caller is not None:
        # Routes, settings and mirrors are the work of the caller's sidecar, and plaintext comes from none.
        rule = route_rule(index, request.callee, port.number, request.method, path, view)
        settings = index.settings(_name_of(index, caller), request.callee, port.number, rule)
    if rule is not None and rule.answer is not None:
        # The caller's sidecar answers: nothing is called, counted or copied.
        return Decision(
            request=request,
            allowed=True,
            reason=Reason.ALLOWED,
            rules=allows,
            status=status_of(rule.answer),
            path=path,
            route_rule=rule,
        )
    service = index.services.get(request.callee)
    limits = index.limits_of(request.callee, port.number)
    mirrors = () if caller is None else index.mirrors_of(request.callee, port.number)
    faults = index.faults_of(request.callee, port.number)
    return Decision(
        request=request,
        allowed=True,
        reason=Reason.ALLOWED,
        rules=allows,
        path=path,
        route_rule=rule,
        destinations=destinations_of(index, request.callee, rule),
        settings=settings.of_connections() if tcp else settings,
        limits=tuple(limit for limit in limits if includes(limit.callers, caller)),
        mirrors=tuple(one for one in mirrors if matches(one.match, request.method, path, view)),
        faults=tuple(fault for fault in faults if includes(fault.callers, caller)),
        health=None if service is None or caller is None else service.health,
    )


def _refused(
    request: Request, reason: Reason, *, status: int | None, path: str | None = None, rules: tuple[Rule, ...] = ()
) -> Decision:
    return Decision(request=request, allowed=False, reason=reason, rules=rules, status=status, path=path)


def identity_of(index: MeshIndex, caller: str) -> SpiffeId | None:
    """Return the identity that a caller proves: a workload's, or a SPIFFE ID of the mesh's own trust domain."""
    workload = index.workloads.get(caller)
    if workload is not None:
        return workload.spiffe_id
    if caller == INGRESS:
        # No statement mentions the gateway, so no rule can be about it.
        return SpiffeId.of_workload(index.mesh.trust_domain, INGRESS, INGRESS)
    identity = SpiffeId.parse(caller)
    return identity if identity is not None and identity.trust_domain == index.mesh.trust_domain else None


def stated_scopes(index: MeshIndex, decision: Decision) -> tuple[Settings, ...]:
    """Return what each scope states about an allowed call, from the most general to the most specific."""
    port = port_of(index, decision.request)
    if port is None or not decision.allowed or decision.answer is not None:
        return ()
    caller = identity_of(index, decision.request.caller)
    name = decision.request.caller if caller is None else _name_of(index, caller)
    scopes = index.scopes(name, decision.request.callee, port.number, decision.route_rule)
    return scopes if port.protocol.is_http else tuple(scope.of_connections() for scope in scopes)


def stated_settings(index: MeshIndex, decision: Decision) -> Settings:
    """Return what is stated about an allowed call, `off` included; `decision.settings` is what comes of it."""
    merged = NOTHING_STATED
    for scope in stated_scopes(index, decision):
        merged = merged.under(scope)
    return merged


def _name_of(index: MeshIndex, caller: SpiffeId) -> str:
    """Return the workload by which edges name a caller; an identity that is not declared has no edge of its own."""
    workload = index.workloads_by_id.get(caller)
    return str(caller) if workload is None else workload.name


def port_of(index: MeshIndex, request: Request) -> ServicePort | None:
    """Return the port that a request means: the one it names, or the callee's only one."""
    external = index.externals.get(request.callee)
    service = index.services.get(request.callee)
    ports = (external.port,) if external is not None else service.ports if service is not None else ()
    if request.port is not None:
        return next((port for port in ports if port.name == request.port), None)
    return ports[0] if len(ports) == 1 else None


# ---- what a match means


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What conditions may ask of a request.

    `headers` are its lines, names in any case; `query` is what stands behind the `?`; `claims` are those of a token
    that was verified for an issuer of the program; `caller` None is a caller without a mesh identity.
    """

    headers: Pairs = ()
    query: str = ""
    claims: Pairs = ()
    caller: SpiffeId | None = None


def matches(match: RequestMatch, method: str, path: str, view: View) -> bool:
    """Tell whether a request with this canonical path is in the set."""
    return (
        (not match.methods or method in match.methods)
        and (match.path is None or path_matches(match.path, path))
        and (match.condition is None or holds(match.condition, view))
    )


def holds(condition: Condition, view: View) -> bool:
    """Tell whether a condition holds. A header, parameter, cookie or claim may have several values: one is enough."""
    match condition:
        case HeaderPresent(name):
            return any(line_name.lower() == name for line_name, _ in view.headers)
        case HeaderOneOf(name, values):
            return not set(values).isdisjoint(members(view.headers, name))
        case HeaderMatches(name, pattern):
            return any(value_matches(pattern, member) for member in members(view.headers, name))
        case AttributePresent(kind, name):
            return bool(attribute_values(view, kind, name))
        case AttributeOneOf(kind, name, values):
            return not set(values).isdisjoint(attribute_values(view, kind, name))
        case AttributeMatches(kind, name, pattern):
            return any(value_matches(pattern, value) for value in attribute_values(view, kind, name))
        case CallerIn(callers):
            return includes(callers, view.caller)
        case AllOf(operands):
            return all(holds(operand, view) for operand in operands)
        case AnyOf(operands):
            return any(holds(operand, view) for operand in operands)
        case Not(operand):
            return not holds(operand, view)
        case _:
            assert_never(condition)


def members(headers: Pairs, name: str) -> tuple[str, ...]:
    """Return the members of a header (RFC 9110 §5.6.1): what stands between commas, less one leading space each.

    All lines of the name count, each without white space at its ends.
    """
    return tuple(
        piece.removeprefix(" ")
        for line_name, value in headers
        if line_name.lower() == name
        for piece in value.strip(" \t").split(",")
    )


def attribute_values(view: View, kind: AttributeKind, name: str) -> tuple[str, ...]:
    """Return the values that a request bears under a name: of its query, of its cookies, or of its token."""
    match kind:
        case AttributeKind.QUERY:
            pairs = query_pairs(view.query)
        case AttributeKind.COOKIE:
            pairs = cookie_pairs(view.headers)
        case AttributeKind.CLAIM:
            pairs = view.claims
        case _:
            assert_never(kind)
    return tuple(value for pair_name, value in pairs if pair_name == name)


def query_pairs(query: str) -> Pairs:
    """Return the parameters of a query, decoded as forms are (WHATWG URL §5.1): `+` is a space, escapes are UTF-8.

    A parameter without `=` is empty.
    """
    if not query:
        return ()
    from urllib.parse import unquote_plus  # only few programs ask

    pairs = (piece.partition("=") for piece in query.split("&") if piece)
    return tuple((unquote_plus(name), unquote_plus(value)) for name, _, value in pairs)


def cookie_pairs(headers: Pairs) -> Pairs:
    """Return the cookies of all `Cookie` lines: `name=value` between semicolons (RFC 6265 §4.2.1), without white space.

    A value in double quotes is what stands between them (RFC 6265 §4.1.1). What has no `=` is no cookie.
    """
    pairs = (
        piece.strip(" \t").partition("=")
        for line_name, line in headers
        if line_name.lower() == "cookie"
        for piece in line.split(";")
    )
    return tuple((name, _unquoted(value)) for name, equals, value in pairs if equals)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value


# ---- where it goes


def status_of(answer: Answer) -> int:
    """Return the status of what a sidecar answers itself."""
    match answer:
        case Redirect():
            return REDIRECT_STATUS
        case Respond():
            return answer.status
        case _:
            assert_never(answer)


def route_rule(index: MeshIndex, callee: str, port: int, method: str, path: str, view: View) -> RouteRule | None:
    """Return the rule that wins among those that match: the one that yields to no other of them."""
    route = index.routes.get((callee, port))
    if route is None:
        return None
    candidates = [rule for rule in route.rules if matches(rule.match, method, path, view)]
    ids = {rule.id for rule in candidates}
    return next((rule for rule in candidates if ids.isdisjoint(rule.yields_to)), None)


def destinations_of(index: MeshIndex, callee: str, rule: RouteRule | None) -> tuple[Destination, ...]:
    """Return the rule's destinations, or all the service's instances; an external has none but its hosts."""
    if rule is not None:
        return rule.destinations
    if callee in index.externals:
        return ()
    return (Destination(service=callee, version=None, weight=WHOLE),)
