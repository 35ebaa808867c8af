"""A mesh in which one port is ruled otherwise: what would become of a request then."""

from __future__ import annotations

from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Limit, Rule
from meshc_compiler.ir.route import Route
from meshc_compiler.ir.traffic import Fault, Mirror


class PortVariant(MeshIndex):
    """The look-ups of a mesh with other rules, limits or another route at one port; what is not given stays.

    It costs nothing to make, and answers for requests to that port alone: `mesh` is still the whole one.
    """

    def __init__(
        self,
        index: MeshIndex,
        callee: str,
        port: int,
        *,
        rules: tuple[Rule, ...] | None = None,
        route: Route | None = None,
        limits: tuple[Limit, ...] | None = None,
        mirrors: tuple[Mirror, ...] | None = None,
        faults: tuple[Fault, ...] | None = None,
    ) -> None:
        self.__dict__.update(index.__dict__)
        self._rules = index.rules_of(callee, port) if rules is None else rules
        self._limits = index.limits_of(callee, port) if limits is None else limits
        self._shadows = index.mirrors_of(callee, port) if mirrors is None else mirrors
        self._mishaps = index.faults_of(callee, port) if faults is None else faults
        if route is not None:
            self.routes = {(callee, port): route}

    def rules_of(self, callee: str, port: int) -> tuple[Rule, ...]:
        """Return the rules of the port."""
        del callee, port
        return self._rules

    def limits_of(self, callee: str, port: int) -> tuple[Limit, ...]:
        """Return the limits of the port."""
        del callee, port
        return self._limits

    def mirrors_of(self, service: str, port: int) -> tuple[Mirror, ...]:
        """Return the mirrors of the port."""
        del service, port
        return self._shadows

    def faults_of(self, callee: str, port: int) -> tuple[Fault, ...]:
        """Return the faults of the port."""
        del callee, port
        return self._mishaps
