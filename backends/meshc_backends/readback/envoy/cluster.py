"""Clusters (`envoy.config.cluster.v3.Cluster`): instances, and the terms on which they are called.

Where a cluster says nothing Envoy takes 5 s to connect, 1,024 connections, calls and waiting ones, 3 retries at once,
an hour for unused connections of HTTP, and calls ejected instances once half of them are out.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from meshc_backends.readback.envoy.fields import Message, fixed, items, known, nanoseconds, text, typed, whole
from meshc_backends.readback.envoy.tls import upstream_peer
from meshc_backends.readback.policy import Ejection, Health, Peer, Upstream
from meshc_backends.readback.unread import UnreadError

_FIELDS = frozenset(
    {
        "name", "type", "connect_timeout", "lb_policy", "dns_lookup_family", "respect_dns_ttl", "load_assignment",
        "typed_extension_protocol_options", "circuit_breakers", "outlier_detection", "common_lb_config",
        "transport_socket", "transport_socket_matches", "health_checks",
    }
)  # fmt: skip
_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_POLICIES = {
    "ROUND_ROBIN": "round-robin",
    "LEAST_REQUEST": "least-request",
    "RANDOM": "random",
    "RING_HASH": "ring-hash",
}
_TRAILERS = {"enable_trailers": True}
_HOUR_NS = 3_600_000_000_000
_SECOND_NS = 1_000_000_000
_UNLIMITED = 4_294_967_295


def upstream(message: object) -> tuple[str, Upstream]:
    """Return a cluster's name and what is behind it."""
    cluster = known(message, "cluster", _FIELDS)
    name = text(cluster, "name", "cluster")
    place = f"cluster {name}"
    fixed(cluster, place, dns_lookup_family="V4_PREFERRED", respect_dns_ttl=True)
    if cluster.get("type", "STATIC") not in {"STATIC", "STRICT_DNS"}:
        raise UnreadError(place, f"the type {cluster['type']!r}")
    addresses = _addresses(cluster.get("load_assignment", {}), place)
    if cluster.get("type", "STATIC") == "STATIC" and not all(_is_ip(host) for host, _ in addresses):
        raise UnreadError(place, "names of hosts that nothing looks up")
    policy = cluster.get("lb_policy", "ROUND_ROBIN")
    if policy not in _POLICIES:
        raise UnreadError(place, f"the policy {policy!r}")
    speaks, idle = _protocol(cluster.get("typed_extension_protocol_options"), place)
    socket = cluster.get("transport_socket")
    peer = None if socket is None else upstream_peer(socket, place)
    bounds = _thresholds(cluster.get("circuit_breakers", {}), place)
    ejection = _ejection(cluster.get("outlier_detection"), place)
    health = _health(cluster, place, peer)
    return name, Upstream(
        addresses=addresses,
        speaks=speaks,
        peer=peer,
        connect_timeout_ns=nanoseconds(cluster, "connect_timeout", place, 5 * _SECOND_NS),
        idle_timeout_ns=idle,
        max_connections=_bound(bounds, "max_connections", place, 1024),
        max_pending=_bound(bounds, "max_pending_requests", place, 1024),
        max_requests=_bound(bounds, "max_requests", place, 1024),
        max_retries=None if "retry_budget" in bounds else _bound(bounds, "max_retries", place, 3),
        retry_budget=_budget(bounds, place),
        ejection=ejection,
        balance=_POLICIES[policy],
        health=health,
        calls_unwell=(ejection is not None or health is not None) and _panics(cluster, place),
    )


@lru_cache(maxsize=4096)
def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _addresses(message: object, place: str) -> tuple[tuple[str, int], ...]:
    assignment = known(message, place, frozenset({"cluster_name", "endpoints"}))
    found = []
    for locality in items(assignment, "endpoints", place):
        for one in items(known(locality, place, frozenset({"lb_endpoints"})), "lb_endpoints", place):
            endpoint = known(one, place, frozenset({"endpoint"})).get("endpoint")
            found.append(socket_address(known(endpoint, place, frozenset({"address"})).get("address"), place))
    return tuple(found)


def socket_address(message: object, place: str) -> tuple[str, int]:
    """Return a TCP address."""
    address = known(message, place, frozenset({"socket_address"})).get("socket_address")
    socket = known(address, place, frozenset({"address", "port_value"}))
    return text(socket, "address", place), whole(socket, "port_value", place, 0)


def _protocol(message: object, place: str) -> tuple[str, int | None]:
    """Return what is spoken and how long an unused connection is kept; without options whole connections."""
    if message is None:
        return "tcp", None
    options = typed(
        known(message, place, frozenset({_OPTIONS})).get(_OPTIONS),
        _OPTIONS,
        place,
        frozenset({"@type", "common_http_protocol_options", "explicit_http_config"}),
    )
    common = known(options.get("common_http_protocol_options", {}), place, frozenset({"idle_timeout"}))
    explicit = known(
        options.get("explicit_http_config", {}), place, frozenset({"http_protocol_options", "http2_protocol_options"})
    )
    known(explicit.get("http2_protocol_options", {}), place, frozenset())
    if explicit.get("http_protocol_options", _TRAILERS) != _TRAILERS:
        raise UnreadError(place, "trailers that are not passed on")
    if len(explicit) != 1:
        raise UnreadError(place, "no one version of HTTP")
    speaks = "http2" if "http2_protocol_options" in explicit else "http1"
    return speaks, nanoseconds(common, "idle_timeout", place, _HOUR_NS)


def _thresholds(message: object, place: str) -> Message:
    """Return the bounds of calls of the usual priority: the first of them counts."""
    for one in items(known(message, place, frozenset({"thresholds"})), "thresholds", place):
        bounds = known(
            one,
            place,
            frozenset(
                {"priority", "max_connections", "max_pending_requests", "max_requests", "max_retries", "retry_budget"}
            ),
        )
        if bounds.get("priority", "DEFAULT") == "DEFAULT":
            return bounds
    return {}


def _bound(bounds: Message, field: str, place: str, default: int) -> int | None:
    value = whole(bounds, field, place, default)
    return None if value == _UNLIMITED else value


def _budget(bounds: Message, place: str) -> tuple[int, int] | None:
    if "retry_budget" not in bounds:
        return None
    budget = known(bounds["retry_budget"], place, frozenset({"budget_percent", "min_retry_concurrency"}))
    percent = known(budget.get("budget_percent", {"value": 20}), place, frozenset({"value"})).get("value", 0)
    return round(_number(percent, place) * 10_000), whole(budget, "min_retry_concurrency", place, 3)


def _number(value: object, place: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise UnreadError(place, f"a percentage of {value!r}")
    return value


def _ejection(message: object, place: str) -> Ejection | None:
    """Return when instances are ejected: by answers in a row alone, as nothing else is known here."""
    if message is None:
        return None
    outlier = known(
        message,
        place,
        frozenset(
            {
                "consecutive_5xx", "interval", "base_ejection_time", "max_ejection_percent",
                "enforcing_consecutive_5xx", "enforcing_success_rate", "enforcing_failure_percentage",
                "enforcing_consecutive_gateway_failure",
            }
        ),
    )  # fmt: skip
    others = (
        whole(outlier, "enforcing_success_rate", place, 100),
        whole(outlier, "enforcing_failure_percentage", place, 0),
        whole(outlier, "enforcing_consecutive_gateway_failure", place, 0),
    )
    if any(others) or whole(outlier, "enforcing_consecutive_5xx", place, 100) != 100:
        raise UnreadError(place, "ejection for other reasons than answers in a row, or for a share of those")
    return Ejection(
        in_a_row=whole(outlier, "consecutive_5xx", place, 5),
        eject_ns=nanoseconds(outlier, "base_ejection_time", place, 30 * _SECOND_NS) or 0,
        interval_ns=nanoseconds(outlier, "interval", place, 10 * _SECOND_NS) or 0,
        at_most=whole(outlier, "max_ejection_percent", place, 10) * 10_000,
    )


def _panics(cluster: Message, place: str) -> bool:
    common = known(cluster.get("common_lb_config", {}), place, frozenset({"healthy_panic_threshold"}))
    if "healthy_panic_threshold" not in common:
        return True
    threshold = known(common["healthy_panic_threshold"], place, frozenset({"value"}))
    return _number(threshold.get("value", 0), place) > 0


# ---- health


_CHECK = frozenset(
    {
        "timeout", "interval", "no_traffic_interval", "unhealthy_threshold", "healthy_threshold", "http_health_check",
        "grpc_health_check", "tcp_health_check", "transport_socket_match_criteria",
    }
)  # fmt: skip


def _health(cluster: Message, place: str, peer: Peer | None) -> Health | None:
    checks = items(cluster, "health_checks", place)
    sockets = items(cluster, "transport_socket_matches", place)
    if not checks:
        return None
    if len(checks) > 1:
        raise UnreadError(place, "several health checks")
    check = known(checks[0], place, _CHECK)
    question, host = _question(check, place)
    interval = nanoseconds(check, "interval", place, 0) or 0
    if nanoseconds(check, "no_traffic_interval", place, 60 * _SECOND_NS) != interval:
        raise UnreadError(place, "another interval where there are no calls")
    return Health(
        question=question,
        host=host,
        peer=_peer_asked(check, sockets, place, peer),
        interval_ns=interval,
        timeout_ns=nanoseconds(check, "timeout", place, 0) or 0,
        unhealthy=whole(check, "unhealthy_threshold", place, 0),
        healthy=whole(check, "healthy_threshold", place, 0),
    )


def _question(check: Message, place: str) -> tuple[str, str | None]:
    asked = [name for name in ("http_health_check", "grpc_health_check", "tcp_health_check") if name in check]
    if len(asked) != 1:
        raise UnreadError(place, "a health check of no one kind")
    match asked[0]:
        case "http_health_check":
            http = known(check[asked[0]], place, frozenset({"host", "path", "codec_client_type"}))
            codec = {"HTTP1": "http1", "HTTP2": "http2"}.get(http.get("codec_client_type", "HTTP1"))
            if codec is None:
                raise UnreadError(place, f"a health check by {http['codec_client_type']!r}")
            # Without a host the cluster's name is asked for.
            return f"GET {text(http, 'path', place)} {codec}", http.get("host")
        case "grpc_health_check":
            return "grpc", known(check[asked[0]], place, frozenset({"authority"})).get("authority")
        case _:
            known(check[asked[0]], place, frozenset())
            return "connect", None


def _peer_asked(check: Message, sockets: list[object], place: str, peer: Peer | None) -> Peer | None:
    """Return whom a check believes: the socket whose labels it asks for, or else that of all connections."""
    criteria = check.get("transport_socket_match_criteria")
    for one in sockets:
        socket = known(one, place, frozenset({"name", "match", "transport_socket"}))
        if not socket.get("match"):
            raise UnreadError(place, "another transport for all connections")
        if criteria is not None and socket["match"].items() <= criteria.items():
            return upstream_peer(socket.get("transport_socket"), place)
    return peer
