"""Ports whose protocol Envoy cannot look into: whole connections (`envoy.extensions.filters.network.tcp_proxy.v3`).

A connection has a caller and nothing else that a rule could speak of. Envoy's network filters decide when the first
bytes come, so the workload behind them is not connected to before then: it would otherwise see, and greet, callers who
are not let in.
"""

from __future__ import annotations

from meshc_backends.envoy import names
from meshc_backends.envoy.access_log import tcp_inbound_access_log, tcp_outbound_access_log
from meshc_backends.envoy.address import socket_address
from meshc_backends.envoy.message import Message, typed
from meshc_backends.envoy.rbac import network_rbac_filter
from meshc_backends.placement import Address
from meshc_compiler.ir.policy import Effect
from meshc_compiler.ir.slice import InboundPort, OutboundService
from meshc_compiler.ir.workload import Workload

TCP_IDLE = "3600s"
"""How long a connection may carry nothing in either direction before it is closed, as for HTTP connections."""

FIRST_BYTES_AT_MOST = 16_384
"""How much is read of a connection before the workload has taken it."""


def inbound_tcp_filters(inbound: InboundPort, trust_domain: str) -> list[Message]:
    """Return the filters before a port of the workload, in the order in which they are asked: deny, allow, pass on."""
    proxy = _tcp_proxy(
        names.inbound_stat_prefix(inbound.port),
        names.application_cluster(inbound.port),
        tcp_inbound_access_log(inbound.service, inbound.port),
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
    proxy = _tcp_proxy(
        name.replace(":", "_").replace(" ", "_"),
        names.service_cluster(callee.service, callee.port, None, None),
        tcp_outbound_access_log(caller, callee.service, callee.port),
    )
    return {"name": name, "address": socket_address(address), "filter_chains": [{"filters": [proxy]}]}


def _tcp_proxy(stat_prefix: str, cluster: str, access_log: list[Message], **more: str | int) -> Message:
    return {
        "name": "tcp",
        "typed_config": typed(
            "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            stat_prefix=stat_prefix,
            cluster=cluster,
            idle_timeout=TCP_IDLE,
            **more,
            access_log=access_log,
        ),
    }
