"""Listeners that show one page of Envoy's administration interface, and must show nothing else of it."""

from __future__ import annotations

from meshc_backends.readback.envoy.connection import HCM
from meshc_backends.readback.envoy.fields import Message, items, known, typed
from meshc_backends.readback.envoy.listener import chains_of, filters_of
from meshc_backends.readback.envoy.route import cluster_of
from meshc_backends.readback.policy import Upstream
from meshc_backends.readback.unread import UnreadError

_MANAGER = frozenset({"@type", "stat_prefix", "codec_type", "request_headers_timeout", "http_filters", "route_config"})
_ROUTER = "envoy.extensions.filters.http.router.v3.Router"
PAGES = frozenset({"/ready", "/stats/prometheus"})
"""What may be seen from outside the pod."""

_GET = [{"name": ":method", "string_match": {"exact": "GET"}}]


def require_page(listener: Message, place: str, clusters: dict[str, Upstream], admin: tuple[str, int]) -> None:
    """Fail unless the listener answers GET of one page, and nothing else."""
    chains = chains_of(listener, place)
    filters = [one for chain in chains for one in filters_of(chain, place)]
    if len(chains) != 1 or len(filters) != 1 or set(chains[0]) != {"filters"}:
        raise UnreadError(place, "more than one page")
    manager = typed(filters[0][2], HCM, place, _MANAGER)
    for one in items(manager, "http_filters", place):
        filter_ = known(one, place, frozenset({"name", "typed_config"}))
        typed(filter_.get("typed_config"), _ROUTER, place, frozenset({"@type", "suppress_envoy_headers"}))
    config = known(manager.get("route_config"), place, frozenset({"name", "virtual_hosts"}))
    for host in items(config, "virtual_hosts", place):
        if known(host, place, frozenset({"name", "domains", "routes"})).get("domains") != ["*"]:
            raise UnreadError(place, "a page for some names only")
        for one in items(host, "routes", place):
            _require_route(known(one, place, frozenset({"match", "route"})), place, clusters, admin)


def _require_route(route: Message, place: str, clusters: dict[str, Upstream], admin: tuple[str, int]) -> None:
    match = known(route.get("match"), place, frozenset({"path", "headers"}))
    action = known(route.get("route"), place, frozenset({"cluster", "prefix_rewrite", "timeout"}))
    if match.get("path") not in PAGES or match.get("headers") != _GET or action.get("prefix_rewrite") != match["path"]:
        raise UnreadError(place, "another page than readiness and metrics")
    if cluster_of(action.get("cluster"), place, clusters).addresses != (admin,):
        raise UnreadError(place, "a page of something else than the administration interface")
