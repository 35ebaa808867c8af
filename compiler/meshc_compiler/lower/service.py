"""A service: the workload that runs under one identity, and what it offers to callers."""

from __future__ import annotations

from meshc_compiler.finding import Findings
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.workload import Service, ServicePort, Workload
from meshc_compiler.lower.capacity import lower_capacity, lower_folds
from meshc_compiler.lower.field import Fields, as_word, check_label, duplicate
from meshc_compiler.lower.health import lower_health
from meshc_compiler.lower.mtls import MtlsSetting, lower_mtls
from meshc_compiler.lower.paths import lower_paths
from meshc_compiler.lower.port import lower_port
from meshc_lang.codes import names, units
from meshc_lang.source import Span
from meshc_lang.tree.declaration import ServiceDecl

DEFAULT_NAMESPACE = "default"

_ROOM_FOR_SUFFIX = len("-mesh")
_MOST_REPLICAS = 100_000


def lower_service(
    declaration: ServiceDecl, domain: str, mesh_mode: MtlsSetting, findings: Findings
) -> tuple[Workload, Service | None]:
    """Return the workload that a declaration brings into being, and the service that it offers, if it has a port."""
    name = declaration.name.text
    fields = Fields(declaration.body, f"the service `{name}`", "service", findings)
    check_label(name, "a service's name", declaration.name.span, findings, _ROOM_FOR_SUFFIX)
    namespace = fields.label("namespace") or DEFAULT_NAMESPACE
    host = fields.label("service-name", _ROOM_FOR_SUFFIX) or name
    account = fields.label("service-account") or host
    selector = fields.labels("selector")
    workload = Workload(
        name=name,
        namespace=namespace,
        service_account=account,
        spiffe_id=SpiffeId.of_workload(domain, namespace, account),
        selector=(("app", host),) if selector is None else selector,
        labels=fields.labels("labels") or (),
        origin=declaration.span,
    )
    if selector == ():
        message = f"an empty `selector` would choose every pod of the namespace `{namespace}`"
        findings.add(units.OUT_OF_RANGE, message, fields.span("selector"))
    ports = _service_ports(fields, findings)
    mode = lower_mtls(fields, findings) or mesh_mode
    health = lower_health(fields, ports, findings)
    schema = lower_paths(fields, ports, findings)
    versions = _versions(fields, name, findings)
    replicas = fields.integer("replicas", 1, _MOST_REPLICAS)
    if not ports:
        if versions and fields.get("port") is None and fields.get("ports") is None:
            message = f"`{name}` has versions and no port: nobody could call them"
            findings.add(
                names.MISSING_FIELD, message, fields.span("versions"), help="add for example `port: 8080/http`"
            )
        if fields.get("port") is None and fields.get("ports") is None:
            _check_fields_of_callees(fields, name, findings)
        return workload, None
    service = Service(
        name=name,
        host=host,
        namespace=namespace,
        workload=name,
        ports=ports,
        versions=versions,
        replicas=replicas or 1,
        replicas_origin=None if replicas is None else fields.span("replicas"),
        capacity=lower_capacity(fields, findings),
        folds=lower_folds(fields, findings),
        mtls=mode.value,
        mtls_origin=mode.origin,
        health=health,
        schema=schema,
        doc=declaration.doc,
        origin=declaration.span,
    )
    return workload, service


def _service_ports(fields: Fields, findings: Findings) -> tuple[ServicePort, ...]:
    single, several = fields.get("port"), fields.get("ports")
    if single is not None and several is not None:
        duplicate(findings, "a service has a `port` or `ports`, not both", fields.span("ports"), fields.span("port"))
        return ()
    target = fields.integer("target-port", 1, 65535)
    if single is not None:
        port = lower_port(None, single, "`port`", target, findings)
        return () if port is None else (port,)
    if target is not None:
        message = "`target-port` says where a single `port` is listened on"
        findings.add(names.MISSING_FIELD, message, fields.span("target-port"), help="add for example `port: 80/http`")
    block = fields.block_of("ports", "ports { public: 8080/http, admin: 9000/http }")
    if block is None:
        return ()
    by_name: dict[str, ServicePort] = {}
    by_number: dict[int, ServicePort] = {}
    for pair in block.pairs:
        port = lower_port(pair.key.text, pair.value, f"the port `{pair.key}`", None, findings)
        check_label(pair.key.text, "a port's name", pair.key.span, findings)
        if port is None:
            continue
        taken = by_name.get(pair.key.text) or by_number.get(port.number)
        if taken is not None and taken.origin is not None:
            duplicate(findings, f"the port `{pair.key}` is stated twice, by name or number", pair.span, taken.origin)
            continue
        by_name[pair.key.text] = by_number[port.number] = port
    if not block.pairs:
        findings.add(names.MISSING_FIELD, "`ports` is empty", block.span, help="add for example `public: 8080/http`")
    ordered = [by_number[number] for number in sorted(by_number)]
    return tuple(ordered)


def _versions(fields: Fields, service: str, findings: Findings) -> tuple[str, ...]:
    seen: dict[str, Span] = {}
    for item in fields.items("versions", "[v1, v2]") or ():
        text = as_word(item, "a version", findings)
        if text is None or not check_label(text, "a version", item.span, findings, len(service) + 1 + _ROOM_FOR_SUFFIX):
            continue
        if text in seen:
            duplicate(findings, f"the version `{text}` is stated twice", item.span, seen[text])
        seen[text] = item.span
    return tuple(sorted(seen))


def _check_fields_of_callees(fields: Fields, name: str, findings: Findings) -> None:
    """Tell of fields that say how calls are answered, of a service that answers none."""
    for key in ("mtls", "health", "paths", "capacity", "folds"):
        if fields.get(key) is not None:
            message = f"`{key}` is about calls to `{name}`, which has no port"
            findings.add(names.MISSING_FIELD, message, fields.span(key), help="add for example `port: 8080/http`")
