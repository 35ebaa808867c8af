"""What Envoy, set up from a static bootstrap, cannot carry as written: said at build time, never dropped in silence."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_backends.artifact import Loss, Reservation
from meshc_backends.envoy.header_match import ROUTES_AT_MOST, TooWideError, header_names
from meshc_backends.envoy.health import can_be_asked
from meshc_backends.envoy.route import header_settings, route_matches, service_routes
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import Mesh
from meshc_compiler.ir.setting import Settings
from meshc_compiler.ir.slice import WorkloadSlice
from meshc_compiler.ir.workload import ServicePort
from meshc_lang.codes.code import Code
from meshc_lang.codes.targets import ENVOY_CANNOT_HOLD, ENVOY_HOST_TAKEN, ENVOY_OWN_HEADER, ENVOY_PROTOCOL
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.source import SourceText, Span
from meshc_lang.units import print_percent

TARGET = "envoy"

_MILLISECOND = 1_000_000
_PERCENT = 10_000

OWN_HEADERS = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
        "x-forwarded-client-cert",
        "x-forwarded-proto",
        "x-request-id",
    }
)
"""Headers that Envoy makes, takes away or renames before it asks the rules."""


def protocol_findings(mesh: Mesh) -> Iterator[tuple[Diagnostic, Reservation]]:
    """Yield a finding for each external of a protocol that Envoy, as set up here, does not carry out of the mesh."""
    for external in mesh.externals:
        if not external.port.protocol.is_http:
            what = f"external `{external.name}`"
            yield _protocol_finding(what, external.port), _protocol_reservation(what, external.port)


def _protocol_finding(what: str, port: ServicePort) -> Diagnostic:
    return Diagnostic(
        code=ENVOY_PROTOCOL,
        message=f"the target `envoy` refuses calls to {what}: it does not carry `{port.protocol.value}` there",
        primary=port.origin or nowhere(),
        label=f"port {port.number}",
        help="a service of the mesh may be called so; for an external use `http`, or `443/tls` with a `tls` block",
        subject=f"envoy {what} {port.number}",
    )


def _protocol_reservation(what: str, port: ServicePort) -> Reservation:
    return Reservation(
        target=TARGET,
        loss=Loss.REFUSED,
        subject=f"{what} port {port.number}/{port.protocol.value}",
        reason=f"no listener carries {port.protocol.value} out of the mesh: such calls find no way out of a sidecar",
    )


def slice_findings(slice_: WorkloadSlice) -> tuple[Diagnostic, ...]:
    """Return what Envoy cannot hold of one workload's slice."""
    return (
        *_header_findings(slice_),
        *_route_findings(slice_),
        *_setting_findings(slice_),
        *_mirror_findings(slice_),
        *_fault_findings(slice_),
        *_health_findings(slice_),
        *_wildcard_findings(slice_),
    )


def host_taken(host: str, first: str, second: str, place: Span | None) -> Diagnostic:
    """Return the finding that two callees answer to one `Host`."""
    return Diagnostic(
        code=ENVOY_HOST_TAKEN,
        message=f"the host `{host}` means both `{first}` and `{second}`, so a call to it could reach either",
        primary=place or nowhere(),
        help="give one of them another host name or port",
        subject=f"envoy host {host}",
    )


def _header_findings(slice_: WorkloadSlice) -> Iterator[Diagnostic]:
    looked_at: list[tuple[str, RequestMatch, Span | None]] = []
    for inbound in slice_.inbound:
        looked_at += [(f"rule `{rule.id}`", rule.match, rule.origin) for rule in inbound.rules]
    for external in slice_.externals:
        looked_at += [(f"rule `{rule.id}`", rule.match, rule.origin) for rule in external.rules]
    for callee in slice_.services:
        looked_at += [(f"route `{r.rule.id}`", r.rule.match, r.rule.origin) for r in callee.rules if r.rule is not None]
        looked_at += [(f"`{one.mirror.id}`", one.mirror.match, one.mirror.origin) for one in callee.mirrors]
    named = [(what, header_names(match.condition), origin) for what, match, origin in looked_at]
    named += [
        (f"`{name}`", frozenset({header}), origin)
        for settings in _all_settings(slice_)
        for name, header, origin in header_settings(settings)
    ]
    named += [
        (f"limit `{limit.id}`", frozenset({limit.per_header}), limit.origin)
        for inbound in slice_.inbound
        for limit in inbound.limits
        if limit.per_header is not None
    ]
    for what, headers, origin in named:
        for header in sorted(headers):
            if header in OWN_HEADERS or header.startswith("x-envoy-"):
                yield Diagnostic(
                    code=ENVOY_OWN_HEADER,
                    message=f"{what} looks at the header `{header}`, which Envoy itself sets or removes first",
                    primary=origin or nowhere(),
                    help="look at a header that the caller alone sets",
                    subject=f"envoy {what} {header}",
                )


def _route_findings(slice_: WorkloadSlice) -> Iterator[Diagnostic]:
    for callee in slice_.services:
        for rule in callee.rules:
            if rule.rule is None:
                continue
            try:
                route_matches(rule.rule.match)
            except TooWideError:
                yield cannot_hold(
                    f"route `{rule.rule.id}` combines so many headers and methods that it would become more than "
                    f"{ROUTES_AT_MOST} of Envoy's routes",
                    rule.rule.origin,
                    "split the rule, or let it look at fewer headers",
                    f"route {callee.service.name} {rule.rule.id}",
                )


def _mirror_findings(slice_: WorkloadSlice) -> Iterator[Diagnostic]:
    for callee in slice_.services:
        if not callee.mirrors:
            continue
        try:
            service_routes(callee, slice_.workload.spiffe_id)
        except TooWideError:
            yield cannot_hold(
                f"the mirrors of `{callee.service.name}` do not fit into Envoy's routes: there are too many, or one "
                "compares a path by an expression where a rule of the route compares it too",
                callee.mirrors[0].mirror.origin,
                "use path templates, and fewer mirrors with conditions",
                f"mirrors {callee.service.name}",
            )


def _fault_findings(slice_: WorkloadSlice) -> Iterator[Diagnostic]:
    faults = [fault for inbound in slice_.inbound for fault in inbound.faults]
    faults += [fault for callee in slice_.externals for fault in callee.faults]
    for fault in faults:
        if fault.delay_ns is not None and fault.delay_ns % _MILLISECOND:
            yield cannot_hold(
                f"the fault `{fault.name}` has a delay finer than a millisecond, and Envoy cuts times to whole ones",
                fault.origin,
                "write it in `ms`",
                f"fault {fault.name}",
            )


def _health_findings(slice_: WorkloadSlice) -> Iterator[Diagnostic]:
    for callee in slice_.services:
        health = callee.service.health
        if health is None:
            continue
        if not can_be_asked(callee.service, callee.port):
            yield cannot_hold(
                f"the health of `{callee.service.name}` is asked by gRPC, and its port {callee.port.number} speaks "
                f"`{callee.port.protocol}`, by which Envoy cannot ask",
                health.origin,
                "ask on another port, by a `path`",
                f"health {callee.service.name}",
            )
        if health.interval_ns % _MILLISECOND or health.timeout_ns % _MILLISECOND:
            yield cannot_hold(
                f"the health checks of `{callee.service.name}` have a time finer than a millisecond",
                health.origin,
                "write it in `ms`",
                f"health {callee.service.name} time",
            )


def _setting_findings(slice_: WorkloadSlice) -> Iterator[Diagnostic]:
    calls = [
        (callee.service.name, rule.settings if callee.port.protocol.is_http else rule.settings.of_connections())
        for callee in slice_.services
        for rule in callee.rules
    ]
    calls += [(callee.external.name, callee.settings) for callee in slice_.externals]
    for callee, settings in calls:
        for what, nanoseconds, origin in _times(settings):
            if nanoseconds % _MILLISECOND:
                yield cannot_hold(
                    f"calls to `{callee}` have {what} finer than a millisecond, and Envoy cuts times to whole ones",
                    origin or slice_.workload.origin,
                    "write it in `ms`",
                    f"settings {callee} {what}",
                )
        share = settings.outlier_max_ejected
        if share is not None and share.value % _PERCENT:
            yield cannot_hold(
                f"calls to `{callee}` eject up to {print_percent(share.value)} of its instances: Envoy counts whole %",
                share.origin or slice_.workload.origin,
                "write a whole number of percents",
                f"settings {callee} max-ejected",
            )


def _all_settings(slice_: WorkloadSlice) -> Iterator[Settings]:
    for callee in slice_.services:
        yield from (rule.settings for rule in callee.rules)
    yield from (external.settings for external in slice_.externals)


def _times(settings: Settings) -> Iterator[tuple[str, int, Span | None]]:
    if settings.timeout_ns is not None:
        yield "a timeout", settings.timeout_ns.value, settings.timeout_ns.origin
    if settings.per_try_timeout_ns is not None:
        yield "a per-try timeout", settings.per_try_timeout_ns.value, settings.per_try_timeout_ns.origin
    for what, time in (
        ("a connect timeout", settings.connect_timeout_ns),
        ("an idle timeout", settings.idle_timeout_ns),
        ("an ejection", settings.outlier_eject_ns),
        ("an interval of ejection", settings.outlier_interval_ns),
    ):
        if time is not None:
            yield what, time.value, time.origin
    if settings.retry_backoff is not None:
        yield "a backoff", settings.retry_backoff.value.low_ns, settings.retry_backoff.origin
        yield "a backoff", settings.retry_backoff.value.high_ns, settings.retry_backoff.origin


def _wildcard_findings(slice_: WorkloadSlice) -> Iterator[Diagnostic]:
    for callee in slice_.externals:
        for host in callee.external.hosts:
            if "*" in host:
                yield cannot_hold(
                    f"external `{callee.external.name}` has the host `{host}`, and `*` cannot be resolved",
                    callee.external.origin,
                    "name each host",
                    f"external {callee.external.name} {host}",
                )


def cannot_hold(message: str, place: Span | None, help_: str, subject: str) -> Diagnostic:
    """Return the finding that a part of the program does not fit, at its place in the program."""
    code: Code = ENVOY_CANNOT_HOLD
    return Diagnostic(code=code, message=message, primary=place or nowhere(), help=help_, subject=f"envoy {subject}")


def nowhere() -> Span:
    """Return the place of what is not written anywhere."""
    return SourceText(TARGET, "").span(0, 0)
