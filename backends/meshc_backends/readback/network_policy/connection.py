"""Connections as a network policy tells them apart: ports of TCP, UDP and SCTP, in one canonical form."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from meshc_backends.readback.network_policy.interval import Intervals, difference, intersection, intervals, union
from meshc_lang.record import dataclass

PROTOCOLS = ("TCP", "UDP", "SCTP")
"""The protocols of `NetworkPolicyPort.protocol`; where none is stated it is the first."""

PORTS: Intervals = ((1, 65535),)
"""Every port."""


@dataclass(frozen=True, slots=True)
class ConnectionSet:
    """The ports of each protocol, in the order of `PROTOCOLS`; equal sets are equal values."""

    ports: tuple[Intervals, Intervals, Intervals] = ((), (), ())

    def __bool__(self) -> bool:
        """Whether any connection is in it."""
        return any(self.ports)

    def __or__(self, other: ConnectionSet) -> ConnectionSet:
        return self._with(other, union)

    def __and__(self, other: ConnectionSet) -> ConnectionSet:
        return self._with(other, intersection)

    def __sub__(self, other: ConnectionSet) -> ConnectionSet:
        return self._with(other, difference)

    def _with(self, other: ConnectionSet, combine: Callable[[Intervals, Intervals], Intervals]) -> ConnectionSet:
        (a, b, c), (d, e, f) = self.ports, other.ports
        return ConnectionSet((combine(a, d), combine(b, e), combine(c, f)))

    def __contains__(self, connection: tuple[str, int]) -> bool:
        """Whether one port of a protocol is in it."""
        protocol, port = connection
        return any(low <= port <= high for low, high in self.ports[PROTOCOLS.index(protocol)])

    def __str__(self) -> str:
        """Return it as people read it: `TCP 80,8080-8090,UDP 53`."""
        if self == EVERYTHING:
            return "all connections"
        words = [
            f"{protocol} " + ",".join(str(low) if low == high else f"{low}-{high}" for low, high in ports)
            for protocol, ports in sorted(zip(PROTOCOLS, self.ports, strict=True))
            if ports
        ]
        return ",".join(words) or "no connections"


NOTHING = ConnectionSet()
"""No connection."""

EVERYTHING = ConnectionSet((PORTS, PORTS, PORTS))
"""Every connection."""


def connections(ranges: Iterable[tuple[str, int, int]]) -> ConnectionSet:
    """Return the set of ranges of ports, each with its protocol."""
    found: dict[str, list[tuple[int, int]]] = {protocol: [] for protocol in PROTOCOLS}
    for protocol, low, high in ranges:
        found[protocol].append((max(low, 1), min(high, 65535)))
    tcp, udp, sctp = (intervals(found[protocol]) for protocol in PROTOCOLS)
    return ConnectionSet((tcp, udp, sctp))
