"""Health checks (`envoy.config.core.v3.HealthCheck`): what callers' sidecars ask of the instances behind a cluster."""

from __future__ import annotations

from meshc_backends.envoy.message import Message, duration
from meshc_compiler.ir.workload import HealthCheck, Protocol, Service, ServicePort

OTHER_PORT = "health"
"""By what the connections of health checks to another port than the cluster's are told from the others."""


def health_port(service: Service, health: HealthCheck) -> ServicePort:
    """Return the port that is asked."""
    return next(port for port in service.ports if port.number == health.port)


def can_be_asked(service: Service, port: ServicePort) -> bool:
    """Tell whether a cluster of the port can ask for the service's health: by gRPC only one that speaks HTTP/2 can."""
    if service.health is None or health_port(service, service.health).protocol is not Protocol.GRPC:
        return True
    return port.protocol in {Protocol.HTTP2, Protocol.GRPC}


def health_checks(service: Service, port: ServicePort, health_socket: Message) -> Message:
    """Return the fields of a `Cluster` of one of the service's ports by which it finds out which instances are well.

    `health_socket` is the transport socket to the port that is asked, where that is another one. Between checks as much
    time passes whether or not anybody calls, and an instance that is not well gets no calls even if none is.
    """
    health = service.health
    if health is None:
        return {}
    asked = health_port(service, health)
    check: Message = {
        "timeout": duration(health.timeout_ns),
        "interval": duration(health.interval_ns),
        "no_traffic_interval": duration(health.interval_ns),
        "unhealthy_threshold": health.unhealthy,
        "healthy_threshold": health.healthy,
        **_question(service, asked, health),
    }
    fields: Message = {"common_lb_config": {"healthy_panic_threshold": {"value": 0}}}
    if asked != port:
        check["transport_socket_match_criteria"] = {OTHER_PORT: True}
        fields["transport_socket_matches"] = [
            {"name": OTHER_PORT, "match": {OTHER_PORT: True}, "transport_socket": health_socket}
        ]
    return {"health_checks": [check], **fields}


def _question(service: Service, port: ServicePort, health: HealthCheck) -> Message:
    match port.protocol:
        case Protocol.HTTP | Protocol.HTTP2:
            codec = "HTTP2" if port.protocol is Protocol.HTTP2 else "HTTP1"
            return {"http_health_check": {"host": service.host, "path": health.path, "codec_client_type": codec}}
        case Protocol.GRPC:
            return {"grpc_health_check": {"authority": service.host}}
        case Protocol.TCP | Protocol.TLS:
            return {"tcp_health_check": {}}
