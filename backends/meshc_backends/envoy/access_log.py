"""The access log: one JSON object a request on standard output, with the names that the Python proxy uses too."""

from __future__ import annotations

import json

from meshc_backends.envoy.message import Message, typed
from meshc_compiler.ir.policy import Effect
from meshc_compiler.ir.workload import Service, ServicePort, Workload

METADATA = "meshc"
"""The namespace of the metadata by which virtual hosts tell the log whom they stand for."""

_TIME = "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%"

_NETWORK_RBAC = "envoy.filters.network.rbac"


def _rule(namespace: str, key: str) -> str:
    """Return the rule that decided: the deny that matched, else the allow; neither where nothing matched."""
    operators = [
        {"command": "DYNAMIC_METADATA", "param": f"{namespace}:{effect}_{key}"}
        for effect in (Effect.DENY, Effect.ALLOW)
    ]
    return f"%COALESCE({json.dumps({'operators': operators})})%"


_RULE = _rule("envoy.filters.http.rbac", "enforced_effective_policy_id")
_TCP_RULE = _rule(_NETWORK_RBAC, "shadow_effective_policy_id")


def access_log(fields: Message, only: Message | None = None) -> list[Message]:
    """Return a log of the fields, for what passes the filter; what a request does not have is null."""
    log: Message = {"name": "stdout"}
    if only is not None:
        log["filter"] = only
    log["typed_config"] = typed(
        "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog", log_format={"json_format": fields}
    )
    return [log]


def _fields(direction: str, caller: str, callee: str, port: str | int, rule: str) -> Message:
    return {
        "time": _TIME,
        "direction": direction,
        "caller": caller,
        "callee": callee,
        "port": port,
        "method": "%REQ(:METHOD)%",
        # Without the query, where secrets travel.
        "path": "%PATH(NQ:PATH)%",
        "status": "%RESPONSE_CODE%",
        "rule": rule,
        "route": "%ROUTE_NAME%",
        "cluster": "%UPSTREAM_CLUSTER%",
        "upstream": "%UPSTREAM_HOST%",
        "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "duration_ms": "%DURATION%",
        "request_bytes": "%BYTES_RECEIVED%",
        "response_bytes": "%BYTES_SENT%",
        "reason": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "tls_failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
        "request_id": "%REQ(X-REQUEST-ID)%",
    }


def inbound_access_log(service: Service, port: ServicePort) -> list[Message]:
    """Return the log of what comes in for a port; the caller is who the verified certificate says."""
    return access_log(_fields("inbound", "%DOWNSTREAM_PEER_URI_SAN%", service.name, port.number, _RULE))


def outbound_access_log(workload: Workload) -> list[Message]:
    """Return the log of what the workload sends; the callee is the one whose virtual host took the request."""
    callee = f"%METADATA(VIRTUAL_HOST:{METADATA}:callee)%"
    port = f"%METADATA(VIRTUAL_HOST:{METADATA}:port)%"
    return access_log(_fields("outbound", str(workload.spiffe_id), callee, port, _RULE))


def _of_connections(fields: Message) -> Message:
    """Return the fields of a log of whole connections, which have no method, path, route or status."""
    nothing = dict.fromkeys(("method", "path", "route", "request_id"))
    return fields | nothing | {"status": 0, "reason": "%CONNECTION_TERMINATION_DETAILS%"}


def tcp_inbound_access_log(service: Service, port: ServicePort) -> list[Message]:
    """Return the log of the connections to a tcp port on which the rules were asked."""
    fields = _fields("inbound", "%DOWNSTREAM_PEER_URI_SAN%", service.name, port.number, _TCP_RULE)
    return access_log(_of_connections(fields), _rules_asked(asked=True))


def tcp_outbound_access_log(workload: Workload, service: Service, port: ServicePort) -> list[Message]:
    """Return the log of the workload's own connections to a tcp port of a callee, which has the rules."""
    fields = _fields("outbound", str(workload.spiffe_id), service.name, port.number, "")
    return access_log(_of_connections(fields) | {"rule": None})


def _rules_asked(*, asked: bool) -> Message:
    """Return a filter by whether the deny filter of a tcp port has seen the connection: it leaves its result behind."""
    matcher: Message = {
        "filter": _NETWORK_RBAC,
        "path": [{"key": f"{Effect.DENY}_shadow_engine_result"}],
        "value": {"present_match": True},
    }
    if not asked:
        matcher["invert"] = True
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": not asked}}


def connection_log() -> list[Message]:
    """Return the log of connections that were closed for who the peer is, before there was a request.

    The fields are those of requests, and the peer's address and the server name it asked for. There is no caller: what
    an unverified certificate says is nobody's name.
    """
    fields = dict.fromkeys(_fields("inbound", "", "", "", ""))
    fields |= {
        "time": _TIME,
        "direction": "inbound",
        "status": 0,
        "flags": "%RESPONSE_FLAGS%",
        "reason": "%CONNECTION_TERMINATION_DETAILS%",
        "tls_failure": "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
        "peer": "%DOWNSTREAM_REMOTE_ADDRESS%",
        "server_name": "%REQUESTED_SERVER_NAME%",
    }
    refused = [
        _expression_filter('connection.transport_failure_reason != ""'),
        {
            "and_filter": {
                "filters": [
                    _expression_filter('connection.termination_details.startsWith("rbac_")'),
                    _rules_asked(asked=False),  # else the port's own log has it, with the caller and the rule
                ]
            }
        },
        {"response_flag_filter": {"flags": ["NR"]}},  # no filter chain has the server name
    ]
    return access_log(fields, {"or_filter": {"filters": refused}})


def _expression_filter(expression: str) -> Message:
    """Return a filter by a CEL expression; an attribute that is not there makes it false."""
    config = typed("envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter", expression=expression)
    return {"extension_filter": {"name": "cel", "typed_config": config}}


def callee_metadata(callee: str, port: int) -> Message:
    """Return the metadata of a virtual host that the log reads (`envoy.config.core.v3.Metadata`)."""
    return {"filter_metadata": {METADATA: {"callee": callee, "port": port}}}
