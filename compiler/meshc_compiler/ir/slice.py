"""One workload's share of the mesh: all that its sidecar needs, and nothing that others change.

No condition of a slice asks who calls: rules name their callers, and all that leaves a workload has one caller.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from meshc_compiler.ir.caller import PlaintextCaller, includes
from meshc_compiler.ir.condition import is_about_callers, settled_for, split_by_caller
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Limit, Rule
from meshc_compiler.ir.route import WHOLE, Destination, RouteRule
from meshc_compiler.ir.setting import NOTHING_STATED, Settings
from meshc_compiler.ir.traffic import Fault, Mirror
from meshc_compiler.ir.workload import External, Service, ServicePort, Workload
from meshc_lang.record import dataclass

Callee = TypeVar("Callee", Service, External)


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundPort:
    """One port on which the workload is called: who may, how much, and what mishaps befall it on purpose.

    `settings` are those of a caller of whom nothing more specific is stated: what the callee's own sidecar goes by.
    `longest_idle_ns` is the greatest `idle-timeout` of any caller; None where none is stated.
    """

    service: Service
    port: ServicePort
    rules: tuple[Rule, ...]
    limits: tuple[Limit, ...]
    faults: tuple[Fault, ...] = ()
    settings: Settings = NOTHING_STATED
    longest_idle_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRule:
    """A route's rule with the settings that hold for this caller. `rule` None is the default: everything else."""

    rule: RouteRule | None
    destinations: tuple[Destination, ...]
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundMirror:
    """A mirror of requests that the workload makes, and the port and workload that get the copies."""

    mirror: Mirror
    service: Service
    workload: Workload
    port: ServicePort


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundService:
    """One port of a service that the workload may call. The first rule that matches wins; the last matches all.

    `guards` are the callee's rules, if some rule of the route answers itself: such an answer never gets to the callee's
    sidecar, so the caller's must find out whether the request is allowed.
    """

    service: Service
    workload: Workload
    port: ServicePort
    rules: tuple[OutboundRule, ...]
    guards: tuple[Rule, ...] = ()
    mirrors: tuple[OutboundMirror, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundExternal:
    """An external that the workload may call: its rules are enforced at the caller, for want of another sidecar.

    So are its faults, of which those are here that befall this caller.
    """

    external: External
    rules: tuple[Rule, ...]
    settings: Settings
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSlice:
    """Everything one sidecar enforces. `namespaces` are those of the mesh: names inside them are the mesh's own.

    `settings` are those of the mesh as a whole: what concerns the sidecar itself, and no call alone.
    `latency_bounds_ns` are the bounds that the service's objectives have: the sidecar counts what is above and below.
    """

    trust_domain: str
    namespaces: tuple[str, ...]
    workload: Workload
    inbound: tuple[InboundPort, ...]
    services: tuple[OutboundService, ...]
    externals: tuple[OutboundExternal, ...]
    settings: Settings = NOTHING_STATED
    latency_bounds_ns: tuple[int, ...] = ()


def slice_of(index: MeshIndex, workload: Workload) -> WorkloadSlice:
    """Return a workload's slice; its cost grows with the workload's own edges and rules."""
    declared = index.services.get(workload.name)
    service = None if declared is None else _enforced(declared)
    inbound = tuple(
        InboundPort(
            service=service,
            port=port,
            rules=rules_by_caller(index, service.name, port.number),
            limits=tuple(limit for limit in index.limits_of(service.name, port.number) if _applies(index, limit)),
            faults=tuple(fault for fault in index.faults_of(service.name, port.number) if _applies(index, fault)),
            settings=index.settings("", service.name, port.number, None),
            longest_idle_ns=_longest_idle(index, service, port),
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
                    external=_enforced(external),
                    rules=rules_by_caller(index, callee, number),
                    settings=index.settings(workload.name, callee, number, None),
                    faults=tuple(
                        fault
                        for fault in index.faults_of(callee, number)
                        if includes(fault.callers, workload.spiffe_id)
                    ),
                )
            )
        elif (port := index.port_of(callee, number)) is not None:
            services.append(_outbound_service(index, workload, index.services[callee], port))
    objective = None if service is None else index.objectives.get(service.name)
    return WorkloadSlice(
        trust_domain=index.mesh.trust_domain,
        namespaces=index.namespaces,
        workload=workload,
        inbound=inbound,
        services=tuple(services),
        externals=tuple(externals),
        settings=index.mesh.mesh_settings.effective(),
        latency_bounds_ns=() if objective is None else tuple(one.bound_ns for one in objective.latencies),
    )


def rules_by_caller(index: MeshIndex, callee: str, port: int) -> tuple[Rule, ...]:
    """Return the rules of one port, each with a condition `from` made into several: one for each part of its callers.

    Those parts keep the id, for they are one grant; no two of them are about one caller.
    """
    split: list[Rule] = []
    for rule in index.rules_of(callee, port):
        if not _applies(index, rule):
            continue
        condition = rule.match.condition
        if condition is None or not is_about_callers(condition):
            split.append(rule)
        else:
            split += [
                replace(rule, callers=callers, match=replace(rule.match, condition=rest))
                for callers, rest in split_by_caller(rule.callers, condition)
            ]
    return tuple(split)


def _applies(index: MeshIndex, part: Rule | Limit | Fault) -> bool:
    """Tell whether any caller can meet it: where mutual TLS is a must, what is said of plaintext is about nobody."""
    return not isinstance(part.callers, PlaintextCaller) or index.takes_plaintext(part.callee)


def match_by(caller: Workload, match: RequestMatch) -> RequestMatch | None:
    """Return what a match means of one caller's requests; None where it means none of them."""
    if match.condition is None or not is_about_callers(match.condition):
        return match
    rest = settled_for(match.condition, caller.spiffe_id)
    return None if rest is False else replace(match, condition=None if rest is True else rest)


def _enforced(callee: Callee) -> Callee:
    """Return a callee without its schema: sentences are held against it, calls are not."""
    return callee if callee.schema is None else replace(callee, schema=None)


def _outbound_service(index: MeshIndex, caller: Workload, service: Service, port: ServicePort) -> OutboundService:
    route = index.routes.get((service.name, port.number))
    rules = [
        OutboundRule(
            rule=rule if match is rule.match else replace(rule, match=match),
            destinations=rule.destinations,
            settings=_settings(index, caller, service, port, rule),
        )
        for rule in (route.rules if route else ())
        if (match := match_by(caller, rule.match)) is not None
    ]
    everywhere = Destination(service=service.name, version=None, weight=WHOLE)
    rules.append(
        OutboundRule(
            rule=None,
            destinations=(everywhere,),
            settings=_settings(index, caller, service, port, None),
        )
    )
    answers = any(outbound.rule is not None and outbound.rule.answer is not None for outbound in rules)
    return OutboundService(
        service=_enforced(service),
        workload=index.workloads[service.workload],
        port=port,
        rules=tuple(rules),
        guards=rules_by_caller(index, service.name, port.number) if answers else (),
        mirrors=tuple(
            _outbound_mirror(index, replace(mirror, match=match))
            for mirror in index.mirrors_of(service.name, port.number)
            if (match := match_by(caller, mirror.match)) is not None
        ),
    )


def _settings(
    index: MeshIndex, caller: Workload, service: Service, port: ServicePort, rule: RouteRule | None
) -> Settings:
    if rule is not None and rule.answer is not None:
        return NOTHING_STATED
    return index.settings(caller.name, service.name, port.number, rule)


def _longest_idle(index: MeshIndex, service: Service, port: ServicePort) -> int | None:
    stated = (
        index.settings(caller, service.name, port.number, None).idle_timeout_ns
        for caller in ("", *index.callers_with_settings(service.name, port.number))
    )
    return max((setting.value for setting in stated if setting is not None), default=None)


def _outbound_mirror(index: MeshIndex, mirror: Mirror) -> OutboundMirror:
    service = _enforced(index.services[mirror.target_service])
    port = next(port for port in service.ports if port.number == mirror.target_port)
    return OutboundMirror(mirror=mirror, service=service, workload=index.workloads[service.workload], port=port)
