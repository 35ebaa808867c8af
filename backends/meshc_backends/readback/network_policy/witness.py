"""Requests that show what a difference means to somebody who calls."""

from __future__ import annotations

from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.workload import Protocol, Workload
from meshc_compiler.space.callee_space import CalleeSpace
from meshc_compiler.space.request_space import Witness
from meshc_lang.request import Request


def allowed_request(index: MeshIndex, caller: Workload, callee: str) -> Request:
    """Return a request that the program allows; where denies leave none that is found, one to a port that it opens."""
    numbers = [number for name, number in index.callees_of(caller.spiffe_id) if name == callee]
    for number in numbers:
        if (port := index.port_of(callee, number)) is None:
            continue
        space = CalleeSpace(index, callee, port)
        own = space.requests_of((RequestMatch(),), space.mask_within({caller.spiffe_id}))
        found = space.example(space.shared(space.allowed, own))
        if isinstance(found, Witness):
            return space.request(found, among={caller.spiffe_id})
    return any_request(index, caller.name, callee, numbers[0] if numbers else None)


def any_request(index: MeshIndex, caller: str, callee: str, number: int | None = None) -> Request:
    """Return the plainest request to a port of a callee, its first where none is named."""
    service, external = index.services.get(callee), index.externals.get(callee)
    ports = service.ports if service is not None else (external.port,) if external is not None else ()
    port = next((one for one in ports if number in (None, one.number)), None)
    name = port.name if port is not None and len(ports) > 1 else None
    if port is None or port.protocol in (Protocol.TCP, Protocol.TLS):
        return Request(caller=caller, callee=callee, port=name, protocol="tcp")
    if port.protocol is Protocol.GRPC:
        path = "/grpc.health.v1.Health/Check"
        return Request(caller=caller, callee=callee, port=name, protocol="rpc", method="POST", path=path)
    return Request(caller=caller, callee=callee, port=name)
