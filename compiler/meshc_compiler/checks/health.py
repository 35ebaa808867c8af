"""Health checks: that callers may make them. They ask as the callers that they are."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.evaluate import evaluate
from meshc_compiler.ir.caller import AnyCaller, TheseCallers
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import AllOf, AnyOf, CallerIn, Condition, Not
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect
from meshc_compiler.ir.workload import HealthCheck, Protocol, Service
from meshc_lang.codes import settings
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.request import Request

_STANDARD_RPC = "/grpc.health.v1.Health/Check"


def check_health(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find callers that may call a service and are refused its health: to them no instance would ever be well."""
    for service in subject.mesh.services:
        health = service.health
        if health is None or health.origin is None:
            continue
        for caller in _callers(subject.index, service):
            request = _asking(service, health, caller)
            if evaluate(subject.index, request).allowed:
                continue
            what = request.text.partition(" -> ")[2]
            yield Diagnostic(
                code=settings.HEALTH_CHECK_DENIED,
                message=f"`{caller}` may call `{service.name}` and not ask for its health",
                primary=health.origin,
                witness=request,
                help=f"allow it to every caller, for example `allow any -> {_grant(what)}`",
                subject=f"health {service.name}",
            )
            break


def _grant(request: str) -> str:
    callee, _, rest = request.partition(" ")
    return f"{callee} : {rest}"


def _asking(service: Service, health: HealthCheck, caller: str) -> Request:
    """Return the call that a health check is."""
    port = next(port for port in service.ports if port.number == health.port)
    if not port.protocol.is_http:
        return Request(caller=caller, callee=service.name, port=port.name, protocol="tcp", method="", path="/")
    if port.protocol is Protocol.GRPC:
        return Request(
            caller=caller, callee=service.name, port=port.name, protocol="rpc", method="POST", path=_STANDARD_RPC
        )
    return Request(caller=caller, callee=service.name, port=port.name, path=health.path or "/")


def _callers(index: MeshIndex, service: Service) -> list[str]:
    """Return the declared callers that an allow lets call the service; of those that no rule names, one."""
    named: set[SpiffeId] = set()
    allowed: set[SpiffeId] = set()
    anybody = False
    for port in service.ports:
        for rule in index.rules_of(service.name, port.number):
            ids = rule.callers.ids if isinstance(rule.callers, TheseCallers) else ()
            named.update(ids, _named_in(rule.match.condition))
            if rule.effect is Effect.ALLOW:
                allowed.update(ids)
                anybody |= isinstance(rule.callers, AnyCaller)
    workloads = index.workloads_by_id
    if anybody:
        other = next((one for one in workloads if one not in named), None)
        allowed.update(named, () if other is None else (other,))
    return sorted(workloads[one].name for one in allowed if one in workloads)


def _named_in(condition: Condition | None) -> set[SpiffeId]:
    """Return the callers that a condition tells from others."""
    match condition:
        case CallerIn(callers=TheseCallers(ids)):
            return set(ids)
        case AllOf(operands) | AnyOf(operands):
            return {one for operand in operands for one in _named_in(operand)}
        case Not(operand):
            return _named_in(operand)
        case _:
            return set()
