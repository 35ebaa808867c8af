"""Small meshes as IR values, written briefly."""

from __future__ import annotations

from meshc_compiler.ir.caller import AnyCaller, Callers, TheseCallers
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import (
    Condition,
    HeaderOneOf,
    HeaderPresent,
    PathMatch,
    PathRegex,
    PathTemplate,
    RequestMatch,
    Segment,
    SegmentKind,
)
from meshc_compiler.ir.policy import Effect, Limit, LimitKey, LimitKeyKind, Rule
from meshc_compiler.ir.route import WHOLE, Destination, RouteRule
from meshc_compiler.ir.setting import NOTHING_STATED, Backoff, Scope, Setting, Settings
from meshc_compiler.ir.workload import Protocol, Service, ServicePort, Workload

DOMAIN = "test.example"

_KINDS = {
    "*": SegmentKind.ANY,
    "**": SegmentKind.REST,
    "{id}": SegmentKind.ANY,
    "{id:int}": SegmentKind.INT,
    "{id:uuid}": SegmentKind.UUID,
    "{id:slug}": SegmentKind.SLUG,
}


def spiffe(name: str, namespace: str = "default") -> SpiffeId:
    return SpiffeId.of_workload(DOMAIN, namespace, name)


def workload(name: str, namespace: str = "default") -> Workload:
    return Workload(name=name, namespace=namespace, service_account=name, spiffe_id=spiffe(name, namespace))


def service(
    name: str,
    *ports: ServicePort,
    versions: tuple[str, ...] = (),
    namespace: str = "default",
) -> Service:
    return Service(
        name=name, host=name, namespace=namespace, workload=name, ports=ports or (http_port(),), versions=versions
    )


def http_port(number: int = 8080, name: str | None = None, protocol: Protocol = Protocol.HTTP) -> ServicePort:
    return ServicePort(name=name, number=number, protocol=protocol)


def template(text: str) -> PathTemplate:
    """Read a template as `/v1/carts/{id:uuid}/**`; a trailing slash is dropped."""
    pieces = [piece for piece in text.removeprefix("/").split("/") if piece]
    return PathTemplate(
        tuple(Segment(_KINDS[piece]) if piece in _KINDS else Segment(SegmentKind.LITERAL, piece) for piece in pieces)
    )


def match(path: str | PathMatch | None = None, *methods: str, when: Condition | None = None) -> RequestMatch:
    """Return a match; a path that begins with `~` is a regular expression."""
    if isinstance(path, str):
        path = PathRegex(path[1:]) if path.startswith("~") else template(path)
    return RequestMatch(methods=tuple(sorted(methods)), path=path, condition=when)


def header(name: str, *values: str) -> Condition:
    return HeaderOneOf(name, tuple(sorted(values)))


def present(name: str) -> Condition:
    return HeaderPresent(name)


def callers(*names: str) -> Callers:
    """Return the callers of these names in the default namespace; none at all is any caller."""
    return TheseCallers(tuple(sorted(spiffe(name) for name in names))) if names else AnyCaller()


def rule(
    effect: Effect, who: Callers, callee: str, what: RequestMatch, *, port: int = 8080, named: str | None = None
) -> Rule:
    return Rule(
        id=named or f"{effect} -> {callee} {'|'.join(what.methods) or '*'} {what.path or '/**'}",
        effect=effect,
        callers=who,
        callee=callee,
        port=port,
        match=what,
    )


def allow(
    who: str, callee: str, what: RequestMatch | None = None, *, port: int = 8080, named: str | None = None
) -> Rule:
    """Return an allow for one caller, or for `any`."""
    return rule(
        Effect.ALLOW,
        callers(*([] if who == "any" else [who])),
        callee,
        what or match(),
        port=port,
        named=named or f"allow {who} -> {callee} {_text(what or match())}",
    )


def deny(
    who: str, callee: str, what: RequestMatch | None = None, *, port: int = 8080, named: str | None = None
) -> Rule:
    """Return a deny for one caller, or for `any`."""
    return rule(
        Effect.DENY,
        callers(*([] if who == "any" else [who])),
        callee,
        what or match(),
        port=port,
        named=named or f"deny {who} -> {callee} {_text(what or match())}",
    )


def _text(what: RequestMatch) -> str:
    return f"{'|'.join(what.methods) or '*'} {what.path or '/**'}" + (f" if {what.condition}" if what.condition else "")


def limit(
    who: Callers,
    callee: str,
    amount: int,
    *,
    seconds: int = 1,
    burst: int | None = None,
    per_header: str | None = None,
    port: int = 8080,
    named: str | None = None,
) -> Limit:
    return Limit(
        id=named or f"limit -> {callee} {amount}/{seconds}s per {per_header}",
        callers=who,
        callee=callee,
        port=port,
        amount=amount,
        seconds=seconds,
        burst=amount if burst is None else burst,
        per=None if per_header is None else LimitKey(LimitKeyKind.HEADER, per_header),
    )


def route_rule(
    name: str, what: RequestMatch, *shares: tuple[str, str | None, int], settings: Settings = NOTHING_STATED
) -> RouteRule:
    """Return a rule of a route; a share is a service, a version and percents."""
    return RouteRule(
        id=name,
        name=name,
        match=what,
        destinations=tuple(
            Destination(service=callee, version=version, weight=percent * WHOLE // 100)
            for callee, version, percent in shares
        ),
        settings=settings,
    )


def settings(
    *,
    timeout_ms: int | None = None,
    limit: int | None = None,
    on: tuple[str, ...] | None = None,
    budget_percent: int | None = None,
    per_try_ms: int | None = None,
    backoff_ms: tuple[int, int] | None = None,
    scope: Scope = Scope.EDGE,
) -> Settings:
    def stated(value: object) -> Setting[object] | None:
        return None if value is None else Setting(value=value, scope=scope)

    backoff = None
    if backoff_ms is not None:
        backoff = Setting(
            value=Backoff(low_ns=backoff_ms[0] * 1_000_000, high_ns=backoff_ms[1] * 1_000_000), scope=scope
        )
    return Settings(
        timeout_ns=None if timeout_ms is None else Setting(value=timeout_ms * 1_000_000, scope=scope),
        retry_limit=None if limit is None else Setting(value=limit, scope=scope),
        retry_on=None if on is None else Setting(value=tuple(sorted(on)), scope=scope),
        retry_budget=None if budget_percent is None else Setting(value=budget_percent * 10_000, scope=scope),
        per_try_timeout_ns=None if per_try_ms is None else Setting(value=per_try_ms * 1_000_000, scope=scope),
        retry_backoff=backoff,
    )
