"""Ports whose protocol Envoy cannot look into: whole connections (`envoy.extensions.filters.network.tcp_proxy.v3`).

A connection has a caller and nothing else that a rule could speak of. Envoy's network filters decide when the first
bytes come, so the workload behind them is not connected to before then: it would otherwise see, and greet, callers who
are not let in.
"""

from __future__ import annotations

from typing import Any

from meshc_backends.envoy import names
from meshc_backends.envoy.access_log import tcp_inbound_access_log, tcp_outbound_access_log
from meshc_backends.envoy.address import socket_address
from meshc_backends.envoy.cluster_terms import ClusterTerms, cluster_terms
from meshc_backends.envoy.message import Message, duration, typed
from meshc_backends.envoy.rbac import network_rbac_filter
from meshc_backends.measured import inbound_stat_prefix
from meshc_backends.placement import Address
from meshc_compiler.ir.policy import Effect
from meshc_compiler.ir.setting import BalancePolicy
from meshc_compiler.ir.slice import InboundPort, OutboundService
from meshc_compiler.ir.workload import Workload

TCP_IDLE_NS = 3_600_000_000_000
TCP_IDLE = duration(TCP_IDLE_NS)
"""How long a connection may carry nothing in either direction before it is closed, as for HTTP connections."""

FIRST_BYTES_AT_MOST = 16_384
"""How much is read of a connection before the workload has taken it."""


def inbound_tcp_filters(inbound: InboundPort, trust_domain: str) -> list[Message]:
    """Return the filters before a port of the workload, in the order in which they are asked: deny, allow, pass on."""
    proxy = _tcp_proxy(
        inbound_stat_prefix(inbound.service, inbound.port),
        names.application_cluster(inbound.port),
        tcp_inbound_access_log(inbound.service, inbound.port),
        # The callers' sidecars end what is unused; this one must not do so before them.
        idle=duration(max(TCP_IDLE_NS, inbound.longest_idle_ns or 0)),
        upstream_connect_mode="ON_DOWNSTREAM_DATA",
        max_early_data_bytes=FIRST_BYTES_AT_MOST,
    )
    return [
        network_rbac_filter(Effect.DENY, inbound.rules, trust_domain),
        network_rbac_filter(Effect.ALLOW, inbound.rules, trust_domain),
        proxy,
    ]


def outbound_tcp_listener(callee: OutboundService, caller: Workload, address: Address) -> Message:
    """Return the listener that takes the workload's own connections to one port of a callee."""
    name = names.outbound_tcp_listener(callee.service, callee.port)
    terms = connection_terms(callee)
    proxy = _tcp_proxy(
        name.replace(":", "_").replace(" ", "_"),
        names.service_cluster(callee.service, callee.port, None, terms),
        tcp_outbound_access_log(caller, callee.service, callee.port),
        idle=TCP_IDLE if terms.idle_timeout_ns is None else duration(terms.idle_timeout_ns),
        # Of what connections have, only the address they come from can be hashed.
        **({"hash_policy": [{"source_ip": {}}]} if terms.balance is BalancePolicy.RING_HASH else {}),
    )
    return {"name": name, "address": socket_address(address), "filter_chains": [{"filters": [proxy]}]}


def connection_terms(callee: OutboundService) -> ClusterTerms:
    """Return the terms on which the callee is connected to; without routes they are the same for all connections."""
    return cluster_terms(callee.rules[-1].settings.of_connections())


def _tcp_proxy(stat_prefix: str, cluster: str, access_log: list[Message], *, idle: str, **more: Any) -> Message:
    return {
        "name": "tcp",
        "typed_config": typed(
            "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            stat_prefix=stat_prefix,
            cluster=cluster,
            idle_timeout=idle,
            **more,
            access_log=access_log,
        ),
    }
