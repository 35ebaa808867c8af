"""`health: /healthz` or `health { … }`: how callers' sidecars find out which instances are well."""

from __future__ import annotations

from meshc_compiler.finding import Findings, did_you_mean, one_of
from meshc_compiler.ir.match import PathTemplate, SegmentKind
from meshc_compiler.ir.workload import HealthCheck, Protocol, ServicePort
from meshc_compiler.lower.field import Fields, wrong_type
from meshc_compiler.lower.template import TemplateProblem, parse_template
from meshc_lang.codes import names, settings, units
from meshc_lang.diagnostic import Label
from meshc_lang.source import Span
from meshc_lang.tree.node import Name, Text
from meshc_lang.tree.value import Block, Path, Switch, Value

INTERVAL_NS = 5_000_000_000
TIMEOUT_NS = 1_000_000_000
UNHEALTHY = 3
HEALTHY = 2
"""What holds where a `health` does not say otherwise."""


_MOST_IN_A_ROW = 100
"""An instance that is asked more often before anything follows is not checked, but watched."""

_EXAMPLE = "`off`, a path or a block, for example `health { path: /healthz, interval: 5s }`"


def lower_health(fields: Fields, ports: tuple[ServicePort, ...], findings: Findings) -> HealthCheck | None:
    """Return the health check of a service, or None where there is none or something about it is wrong."""
    value = fields.get("health")
    if not ports:
        return None
    match value:
        case None | Switch(on=False):
            return None
        case Path():
            path: Path | None = value
            inner, block = None, fields.span("health")
        case Block():
            inner = Fields(value, "`health`", "service.health", findings)
            block = value.span
            stated = inner.get("path")
            if stated is not None and not isinstance(stated, Path):
                wrong_type(findings, "`path`", "a path, for example `/healthz`", stated)
                return None
            path = stated
        case _:
            wrong_type(findings, "`health`", _EXAMPLE, value)
            return None
    port = _port(inner, ports, path is not None, block, findings)
    if port is None or not _path_fits(path, port, block, findings):
        return None
    return HealthCheck(
        port=port.number,
        path=None if path is None else path.text,
        interval_ns=(inner and inner.time("interval")) or INTERVAL_NS,
        timeout_ns=(inner and inner.time("timeout")) or TIMEOUT_NS,
        unhealthy=(inner and inner.integer("unhealthy", 1, _MOST_IN_A_ROW)) or UNHEALTHY,
        healthy=(inner and inner.integer("healthy", 1, _MOST_IN_A_ROW)) or HEALTHY,
        origin=fields.span("health"),
    )


def _port(
    fields: Fields | None, ports: tuple[ServicePort, ...], has_path: bool, place: Span, findings: Findings
) -> ServicePort | None:
    """Return the port that is asked: the one named, the only one, or for a path the only one that has paths."""
    value = None if fields is None else fields.get("port")
    if value is not None:
        return _named_port(value, ports, findings)
    candidates = ports if len(ports) == 1 or not has_path else tuple(port for port in ports if _has_paths(port))
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        return ports[0]
    known = one_of(port.name for port in candidates if port.name is not None)
    message = f"a health check asks one port, and {known.replace(' or ', ' and ')} could be meant"
    help_line = f"name it: `health {{ path: /healthz, port: {candidates[0].name} }}`"
    findings.add(settings.INVALID_HEALTH_CHECK, message, place, help=help_line)
    return None


def _named_port(value: Value, ports: tuple[ServicePort, ...], findings: Findings) -> ServicePort | None:
    if not isinstance(value, Name | Text):
        wrong_type(findings, "`port`", "the name of one of the `ports`", value)
        return None
    for port in ports:
        if port.name == value.text:
            return port
    known = [port.name for port in ports if port.name is not None]
    help_line, fixes = did_you_mean(value.text, known, value.span)
    help_line = help_line or (f"its ports are {one_of(known)}" if known else "it has a single port, without a name")
    findings.add(names.UNKNOWN_PORT, f"there is no port `{value.text}`", value.span, help=help_line, fixes=fixes)
    return None


def _has_paths(port: ServicePort) -> bool:
    return port.protocol in {Protocol.HTTP, Protocol.HTTP2}


def _path_fits(path: Path | None, port: ServicePort, place: Span, findings: Findings) -> bool:
    """Tell whether a check with this path, or without one, can be made on the port."""
    related = (Label(port.origin, f"this port speaks `{port.protocol}`"),) if port.origin is not None else ()
    if path is None:
        if not _has_paths(port):
            return True
        message = f"on a port that speaks `{port.protocol}` a health check asks for a path"
        help_line = "for example `path: /healthz`"
        findings.add(settings.INVALID_HEALTH_CHECK, message, place, help=help_line, related=related)
        return False
    if not _has_paths(port):
        asked = "the standard health service is asked" if port.protocol is Protocol.GRPC else "a connection is made"
        message = f"on a port that speaks `{port.protocol}` {asked}, and there is no path"
        findings.add(settings.INVALID_HEALTH_CHECK, message, path.span, help="leave the path out", related=related)
        return False
    return _is_plain(path, findings)


def _is_plain(path: Path, findings: Findings) -> bool:
    template = parse_template(path.text)
    if isinstance(template, TemplateProblem):
        findings.add(units.INVALID_PATH, template.message, path.span, help=template.help)
        return False
    if not isinstance(template, PathTemplate) or any(one.kind is not SegmentKind.LITERAL for one in template.segments):
        message = f"a health check asks for one path, and `{path.text}` stands for many"
        findings.add(settings.INVALID_HEALTH_CHECK, message, path.span, help="for example `/healthz`")
        return False
    return True
