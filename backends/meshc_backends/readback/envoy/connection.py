"""Connection managers of HTTP (`…filters.network.http_connection_manager.v3`): filters, virtual hosts, and habits.

By itself Envoy leaves paths as they are, believes what peers say of themselves, ends requests that are idle for five
minutes and connections that are for an hour.
"""

from __future__ import annotations

from functools import cache

from meshc_backends.readback.envoy.fields import Message, flag, items, known, nanoseconds, text, type_of, typed
from meshc_backends.readback.envoy.filters import limits_of, mishaps_of
from meshc_backends.readback.envoy.rbac import gate_of
from meshc_backends.readback.envoy.route import Filters, may_open_websockets, paths_carried, routes_of
from meshc_backends.readback.language import ANY_TEXT, Language, difference, language_of, only
from meshc_backends.readback.paths import Escapes
from meshc_backends.readback.policy import Gate, Habit, Limited, Mishap, Side, Spelling, Upstream
from meshc_backends.readback.spelling import canonical_paths
from meshc_backends.readback.unread import UnreadError
from meshc_compiler.regex import Characters, Choice, Repeat, Sequence
from meshc_lang.record import dataclass

HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"

_FIELDS = frozenset(
    {
        "@type", "stat_prefix", "codec_type", "normalize_path", "merge_slashes", "path_with_escaped_slashes_action",
        "forward_client_cert_details", "set_current_client_cert_details", "use_remote_address", "skip_xff_append",
        "internal_address_config", "generate_request_id", "preserve_external_request_id",
        "server_header_transformation", "strip_trailing_host_dot", "max_request_headers_kb",
        "request_headers_timeout", "stream_idle_timeout", "common_http_protocol_options", "http_protocol_options",
        "http2_protocol_options", "upgrade_configs", "access_log", "local_reply_config", "http_filters", "route_config",
    }
)  # fmt: skip
_COMMON = frozenset({"idle_timeout", "max_headers_count", "headers_with_underscores_action"})
_CONFIG = frozenset({"name", "request_headers_to_remove", "virtual_hosts"})
_HOST = frozenset({"name", "domains", "metadata", "typed_per_filter_config", "routes"})
_FIVE_MINUTES_NS = 300_000_000_000
_HOUR_NS = 3_600_000_000_000
_LONGEST_OF_CALLERS_NS = 900_000_000_000
"""How long a caller's sidecar keeps an unused connection."""

_STEERING = frozenset(
    {
        "x-envoy-attempt-count",
        "x-envoy-external-address",
        "x-envoy-is-timeout-retry",
        "x-envoy-original-dst-host",
        "x-envoy-peer-metadata",
        "x-envoy-peer-metadata-id",
    }
)
"""Headers of its own that Envoy would take from a peer, or pass on, unless they are removed."""

_SIZES: Message = {
    "max_request_headers_kb": 60,
    "request_headers_timeout": "10s",
    "http2_protocol_options": {
        "max_concurrent_streams": 100,
        "initial_stream_window_size": 65536,
        "initial_connection_window_size": 1048576,
    },
}
"""The documented bounds of what has not been authorised yet (docs/targets.md)."""

_RBAC = "envoy.extensions.filters.http.rbac.v3.RBAC"
_LIMIT = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
_FAULT = "envoy.extensions.filters.http.fault.v3.HTTPFault"
_ROUTER = "envoy.extensions.filters.http.router.v3.Router"
_ORDER = {_RBAC: 0, _LIMIT: 1, _FAULT: 2, _ROUTER: 3}


@dataclass(frozen=True, slots=True)
class Host:
    """A virtual host: its name, the values of `Host` that mean it, and what becomes of its requests."""

    name: str
    domains: tuple[str, ...]
    side: Side


def hosts_of(
    config: object, place: str, clusters: dict[str, Upstream], universe: str | None
) -> tuple[tuple[Host, ...], Message | None]:
    """Return the virtual hosts of a connection manager, and as it stands the one of all other names, if it is there.

    `universe` begins the identities of all peers; None where they have none.
    """
    manager = typed(config, HCM, place, _FIELDS)
    spelling = _spelling(manager, place)
    habits = _habits(manager, place, peers_identified=universe is not None)
    common = known(manager.get("common_http_protocol_options", {}), place, _COMMON)
    underscores = common.get("headers_with_underscores_action", "ALLOW")
    if underscores not in {"ALLOW", "REJECT_REQUEST"}:
        raise UnreadError(place, f"headers with underscores: {underscores!r}")
    filters = _filters(manager, place, universe)
    arriving = arriving_paths(resolved=Spelling.RESOLVED in spelling)
    found = []
    others = None
    for one in items(known(manager.get("route_config"), place, _CONFIG), "virtual_hosts", place):
        host = known(one, place, _HOST)
        name = text(host, "name", place)
        domains = tuple(items(host, "domains", place))
        if universe is None and domains == ("*",):
            if not filters.with_own(host.get("typed_per_filter_config"), place).are_off:
                raise UnreadError(place, "filters before the answer to names that nobody has")
            if paths_carried(host, place, filters, arriving) is not canonical_paths(Escapes.EITHER):
                raise UnreadError(place, "spellings that are refused, but not of requests to names that nobody has")
            others = host
            continue
        routes = routes_of(host, f"{place} {name}", filters, clusters, arriving)
        side = Side(
            entries=routes.entries,
            carried=routes.carried,
            spelling=spelling,
            habits=habits,
            refuses_underscores=underscores == "REJECT_REQUEST",
        )
        found.append(Host(name, domains, side))
    return tuple(found), others


def _spelling(manager: Message, place: str) -> frozenset[Spelling]:
    done = set()
    if flag(manager, "normalize_path", place):
        done.add(Spelling.RESOLVED)
    if flag(manager, "merge_slashes", place):
        done.add(Spelling.MERGED)
    if manager.get("path_with_escaped_slashes_action") == "REJECT_REQUEST":
        done.add(Spelling.ESCAPED_SLASHES_REFUSED)
    return frozenset(done)


_VISIBLE = frozenset(map(chr, range(0x21, 0x7F)))


@cache
def arriving_paths(*, resolved: bool) -> Language:
    r"""Return the paths that come to the routes, at least: what Envoy's normalisation leaves of them.

    It takes `\` for `/`, escapes `"<>^`{|}` and resolves dot segments; a fragment or a byte that is no visible ASCII
    character is refused anyway.
    """
    letters = _VISIBLE - frozenset("?#") - (frozenset('\\"<>^`{|}') if resolved else frozenset())
    paths = language_of(Sequence((only("/"), Repeat(Characters(letters), 0, None))))
    if not resolved:
        return paths
    dot = only(".")
    segment = Sequence((dot, Repeat(dot, 0, 1)))
    behind = Choice((Sequence(()), Sequence((only("/"), ANY_TEXT))))
    return difference(paths, language_of(Sequence((ANY_TEXT, only("/"), segment, behind))))


def _habits(manager: Message, place: str, *, peers_identified: bool) -> frozenset[Habit]:
    common = manager.get("common_http_protocol_options", {})
    done = set()
    if flag(manager, "strip_trailing_host_dot", place):
        done.add(Habit.HOST_DOT_DROPPED)
    shown = (manager.get("forward_client_cert_details"), manager.get("set_current_client_cert_details"))
    if shown == (("SANITIZE_SET", {"uri": True}) if peers_identified else ("SANITIZE", None)):
        done.add(Habit.IDENTITY_FROM_CERTIFICATE)
    internal = known(manager.get("internal_address_config", {}), place, frozenset({"cidr_ranges"}))
    removed = manager.get("route_config", {}).get("request_headers_to_remove", [])
    if (
        flag(manager, "use_remote_address", place)
        and flag(manager, "generate_request_id", place, default=True)
        and isinstance(manager.get("skip_xff_append", False), bool)
        and manager.get("skip_xff_append", False) == manager.get("preserve_external_request_id", False)
        and all(_is_nobody(block) for block in items(internal, "cidr_ranges", place))
        and internal.get("cidr_ranges")
        and set(removed) >= _STEERING
    ):
        done.add(Habit.CONTROL_HEADERS_DROPPED)
    if nanoseconds(manager, "stream_idle_timeout", place, _FIVE_MINUTES_NS) is None:
        done.add(Habit.STREAMS_UNBOUNDED)
    idle = nanoseconds(common, "idle_timeout", place, _HOUR_NS)
    if idle is None or idle > _LONGEST_OF_CALLERS_NS:
        done.add(Habit.CONNECTIONS_KEPT)
    old = known(manager.get("http_protocol_options", {}), place, frozenset({"accept_http_10", "enable_trailers"}))
    if not flag(old, "accept_http_10", place):
        done.add(Habit.OLD_PROTOCOL_REFUSED)
    if flag(old, "enable_trailers", place):
        done.add(Habit.TRAILERS_KEPT)
    if (
        {field: manager.get(field) for field in _SIZES} == _SIZES
        and common.get("max_headers_count", 100) == 100
        and manager.get("codec_type", "AUTO") == "AUTO"
        and manager.get("server_header_transformation") == "PASS_THROUGH"
    ):
        done.add(Habit.SIZES_BOUNDED)
    return frozenset(done)


def _is_nobody(block: object) -> bool:
    """Tell whether no peer has an address of the block: one address that is never a source's."""
    return block == {"address_prefix": "255.255.255.255", "prefix_len": 32}


def _filters(manager: Message, place: str, universe: str | None) -> Filters:
    gates: dict[str, Gate] = {}
    limits: dict[str, frozenset[Limited]] = {}
    mishaps: dict[str, frozenset[Mishap]] = {}
    order = []
    for one in items(manager, "http_filters", place):
        filter_ = known(one, place, frozenset({"name", "typed_config"}))
        name, config = text(filter_, "name", place), filter_.get("typed_config")
        kind = type_of(config, place)
        if kind not in _ORDER or name in gates or name in limits or name in mishaps:
            raise UnreadError(place, f"the filter `{name}` of the type `{kind}`")
        order.append(_ORDER[kind])
        if kind == _RBAC:
            gates[name] = gate_of(config, place, universe)
        elif kind == _LIMIT:
            limits[name] = limits_of(config, place)
        elif kind == _FAULT:
            mishaps[name] = mishaps_of(config, place)
        else:
            router = known(config, place, frozenset({"@type", "suppress_envoy_headers"}))
            if not flag(router, "suppress_envoy_headers", place):
                raise UnreadError(place, "a router that adds headers of Envoy's to calls and answers")
    if order != sorted(order) or order.count(_ORDER[_ROUTER]) != 1:
        raise UnreadError(place, "filters in another order than authorisation, limits, faults, router")
    return Filters(gates, limits, mishaps, universe, may_open_websockets(manager, place, default=False))
