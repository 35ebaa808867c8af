"""What is imported joined to the services that it is about: target ports, probes, and what they answer at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from meshc_compiler.finding import Findings
from meshc_compiler.importing.fact import FoundService, ImportedFacts, ImportedSchema
from meshc_compiler.ir.match import PathTemplate, Segment, SegmentKind
from meshc_compiler.ir.workload import Operation, Protocol, Service, ServicePort, ServiceSchema
from meshc_compiler.resolve.peer import CalleeEnd, Landscape, PeerResolver
from meshc_lang.codes import names, units
from meshc_lang.diagnostic import Label


def attach_manifests(landscape: Landscape, facts: ImportedFacts) -> Landscape:
    """Return the landscape in which services have the probes and target ports that manifests give them."""
    found = {service.name: service for service in facts.services}
    services = {
        name: service if (known := found.get(service.host)) is None else _with_manifest(service, known)
        for name, service in landscape.services.items()
    }
    return dataclasses.replace(landscape, services=services)


def _with_manifest(service: Service, found: FoundService) -> Service:
    targets = {port.number: port.target for port in found.ports}
    ports = tuple(
        port if port.target is not None else dataclasses.replace(port, target=targets.get(port.number))
        for port in service.ports
    )
    return dataclasses.replace(service, ports=ports, probes=found.probes)


def attach_schemas(landscape: Landscape, facts: ImportedFacts, resolver: PeerResolver, findings: Findings) -> Landscape:
    """Return the landscape in which services and externals have the operations that imported schemas declare."""
    operations: dict[str, list[Operation]] = {}
    for schema in facts.schemas:
        owner = schema.declaration.service
        end = None if owner is None else resolver.callee(owner)
        if end is None:
            continue
        if not end.one:
            message = f"`{end.text}` is a group, and a schema is about one service"
            findings.add(names.WRONG_KIND, message, end.span)
            continue
        found = operations.setdefault(end.ports[0][0], [])
        for port in _fitting(schema, end, findings):
            found += _operations(schema, port)
    if not operations:
        return landscape
    services, externals = dict(landscape.services), dict(landscape.externals)
    for name, found in operations.items():
        if (service := services.get(name)) is not None:
            services[name] = dataclasses.replace(service, schema=_joined(service.schema, found))
        elif (external := externals.get(name)) is not None:
            externals[name] = dataclasses.replace(external, schema=_joined(external.schema, found))
    return dataclasses.replace(landscape, services=services, externals=externals)


def _joined(stated: ServiceSchema | None, found: list[Operation]) -> ServiceSchema | None:
    """Return all operations in order, each once: what is stated by `paths` and what is imported."""
    known: dict[tuple[int, str, tuple[str, ...]], Operation] = {}
    for operation in (*(stated.operations if stated is not None else ()), *found):
        known.setdefault((operation.port, str(operation.path), operation.methods), operation)
    return ServiceSchema(operations=tuple(known[key] for key in sorted(known))) if known else None


def _fitting(schema: ImportedSchema, end: CalleeEnd, findings: Findings) -> tuple[ServicePort, ...]:
    """Return the ports on which what the schema declares can be seen."""
    rpcs = bool(schema.services)
    wanted = {Protocol.GRPC} if rpcs else {Protocol.HTTP, Protocol.HTTP2}
    ports = end.ports[0][1]
    fitting = tuple(port for port in ports if port.protocol in wanted)
    if not fitting:
        message = f"rpcs are seen on `grpc` ports, and `{end.text}` has none"
        if not rpcs:
            message = f"paths are seen on `http` ports, and `{end.text}` has none"
        related = tuple(Label(port.origin, f"this speaks `{port.protocol}`") for port in ports[:1] if port.origin)
        findings.add(units.PROTOCOL_MISMATCH, message, end.span, related=related)
    return fitting


def _operations(schema: ImportedSchema, port: ServicePort) -> Iterator[Operation]:
    for service in schema.services:
        for rpc in service.rpcs:
            path = PathTemplate((Segment(SegmentKind.LITERAL, service.name), Segment(SegmentKind.LITERAL, rpc.name)))
            yield Operation(port=port.number, methods=("POST",), path=path, origin=rpc.span)
    for operation in schema.operations:
        yield Operation(port=port.number, methods=operation.methods, path=operation.path, origin=operation.span)
