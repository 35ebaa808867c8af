"""A request for what is declared otherwise: one that the program allows, to the callee or by the caller."""

from __future__ import annotations

from meshc_compiler.diff.alignment import ports_of
from meshc_compiler.ir.caller import TheseCallers
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.workload import ServicePort
from meshc_compiler.space.callee_space import CalleeSpace
from meshc_compiler.space.request_space import Witness
from meshc_lang.request import Request


class Illustrations:
    """Requests that one program allows, looked for once for each name."""

    def __init__(self, index: MeshIndex) -> None:
        self._index = index
        self._found: dict[str, Request | None] = {}

    def about(self, name: str) -> Request | None:
        """Return a request to a service or an external, or else one that the workload makes, if any is allowed."""
        if name not in self._found:
            self._found[name] = self._called(name) or self._calling(name)
        return self._found[name]

    def _called(self, name: str) -> Request | None:
        for port in ports_of(self._index, name):
            space = CalleeSpace(self._index, name, port)
            found = space.example(space.allowed)
            if isinstance(found, Witness):
                return space.request(found)
        return None

    def _calling(self, name: str) -> Request | None:
        workload = self._index.workloads.get(name)
        if workload is None:
            return None
        for callee, number in self._index.callees_of(workload.spiffe_id):
            port: ServicePort | None = self._index.port_of(callee, number)
            if port is None:
                continue
            space = CalleeSpace(self._index, callee, port)
            if not space.callers.is_named(workload.spiffe_id):
                continue
            own = space.requests_of((RequestMatch(),), space.callers.mask(TheseCallers((workload.spiffe_id,))))
            found = space.example(space.shared(space.allowed, own))
            if isinstance(found, Witness):
                return space.request(found)
        return None
