"""Addresses outside the cluster as canonical sets of ranges, IPv4 and IPv6 apart."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from meshc_backends.readback.network_policy.interval import Intervals, difference, intersection, intervals, union
from meshc_lang.record import dataclass

_HIGHEST = {4: 2**32 - 1, 6: 2**128 - 1}


@dataclass(frozen=True, slots=True)
class AddressSet:
    """Addresses of both families as numbers; equal sets are equal values."""

    v4: Intervals = ()
    v6: Intervals = ()

    def __bool__(self) -> bool:
        """Whether any address is in it."""
        return bool(self.v4 or self.v6)

    def __or__(self, other: AddressSet) -> AddressSet:
        return AddressSet(union(self.v4, other.v4), union(self.v6, other.v6))

    def __and__(self, other: AddressSet) -> AddressSet:
        return AddressSet(intersection(self.v4, other.v4), intersection(self.v6, other.v6))

    def __sub__(self, other: AddressSet) -> AddressSet:
        return AddressSet(difference(self.v4, other.v4), difference(self.v6, other.v6))

    def first(self) -> str | None:
        """Return the lowest address, IPv4 before IPv6, as text; None where there is none."""
        if self.v4:
            return str(ipaddress.IPv4Address(self.v4[0][0]))
        return str(ipaddress.IPv6Address(self.v6[0][0])) if self.v6 else None


EVERYWHERE = AddressSet(((0, _HIGHEST[4]),), ((0, _HIGHEST[6]),))
"""Every address."""


def networks(blocks: Iterable[str]) -> AddressSet:
    """Return the addresses of networks in CIDR notation; bits behind the prefix count for nothing.

    Raises:
        ValueError: a text is no network.
    """
    found: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
    for block in blocks:
        network = ipaddress.ip_network(block, strict=False)
        found[network.version].append((int(network.network_address), int(network.broadcast_address)))
    return AddressSet(intervals(found[4]), intervals(found[6]))
