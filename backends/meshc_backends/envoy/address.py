"""Socket addresses and endpoints (`envoy.config.core.v3.Address`, `envoy.config.endpoint.v3`)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from meshc_backends.envoy.message import Message
from meshc_backends.placement import Address


def socket_address(address: Address) -> Message:
    """Return a TCP address; a host name in it is resolved by DNS."""
    return {"socket_address": {"address": address.host, "port_value": address.port}}


def is_ip(host: str) -> bool:
    """Tell whether the host is an IP address, for which nothing needs resolving."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def discovery_type(addresses: Iterable[Address]) -> str:
    """Return the cluster's discovery type: STATIC for IP addresses alone, else all that DNS answers (STRICT_DNS)."""
    return "STATIC" if all(is_ip(address.host) for address in addresses) else "STRICT_DNS"


def load_assignment(cluster: str, addresses: Iterable[Address]) -> Message:
    """Return the endpoints of a cluster, all alike (`ClusterLoadAssignment`)."""
    return {
        "cluster_name": cluster,
        "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": socket_address(address)}} for address in addresses]},
        ],
    }
