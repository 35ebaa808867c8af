"""Two programs laid side by side: who is the same caller in both, and which port of a callee is which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from meshc_compiler.ir.caller import AnyCaller, Callers, PlaintextCaller, TheseCallers
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import AllOf, AnyOf, CallerIn, Condition, Not, RequestMatch
from meshc_compiler.ir.mesh import Mesh, MeshIndex
from meshc_compiler.ir.workload import ServicePort

Renamed = Callable[[SpiffeId], SpiffeId]
PortPair = tuple[ServicePort | None, ServicePort | None]
"""A port in the old program and in the new one; None where there is none."""


def aligned(old: MeshIndex, new: MeshIndex) -> MeshIndex:
    """Return the old program with the identities of the new one.

    A workload that kept its name is the same caller even if its SPIFFE ID is another: that is told once, as a change of
    its identity, and not as one of every request that it makes. So is another trust domain.
    """
    domain = new.mesh.trust_domain
    moved: dict[SpiffeId, SpiffeId] = {}
    for name, workload in old.workloads.items():
        kept = new.workloads.get(name)
        if kept is not None and kept.spiffe_id != workload.spiffe_id:
            moved[workload.spiffe_id] = kept.spiffe_id
    if not moved and old.mesh.trust_domain == domain:
        return old
    taken = frozenset(moved.values())

    def renamed(identity: SpiffeId) -> SpiffeId:
        if identity in moved:
            return moved[identity]
        here = SpiffeId(domain, identity.path) if identity.trust_domain == old.mesh.trust_domain else identity
        # Whoever had the identity that a kept workload has now is somebody else.
        return SpiffeId(here.trust_domain, f"{here.path}/before") if here in taken else here

    return MeshIndex(_renamed_mesh(old.mesh, domain, renamed))


def _renamed_mesh(mesh: Mesh, domain: str, renamed: Renamed) -> Mesh:
    def match_of(match: RequestMatch) -> RequestMatch:
        return match if match.condition is None else replace(match, condition=_condition(match.condition, renamed))

    routes = tuple(
        replace(route, rules=tuple(replace(rule, match=match_of(rule.match)) for rule in route.rules))
        for route in mesh.routes
    )
    return replace(
        mesh,
        trust_domain=domain,
        workloads=tuple(replace(one, spiffe_id=renamed(one.spiffe_id)) for one in mesh.workloads),
        rules=tuple(
            replace(one, callers=_callers(one.callers, renamed), match=match_of(one.match)) for one in mesh.rules
        ),
        limits=tuple(replace(one, callers=_callers(one.callers, renamed)) for one in mesh.limits),
        faults=tuple(replace(one, callers=_callers(one.callers, renamed)) for one in mesh.faults),
        mirrors=tuple(replace(one, match=match_of(one.match)) for one in mesh.mirrors),
        routes=routes,
    )


def _callers(callers: Callers, renamed: Renamed) -> Callers:
    match callers:
        case AnyCaller(besides):
            return AnyCaller(tuple(sorted(map(renamed, besides))))
        case TheseCallers(ids):
            return TheseCallers(tuple(sorted(map(renamed, ids))))
        case PlaintextCaller():
            return callers
        case _:
            assert_never(callers)


def _condition(condition: Condition, renamed: Renamed) -> Condition:
    match condition:
        case CallerIn(callers, text):
            return CallerIn(_callers(callers, renamed), text)
        case AllOf(operands):
            return AllOf(tuple(_condition(one, renamed) for one in operands))
        case AnyOf(operands):
            return AnyOf(tuple(_condition(one, renamed) for one in operands))
        case Not(operand):
            return Not(_condition(operand, renamed))
        case _:
            return condition


def ports_of(index: MeshIndex, callee: str) -> tuple[ServicePort, ...]:
    """Return the ports of a service or an external; none, if there is no such callee."""
    external, service = index.externals.get(callee), index.services.get(callee)
    return (external.port,) if external is not None else service.ports if service is not None else ()


def port_pairs(old: tuple[ServicePort, ...], new: tuple[ServicePort, ...]) -> tuple[PortPair, ...]:
    """Return which port is which: by name, which is how requests mean them, then the only ones, then by number.

    Ports of which one shows requests and the other does not are not the same.
    """
    pairs: list[PortPair] = []
    left, right = list(old), list(new)

    def join(same: Callable[[ServicePort, ServicePort], bool]) -> None:
        for one in tuple(left):
            other = next((two for two in right if same(one, two)), None)
            if other is not None and one.protocol.is_http is other.protocol.is_http:
                left.remove(one)
                right.remove(other)
                pairs.append((one, other))

    join(lambda one, two: one.name == two.name)
    if len(old) == len(new) == 1:
        join(lambda _, __: True)
    join(lambda one, two: one.number == two.number)
    return (*pairs, *((one, None) for one in left), *((None, two) for two in right))
