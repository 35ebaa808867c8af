"""Listeners: where a sidecar is spoken to (`envoy.config.listener.v3.Listener`)."""

from __future__ import annotations

from collections.abc import Iterable

from meshc_backends.envoy import names
from meshc_backends.envoy.access_log import connection_log, inbound_access_log, outbound_access_log
from meshc_backends.envoy.address import socket_address
from meshc_backends.envoy.header_match import header_names
from meshc_backends.envoy.http_connection import http_connection
from meshc_backends.envoy.http_filters import ROUTER, inbound_filters, outbound_filters
from meshc_backends.envoy.message import Message, typed
from meshc_backends.envoy.rbac import one_identity_filter
from meshc_backends.envoy.route import header_settings
from meshc_backends.envoy.tcp import inbound_tcp_filters
from meshc_backends.envoy.transport_tls import HTTP_1, HTTP_2, downstream_tls
from meshc_backends.envoy.virtual_host import EVERY_HOST, application_host
from meshc_backends.measured import inbound_stat_prefix
from meshc_backends.placement import Address, server_name
from meshc_compiler.ir.mesh import INGRESS
from meshc_compiler.ir.slice import InboundPort, WorkloadSlice
from meshc_compiler.ir.workload import Protocol

HANDSHAKE_TIMEOUT = "10s"
"""How long a peer may take to say who it is."""


def inbound_listener(slice_: WorkloadSlice, address: Address, certificates: str) -> Message | None:
    """Return the listener for calls of the mesh; None if the workload serves no port.

    One port has a chain that takes every server name. With several, the name chooses the port, and a connection with
    another name, or none, finds no chain and is closed.
    """
    if not slice_.inbound:
        return None
    several = len(slice_.inbound) > 1
    listener: Message = {"name": "inbound", "address": socket_address(address)}
    if several:
        listener["listener_filters"] = [
            {
                "name": "tls_inspector",
                "typed_config": typed("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"),
            }
        ]
        listener["listener_filters_timeout"] = HANDSHAKE_TIMEOUT
    listener["filter_chains"] = [
        _inbound_chain(inbound, slice_.trust_domain, certificates, by_name=several) for inbound in slice_.inbound
    ]
    listener["access_log"] = connection_log()
    return listener


def _inbound_chain(inbound: InboundPort, trust_domain: str, certificates: str, *, by_name: bool) -> Message:
    chain: Message = {"name": f"{inbound.service.name}:{inbound.port.number}"}
    if by_name:
        chain["filter_chain_match"] = {"server_names": [server_name(inbound.service, inbound.port)]}
    http = inbound.port.protocol.is_http
    return {
        **chain,
        "transport_socket": downstream_tls(certificates, trust_domain, (HTTP_2, HTTP_1) if http else ()),
        "transport_socket_connect_timeout": HANDSHAKE_TIMEOUT,
        "filters": [
            one_identity_filter(trust_domain),
            *([_inbound_http(inbound, trust_domain)] if http else inbound_tcp_filters(inbound, trust_domain)),
        ],
    }


def _inbound_http(inbound: InboundPort, trust_domain: str) -> Message:
    looked_at = frozenset[str]().union(*(header_names(rule.match.condition) for rule in inbound.rules))
    limited = frozenset(limit.per_header for limit in inbound.limits if limit.per_header is not None)
    return http_connection(
        inbound_stat_prefix(inbound.service, inbound.port),
        [application_host(inbound)],
        inbound_filters(inbound, trust_domain),
        inbound_access_log(inbound.service, inbound.port),
        peers_identified=True,
        peers_trusted=True,
        websockets=inbound.port.protocol is Protocol.HTTP,
        header_names=looked_at | limited,
    )


def outbound_listener(slice_: WorkloadSlice, address: Address, virtual_hosts: Iterable[Message]) -> Message:
    """Return the listener for the workload's own calls; the gateway's is the mesh's front door, and trusts nobody."""
    looked_at = frozenset[str]().union(
        *(
            header_names(rule.rule.match.condition)
            for callee in slice_.services
            for rule in callee.rules
            if rule.rule is not None
        ),
        *(header_names(rule.match.condition) for callee in slice_.externals for rule in callee.rules),
        *(header_names(guard.match.condition) for callee in slice_.services for guard in callee.guards),
        *(header_names(one.mirror.match.condition) for callee in slice_.services for one in callee.mirrors),
        *(
            {header for _, header, _ in header_settings(settings)}
            for settings in (
                *(rule.settings for callee in slice_.services for rule in callee.rules),
                *(callee.settings for callee in slice_.externals),
            )
        ),
    )
    connection = http_connection(
        names.OUTBOUND_STAT_PREFIX,
        virtual_hosts,
        outbound_filters(slice_.trust_domain, [fault for callee in slice_.externals for fault in callee.faults]),
        outbound_access_log(slice_.workload),
        peers_identified=False,
        peers_trusted=slice_.workload.name != INGRESS,
        websockets=True,
        header_names=looked_at,
    )
    return {"name": "outbound", "address": socket_address(address), "filter_chains": [{"filters": [connection]}]}


def page_listener(name: str, address: Address, path: str, target: str) -> Message:
    """Return a listener that shows one page of Envoy's administration interface, read-only, and nothing else."""
    get: Message = {"name": ":method", "string_match": {"exact": "GET"}}
    return {
        "name": name,
        "address": socket_address(address),
        # Probes and metrics are answered when there are too many connections, too.
        "ignore_global_conn_limit": True,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "http",
                        "typed_config": typed(
                            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                            stat_prefix=name,
                            codec_type="HTTP1",
                            request_headers_timeout="10s",
                            http_filters=[ROUTER],
                            route_config={
                                "name": name,
                                "virtual_hosts": [
                                    {
                                        "name": name,
                                        "domains": [EVERY_HOST],
                                        "routes": [
                                            {
                                                "match": {"path": path, "headers": [get]},
                                                "route": {
                                                    "cluster": names.ADMIN_CLUSTER,
                                                    "prefix_rewrite": target,
                                                    "timeout": "10s",
                                                },
                                            }
                                        ],
                                    }
                                ],
                            },
                        ),
                    }
                ]
            }
        ],
    }
