"""The bootstrap of one sidecar (`envoy.config.bootstrap.v3.Bootstrap`), read as a policy."""

from __future__ import annotations

import json

from meshc_backends.readback.envoy.cluster import socket_address, upstream
from meshc_backends.readback.envoy.connection import HCM, hosts_of
from meshc_backends.readback.envoy.fields import Message, items, known, text
from meshc_backends.readback.envoy.listener import LISTENER, chains_of, connection_side, filters_of, inbound_ports
from meshc_backends.readback.envoy.page import require_page
from meshc_backends.readback.envoy.strangers import hosts_refused
from meshc_backends.readback.language import Language
from meshc_backends.readback.policy import Inbound, Outbound, Policy, Upstream
from meshc_backends.readback.unread import UnreadError

_BOOTSTRAP = frozenset({"node", "admin", "overload_manager", "stats_config", "layered_runtime", "static_resources"})
_RESOURCES = frozenset({"listeners", "clusters"})
_RUNTIME = {"re2.max_program_size.error_level": 20_000}
"""The one runtime value that changes no meaning: how large an expression may be. By itself Envoy takes few."""


def read_bootstrap(content: bytes) -> Policy:
    """Return what the sidecar does.

    Raises:
        UnreadError: the file says something that is not known.
    """
    try:
        bootstrap = known(json.loads(content), "bootstrap", _BOOTSTRAP)
    except ValueError as error:
        raise UnreadError("bootstrap", f"a text that is no JSON ({error})") from error
    _require_no_runtime(bootstrap.get("layered_runtime", {}))
    _require_bounds(bootstrap.get("overload_manager", {}))
    resources = known(bootstrap.get("static_resources"), "static_resources", _RESOURCES)
    clusters: dict[str, Upstream] = {}
    for one in items(resources, "clusters", "static_resources"):
        name, behind = upstream(one)
        if name in clusters:
            raise UnreadError(f"cluster {name}", "a name that is given twice")
        clusters[name] = behind
    admin = socket_address(known(bootstrap.get("admin"), "admin", frozenset({"address"})).get("address"), "admin")
    reading = _Reading(clusters, admin)
    for one in items(resources, "listeners", "static_resources"):
        listener = known(one, "listener", LISTENER)
        reading.take(listener, f"listener {text(listener, 'name', 'listener')}")
    return reading.policy()


class _Reading:
    """Listeners taken one by one."""

    def __init__(self, clusters: dict[str, Upstream], admin: tuple[str, int]) -> None:
        self.clusters = clusters
        self.listens = {"admin": admin}
        self.inbound: tuple[Inbound, ...] = ()
        self.hosts: dict[str, Outbound] = {}
        self.connections: dict[tuple[str, int], Outbound] = {}
        self.strangers: Language | None = None

    def take(self, listener: Message, place: str) -> None:
        name = text(listener, "name", place)
        address = socket_address(listener.get("address"), place)
        chains = chains_of(listener, place)
        if listener.get("ignore_global_conn_limit"):
            require_page(listener, place, self.clusters, self.listens["admin"])
            self.listens[name] = address
        elif any("transport_socket" in chain or "filter_chain_match" in chain for chain in chains):
            if self.inbound:
                raise UnreadError(place, "a second listener for peers")
            self.inbound = inbound_ports(listener, place, self.clusters)
            self.listens["inbound"] = address
        elif len(chains) != 1 or "listener_filters" in listener:
            raise UnreadError(place, "several chains for the workload's own calls")
        else:
            self.take_calls(chains[0], place, address)

    def take_calls(self, chain: Message, place: str, address: tuple[str, int]) -> None:
        filters = filters_of(chain, place)
        if len(filters) != 1:
            raise UnreadError(place, "several filters for the workload's own calls")
        ((kind, _, config),) = filters
        if kind != HCM:
            side = connection_side(kind, config, place, self.clusters, ())
            self.connections[address] = Outbound(name=place, side=side)
            return
        if "outbound" in self.listens:
            raise UnreadError(place, "a second listener for calls by `Host`")
        self.listens["outbound"] = address
        hosts, others = hosts_of(config, place, self.clusters, None)
        for host in hosts:
            outbound = Outbound(name=host.name, side=host.side)
            for domain in host.domains:
                # Envoy compares names in lower case, and takes none twice.
                if domain.lower() in self.hosts:
                    raise UnreadError(place, f"the `Host` `{domain}`, given twice")
                self.hosts[domain.lower()] = outbound
        if others is not None:
            self.strangers = hosts_refused(others, place)

    def policy(self) -> Policy:
        return Policy(
            inbound=self.inbound,
            hosts=self.hosts,
            connections=self.connections,
            listens=self.listens,
            strangers=self.strangers,
        )


def _require_no_runtime(message: object) -> None:
    stated: Message = {}
    for layer in items(known(message, "layered_runtime", frozenset({"layers"})), "layers", "layered_runtime"):
        static = known(layer, "layered_runtime", frozenset({"name", "static_layer"})).get("static_layer", {})
        stated |= known(static, "layered_runtime", frozenset(_RUNTIME))
    if stated != _RUNTIME:
        raise UnreadError("layered_runtime", "another size of expressions than is documented")


_MONITORS = [
    {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": {
            "@type": "type.googleapis.com/"
            "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            "max_active_downstream_connections": 50_000,
        },
    }
]


def _require_bounds(message: object) -> None:
    """Fail on any other bound than that of all connections, as documented."""
    if known(message, "overload_manager", frozenset({"resource_monitors"})) != {"resource_monitors": _MONITORS}:
        raise UnreadError("overload_manager", "another bound than that of connections")
