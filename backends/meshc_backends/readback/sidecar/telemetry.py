"""What a snapshot has the proxy tell of its calls, and what the program says of it: traces, log lines, metrics."""

from __future__ import annotations

from typing import Any, TypeAlias

from meshc_backends.readback.sidecar.field import elements, members, number, required, text, texts
from meshc_backends.readback.unread import UnreadError
from meshc_compiler.ir.setting import AccessLog, Settings
from meshc_compiler.ir.slice import WorkloadSlice

Telemetry: TypeAlias = dict[str, object]
"""By what it is about, as people read it; of the outbound side each way that a service is called."""

_TRACING = frozenset({"propagation", "collector", "speaks"})
_ADDRESS = frozenset({"host", "port"})
_GRPC, _HTTP = "OTLP over gRPC", "OTLP over HTTP"
_SPEAKS = {"h2": _GRPC, "http/1.1": _HTTP}
_CHOICES = frozenset(choice.value for choice in AccessLog)

INBOUND_FIELDS = frozenset({"access_log", "metrics", "trace_sampling"})
ROUTE_FIELDS = frozenset({"access_log", "trace_sampling"})
OUTBOUND_FIELDS = frozenset({"metrics"})
CONNECTION_FIELDS = frozenset({"access_log", "metrics"})
"""The members that are read here; the rest of these parts is the policy."""


def read_telemetry(document: dict[str, Any]) -> Telemetry:
    """Return what a snapshot says.

    Raises:
        UnreadError: something of which the meaning is not known.
    """
    told: Telemetry = {"traces": _read_tracing(document.get("tracing"))}
    for at, port in enumerate(elements(document, "inbound", "")):
        place = f"inbound.{at}"
        name = f"telemetry of {text(port, 'service', place)}:{number(port, 'number', place)}"
        told[name] = (_log(port, place), _flag(port, place), number(port, "trace_sampling", place))
    called: dict[str, list[object]] = {}
    for at, service in enumerate(elements(document, "outbound", "")):
        place = f"outbound.{at}"
        name = f"telemetry of calls to {text(service, 'name', place)}:{number(service, 'port', place)}"
        routes = tuple(
            (_log(route, place), number(route, "trace_sampling", place)) for route in required(service, "routes", place)
        )
        called.setdefault(name, []).append((_flag(service, place), routes))
    told |= {name: tuple(found) for name, found in called.items()}
    for at, connection in enumerate(elements(document, "connections", "")):
        place = f"connections.{at}"
        service, port = text(connection, "service", place), number(connection, "port", place)
        told[f"telemetry of connections to {service}:{port}"] = (_log(connection, place), _flag(connection, place))
    return told


def stated_telemetry(slice_: WorkloadSlice, connections: frozenset[tuple[str, int]]) -> Telemetry:
    """Return what the program says; `connections` are the ports of services that have a listener of their own."""
    told: Telemetry = {"traces": _stated_tracing(slice_)}
    for inbound in slice_.inbound:
        name = f"telemetry of {inbound.service.name}:{inbound.port.number}"
        told[name] = (_choice(inbound.settings), _counts(inbound.settings), _share(inbound.settings))
    for service in slice_.services:
        name = f"{service.service.name}:{service.port.number}"
        last = service.rules[-1].settings
        if service.port.protocol.is_http:
            routes = tuple((_choice(rule.settings), _share(rule.settings)) for rule in service.rules)
            told[f"telemetry of calls to {name}"] = ((_counts(last), routes),)
        elif (service.service.name, service.port.number) in connections:
            told[f"telemetry of connections to {name}"] = (_choice(last), _counts(last))
    for external in slice_.externals:
        port = external.external.port
        if port.protocol.is_http and external.external.hosts:
            settings = external.settings
            way = (_counts(settings), ((_choice(settings), _share(settings)),))
            told[f"telemetry of calls to {external.external.name}:{port.number}"] = (way,) * len(
                external.external.hosts
            )
    return told


def _read_tracing(value: Any) -> object:
    if value is None:
        return None
    fields = members(value, _TRACING, "tracing")
    collector: object = None
    if fields.get("collector") is not None:
        address = members(fields["collector"], _ADDRESS, "tracing.collector")
        speaks = text(fields, "speaks", "tracing")
        if speaks not in _SPEAKS:
            raise UnreadError("tracing.speaks", f"`{speaks}`")
        host = text(address, "host", "tracing.collector"), number(address, "port", "tracing.collector")
        collector = (*host, _SPEAKS[speaks])
    return tuple(sorted(texts(fields, "propagation", "tracing"))), collector


def _stated_tracing(slice_: WorkloadSlice) -> object:
    mesh = slice_.settings
    forms = tuple(sorted(form.value for form in mesh.trace_propagation.value)) if mesh.trace_propagation else ()
    address = mesh.trace_endpoint.value if mesh.trace_endpoint else ""
    shares = [_share(port.settings) for port in slice_.inbound]
    shares += [_share(rule.settings) for service in slice_.services for rule in service.rules]
    shares += [_share(external.settings) for external in slice_.externals]
    if not forms and not address and mesh.trace_propagation is None and not any(shares):
        return None
    collector: object = None
    if address:
        host, _, port = address.rpartition(":")
        # 4318 is the port of OTLP over HTTP, as OpenTelemetry has it.
        collector = (host.strip("[]"), int(port), _HTTP if port == "4318" else _GRPC)
    return forms or ("w3c",), collector


def _choice(settings: Settings) -> str:
    return (settings.access_log.value if settings.access_log else AccessLog.ON).value


def _counts(settings: Settings) -> bool:
    return settings.metrics.value if settings.metrics else True


def _share(settings: Settings) -> int:
    return settings.trace_sampling.value if settings.trace_sampling else 0


def _log(fields: dict[str, Any], place: str) -> str:
    choice = text(fields, "access_log", place)
    if choice not in _CHOICES:
        raise UnreadError(f"{place}.access_log", f"`{choice}`")
    return choice


def _flag(fields: dict[str, Any], place: str) -> bool:
    found = fields.get("metrics")
    if type(found) is not bool:
        raise UnreadError(f"{place}.metrics", "something that is neither true nor false")
    return found
