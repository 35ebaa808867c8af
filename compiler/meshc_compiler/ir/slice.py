"""One workload's share of the mesh: all that its sidecar needs, and nothing that others change."""

from __future__ import annotations

from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Limit, Rule
from meshc_compiler.ir.route import WHOLE, Destination, RouteRule
from meshc_compiler.ir.setting import Settings
from meshc_compiler.ir.workload import External, Service, ServicePort, Workload
from meshc_lang.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundPort:
    """One port on which the workload is called: who may, and how much."""

    service: Service
    port: ServicePort
    rules: tuple[Rule, ...]
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRule:
    """A route's rule with the settings that hold for this caller. `rule` None is the default: everything else."""

    rule: RouteRule | None
    destinations: tuple[Destination, ...]
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundService:
    """One port of a service that the workload may call. The first rule that matches wins; the last matches all."""

    service: Service
    workload: Workload
    port: ServicePort
    rules: tuple[OutboundRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundExternal:
    """An external that the workload may call: its rules are enforced at the caller, for want of another sidecar."""

    external: External
    rules: tuple[Rule, ...]
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSlice:
    """Everything one sidecar enforces. `namespaces` are those of the mesh: names inside them are the mesh's own."""

    trust_domain: str
    namespaces: tuple[str, ...]
    workload: Workload
    inbound: tuple[InboundPort, ...]
    services: tuple[OutboundService, ...]
    externals: tuple[OutboundExternal, ...]


def slice_of(index: MeshIndex, workload: Workload) -> WorkloadSlice:
    """Return a workload's slice; its cost grows with the workload's own edges and rules."""
    service = index.services.get(workload.name)
    inbound = tuple(
        InboundPort(
            service=service,
            port=port,
            rules=index.rules_of(service.name, port.number),
            limits=index.limits_of(service.name, port.number),
        )
        for port in (service.ports if service else ())
        if service
    )
    services: list[OutboundService] = []
    externals: list[OutboundExternal] = []
    for callee, number in index.callees_of(workload.spiffe_id):
        if external := index.externals.get(callee):
            externals.append(
                OutboundExternal(
                    external=external,
                    rules=index.rules_of(callee, number),
                    settings=index.settings(workload.name, callee, None),
                )
            )
        elif (port := index.port_of(callee, number)) is not None:
            services.append(_outbound_service(index, workload, index.services[callee], port))
    return WorkloadSlice(
        trust_domain=index.mesh.trust_domain,
        namespaces=index.namespaces,
        workload=workload,
        inbound=inbound,
        services=tuple(services),
        externals=tuple(externals),
    )


def _outbound_service(index: MeshIndex, caller: Workload, service: Service, port: ServicePort) -> OutboundService:
    route = index.routes.get((service.name, port.number))
    rules = [
        OutboundRule(
            rule=rule,
            destinations=rule.destinations,
            settings=index.settings(caller.name, service.name, rule),
        )
        for rule in (route.rules if route else ())
    ]
    everywhere = Destination(service=service.name, version=None, weight=WHOLE)
    rules.append(
        OutboundRule(
            rule=None,
            destinations=(everywhere,),
            settings=index.settings(caller.name, service.name, None),
        )
    )
    return OutboundService(service=service, workload=index.workloads[service.workload], port=port, rules=tuple(rules))
