"""Where externals may be: the addresses that a network policy opens for hosts it cannot name."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from meshc_backends.yaml_text import YamlValue
from meshc_compiler.ir.workload import External

_FAMILIES = ("0.0.0.0/0", "::/0")

_NEVER = ("127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4"), ("::1/128", "fe80::/10", "ff00::/8")
"""Loopback, multicast and link-local, where clouds serve a node's credentials (169.254.169.254); by family."""

_PRIVATE = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"), ("fc00::/7",)
"""Networks of one's own (RFC 1918, RFC 6598, RFC 4193), a cluster's pods among them; by family."""

_PRIVATE_SUFFIXES = (
    ".svc", ".local", ".internal", ".home.arpa", ".lan", ".corp", ".intranet", ".private", ".localdomain",
)  # fmt: skip
"""Ends of names that public DNS does not have; neither does it have names of one label."""


def blocks(external: External) -> Iterator[dict[str, YamlValue]]:
    """Yield the `ipBlock`s in which an external may be, some of them perhaps twice.

    An address is itself. A name is looked up when a call is made, so its addresses are not known here: it may be
    anywhere but in private networks, or, if public DNS cannot have the name, anywhere but at a node's own services.
    """
    for host in external.hosts:
        yield from blocks_of(host)


def blocks_of(host: str) -> Iterator[dict[str, YamlValue]]:
    """Yield the `ipBlock`s in which a host may be."""
    if address := literal_address(host):
        yield {"cidr": f"{address}/{address.max_prefixlen}"}
        return
    private = "." not in host or host.lower().endswith(_PRIVATE_SUFFIXES)
    for anywhere, never, own in zip(_FAMILIES, _NEVER, _PRIVATE, strict=True):
        yield {"cidr": anywhere, "except": sorted(never if private else (*never, *own))}


def literal_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host is, None where it is a name."""
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
