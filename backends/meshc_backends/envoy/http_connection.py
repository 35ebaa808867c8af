"""How HTTP itself is read and written (`…http_connection_manager.v3.HttpConnectionManager`).

Paths are brought into one spelling before anything looks at them, and are forwarded in that spelling. Nothing that a
peer says about itself counts: the identity header is made from the verified certificate, Envoy's own control headers
(`x-envoy-retry-on` and the like) are dropped because no address is "internal".
"""

from __future__ import annotations

from collections.abc import Iterable

from meshc_backends.envoy.message import Message, typed

_HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"

WEBSOCKET = "websocket"

HEADER_KIB = 60
"""The greatest head of a request; above it the answer is 431."""

_NOBODY: Message = {"address_prefix": "255.255.255.255", "prefix_len": 32}
"""An address from which no TCP connection comes. Envoy drops the control headers of all peers but internal ones, and
takes an empty list of internal addresses for none being given."""

_NOT_FOR_APPLICATIONS = (
    "x-envoy-attempt-count",
    "x-envoy-external-address",
    "x-envoy-is-timeout-retry",
    "x-envoy-original-dst-host",
    "x-envoy-peer-metadata",
    "x-envoy-peer-metadata-id",
)
"""What a peer could put among Envoy's own headers, and Envoy would not drop by itself."""

_BODIES = (
    (400, "bad request"),
    (403, "forbidden"),
    (404, "not found"),
    (405, "method not allowed"),
    (408, "request timeout"),
    (413, "content too large"),
    (426, "upgrade required"),
    (429, "too many requests"),
    (431, "request header fields too large"),
    (500, "internal error"),
    (501, "not implemented"),
    (502, "bad gateway"),
    (503, "service unavailable"),
    (504, "gateway timeout"),
)
"""What Envoy's own answers say: the status and nothing about the reason, which the log has."""


def http_connection(
    stat_prefix: str,
    virtual_hosts: Iterable[Message],
    filters: Iterable[Message],
    access_log: list[Message],
    *,
    peers_identified: bool,
    peers_trusted: bool,
    websockets: bool,
    header_names: frozenset[str] = frozenset(),
) -> Message:
    """Return the connection manager of a listener.

    `peers_identified` if peers bear certificates, of which `x-forwarded-client-cert` then tells. `peers_trusted` if the
    request id and the forwarding addresses that they send may stand. `websockets` may be opened if the request that
    opens them is allowed. `header_names` are those that rules look at.
    """
    return {
        "name": "http",
        "typed_config": typed(
            _HCM,
            stat_prefix=stat_prefix,
            codec_type="AUTO",
            # One spelling of every path.
            normalize_path=True,
            merge_slashes=True,
            path_with_escaped_slashes_action="REJECT_REQUEST",
            # Who calls: what the certificate says, not what headers say.
            **_identity(peers_identified=peers_identified),
            use_remote_address=True,
            skip_xff_append=peers_trusted,
            internal_address_config={"cidr_ranges": [_NOBODY]},
            generate_request_id=True,
            preserve_external_request_id=peers_trusted,
            server_header_transformation="PASS_THROUGH",
            strip_trailing_host_dot=True,
            # Bounds on what has not yet been authorised.
            max_request_headers_kb=HEADER_KIB,
            request_headers_timeout="10s",
            stream_idle_timeout="0s",
            common_http_protocol_options={
                "idle_timeout": "3600s",
                "max_headers_count": 100,
                "headers_with_underscores_action": underscores_action(header_names),
            },
            http_protocol_options={"accept_http_10": False, "enable_trailers": True},
            **({"upgrade_configs": [{"upgrade_type": WEBSOCKET}]} if websockets else {}),
            http2_protocol_options={
                "max_concurrent_streams": 100,
                "initial_stream_window_size": 65536,
                "initial_connection_window_size": 1048576,
            },
            access_log=access_log,
            local_reply_config=local_replies(),
            http_filters=list(filters),
            route_config={
                "name": stat_prefix,
                "request_headers_to_remove": list(_NOT_FOR_APPLICATIONS),
                "virtual_hosts": list(virtual_hosts),
            },
        ),
    }


def _identity(*, peers_identified: bool) -> Message:
    if not peers_identified:
        return {"forward_client_cert_details": "SANITIZE"}
    return {"forward_client_cert_details": "SANITIZE_SET", "set_current_client_cert_details": {"uri": True}}


def underscores_action(header_names: frozenset[str]) -> str:
    """Return what becomes of requests with `_` in a header's name, which many applications take for `-`.

    They are refused, since the application could see another header than the rule, unless a rule itself names such one.
    """
    return "ALLOW" if any("_" in name for name in header_names) else "REJECT_REQUEST"


def local_replies() -> Message:
    """Return the bodies of Envoy's own answers."""
    return {
        "mappers": [
            {
                "filter": {
                    "status_code_filter": {
                        "comparison": {"op": "EQ", "value": {"default_value": status, "runtime_key": "meshc.none"}},
                    },
                },
                "body": {"inline_string": text},
            }
            for status, text in _BODIES
        ],
    }
