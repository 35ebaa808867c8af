"""The connections that a program needs: what is left of its allows where only pods, addresses and ports are seen."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from meshc_backends.placement import Placement
from meshc_backends.readback.network_policy.address import EVERYWHERE, AddressSet, networks
from meshc_backends.readback.network_policy.connection import NOTHING, ConnectionSet, connections
from meshc_compiler.ir.mesh import INGRESS, MeshIndex
from meshc_compiler.ir.workload import Workload
from meshc_lang.record import dataclass

_PRIVATE = networks(["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"])
"""Networks of one's own: RFC 1918, RFC 6598, RFC 4193."""

_NODE = networks(["127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "::1/128", "fe80::/10", "ff00::/8"])
"""Loopback, link-local and multicast: no external is there, but a cloud's credentials for the node are."""

_SPECIAL = networks(
    [
        "0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
        "203.0.113.0/24", "240.0.0.0/4", "::/128", "::ffff:0:0/96", "64:ff9b:1::/48", "100::/64", "2001::/23",
        "2001:db8::/32", "2002::/16", "5f00::/16",
    ]
)  # fmt: skip
"""What else no public name means (IANA special-purpose address registries, RFC 6890)."""

_PUBLIC = EVERYWHERE - _PRIVATE - _NODE - _SPECIAL

_LOCAL_ENDS = (".svc", ".svc.cluster.local", ".local", ".internal", ".home.arpa")
"""Ends of names that public DNS does not have: Kubernetes, RFC 6762, ICANN's `.internal`, RFC 8375."""

_HABITUAL_ENDS = (".corp", ".home", ".intranet", ".lan", ".localdomain", ".private")
"""Ends of names that many networks use for themselves, though nothing keeps them apart (RFC 6762 appendix G)."""

COLLECTOR = "the collector of traces"
"""Who is told spans, in findings; no external has a name with spaces."""

DNS = connections([("TCP", 53, 53), ("UDP", 53, 53)])
"""Looking up names: over UDP, and over TCP where an answer is long (RFC 7766)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outward:
    """Addresses outside the cluster to which a workload needs one TCP port: these at least, and those at most.

    `names` are the externals that are there, and `COLLECTOR` where spans are sent to that port.
    """

    port: int
    least: AddressSet
    most: AddressSet
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What one workload needs to connect to.

    `callees` are workloads by name, each with the ports of its sidecar. `world` are the ports at which the pods take
    connections from anywhere. `looks_up` is whether it calls anything by name, `calls` whether it calls at all.
    """

    callees: dict[str, ConnectionSet]
    outward: tuple[Outward, ...]
    looks_up: bool
    calls: bool
    world: ConnectionSet = NOTHING


def needed(index: MeshIndex, placement: Placement, workload: Workload) -> Needed:
    """Return what a workload needs: its share of the allows, and for the gateway its door to the world."""
    callees: dict[str, ConnectionSet] = {}
    hosts: dict[int, dict[str, str]] = {}
    for name, _ in index.callees_of(workload.spiffe_id):
        if service := index.services.get(name):
            callee = index.workloads[service.workload]
            callees[callee.name] = tcp(placement.listeners(callee).inbound.port)
        elif external := index.externals.get(name):
            for host in external.hosts:
                hosts.setdefault(external.port.number, {}).setdefault(host, external.name)
    calls = bool(callees or hosts)
    if (endpoint := index.mesh.mesh_settings.effective().trace_endpoint) is not None:
        # The sidecar itself sends spans there, by name or address, whoever its workload calls.
        host, _, port = endpoint.value.rpartition(":")
        hosts.setdefault(int(port), {}).setdefault(host.strip("[]"), COLLECTOR)
    named = any(_address(host) is None for found in hosts.values() for host in found)
    return Needed(
        callees=callees,
        outward=tuple(_outward(port, found) for port, found in sorted(hosts.items())),
        looks_up=bool(callees) or named,
        calls=calls or named,
        world=tcp(placement.listeners(workload).outbound.port) if workload.name == INGRESS else NOTHING,
    )


def tcp(port: int) -> ConnectionSet:
    """Return one port of TCP."""
    return connections([("TCP", port, port)])


def _outward(port: int, hosts: Mapping[str, str]) -> Outward:
    least, most = AddressSet(), AddressSet()
    for host in hosts:
        if (literal := _address(host)) is not None:
            own = networks([str(literal)])
            least, most = least | own, most | own
        elif "." not in host or host.lower().endswith(_LOCAL_ENDS):
            least, most = least | _PUBLIC | _PRIVATE, most | (EVERYWHERE - _NODE)
        elif host.lower().endswith(_HABITUAL_ENDS):
            least, most = least | _PUBLIC, most | (EVERYWHERE - _NODE)
        else:
            least, most = least | _PUBLIC, most | (EVERYWHERE - _NODE - _PRIVATE)
    return Outward(port=port, least=least, most=most, names=tuple(dict.fromkeys(hosts.values())))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
