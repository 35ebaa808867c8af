"""How many of the classes of a mesh its tests exercise, and which they leave out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshc_compiler.coverage.decision_class import DecisionClass, Membership
from meshc_compiler.coverage.port_classes import PortClasses
from meshc_compiler.evaluate import Decision, port_of
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.workload import ServicePort
from meshc_lang.record import dataclass

PortKey = tuple[str, int]
"""A callee and the number of one of its ports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassCoverage:
    """One class, and whether some test's request is of it."""

    member: DecisionClass
    covered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PortCoverage:
    """The classes of one port of a callee."""

    callee: str
    port: ServicePort
    classes: tuple[ClassCoverage, ...]

    @property
    def covered(self) -> int:
        """How many of them some test exercises."""
        return sum(one.covered for one in self.classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The classes of a whole mesh, port by port, in the order of the callees' names."""

    ports: tuple[PortCoverage, ...]

    @property
    def classes(self) -> tuple[ClassCoverage, ...]:
        """All of them."""
        return tuple(one for port in self.ports for one in port.classes)

    @property
    def covered(self) -> int:
        """How many some test exercises."""
        return sum(port.covered for port in self.ports)

    @property
    def undecided(self) -> int:
        """How many may be empty; they count as not exercised."""
        return sum(one.member.undecided for one in self.classes)

    @property
    def missing(self) -> tuple[DecisionClass, ...]:
        """Those that no test exercises and of which a request is known."""
        return tuple(one.member for one in self.classes if not one.covered and not one.member.undecided)

    @property
    def percent(self) -> float:
        """The share that is exercised; all of nothing is 100."""
        total = len(self.classes)
        return 100.0 if total == 0 else 100.0 * self.covered / total


def measure(index: MeshIndex, decisions: Iterable[Decision]) -> Coverage:
    """Return what of a mesh the requests of these decisions exercise."""
    asked: dict[PortKey, list[Decision]] = {}
    for decision in decisions:
        port = port_of(index, decision.request)
        if port is not None:
            asked.setdefault((decision.request.callee, port.number), []).append(decision)
    return Coverage(ports=tuple(_measure_port(index, *one, asked) for one in ports_of(index)))


def ports_of(index: MeshIndex) -> Iterator[tuple[str, ServicePort]]:
    """Yield every port that can be called, by callee."""
    for name in sorted((*index.services, *index.externals)):
        external = index.externals.get(name)
        for port in index.services[name].ports if external is None else (external.port,):
            yield name, port


def _measure_port(
    index: MeshIndex, callee: str, port: ServicePort, asked: dict[PortKey, list[Decision]]
) -> PortCoverage:
    decisions = asked.get((callee, port.number), [])
    membership = Membership(index, callee, port.number)
    classes = tuple(
        ClassCoverage(
            member=one,
            covered=any(membership.sharpness(one.sentence, decision) is one.sharpness for decision in decisions),
        )
        for one in PortClasses(index, callee, port, decisions)
    )
    return PortCoverage(callee=callee, port=port, classes=classes)
