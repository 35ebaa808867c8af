"""Listeners (`envoy.config.listener.v3.Listener`): who is heard where, by which server name, and what becomes of it."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

from meshc_backends.readback.envoy.connection import HCM, Host, hosts_of
from meshc_backends.readback.envoy.fields import Message, items, known, nanoseconds, text, type_of, typed, whole
from meshc_backends.readback.envoy.rbac import gate_of
from meshc_backends.readback.envoy.route import cluster_of
from meshc_backends.readback.envoy.text import text_matcher
from meshc_backends.readback.envoy.tls import downstream_peer
from meshc_backends.readback.formula import ALWAYS
from meshc_backends.readback.language import (
    ANY_TEXT,
    EVERYTHING,
    NOTHING,
    Language,
    difference,
    intersection,
    language_of,
    only,
    union,
)
from meshc_backends.readback.paths import Escapes
from meshc_backends.readback.policy import Entry, Forward, Handling, Inbound, Peer, Side, Stage, Upstream
from meshc_backends.readback.spelling import canonical_paths
from meshc_backends.readback.text_match import matcher_language
from meshc_backends.readback.unread import UnreadError
from meshc_compiler.regex import Sequence

NETWORK_RBAC = "envoy.extensions.filters.network.rbac.v3.RBAC"
_TCP = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
_INSPECTOR = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
_HOUR_NS = 3_600_000_000_000
_WHOLE = Fraction(1)

LISTENER = frozenset(
    {
        "name", "address", "listener_filters", "listener_filters_timeout", "filter_chains", "access_log",
        "ignore_global_conn_limit",
    }
)  # fmt: skip
_CHAIN = frozenset({"name", "filter_chain_match", "transport_socket", "transport_socket_connect_timeout", "filters"})
_PROXY = frozenset(
    {
        "@type", "stat_prefix", "cluster", "idle_timeout", "access_log", "upstream_connect_mode",
        "max_early_data_bytes", "hash_policy",
    }
)  # fmt: skip


def filters_of(chain: Message, place: str) -> list[tuple[str, str, Message]]:
    """Return the network filters of a chain: type, name and configuration of each."""
    found = []
    for one in items(chain, "filters", place):
        filter_ = known(one, place, frozenset({"name", "typed_config"}))
        config = filter_.get("typed_config")
        found.append((type_of(config, place), text(filter_, "name", place), config or {}))
    return found


def chains_of(listener: Message, place: str) -> list[Message]:
    """Return the chains of filters of a listener."""
    return [known(chain, place, _CHAIN) for chain in items(listener, "filter_chains", place)]


def inbound_ports(listener: Message, place: str, clusters: dict[str, Upstream]) -> tuple[Inbound, ...]:
    """Return the ports that a listener for peers serves, each in a chain of its own."""
    if "listener_filters_timeout" in listener and nanoseconds(listener, "listener_filters_timeout", place, 0) is None:
        raise UnreadError(place, "peers that may take any time to say who they are")
    inspects = False
    for one in items(listener, "listener_filters", place):
        filter_ = known(one, place, frozenset({"name", "typed_config"}))
        typed(filter_.get("typed_config"), _INSPECTOR, place, frozenset({"@type"}))
        inspects = True
    return tuple(_inbound(chain, place, clusters, inspects=inspects) for chain in chains_of(listener, place))


def _inbound(chain: Message, place: str, clusters: dict[str, Upstream], *, inspects: bool) -> Inbound:
    name = text(chain, "name", place)
    place = f"{place} {name}"
    match = known(chain.get("filter_chain_match", {}), place, frozenset({"server_names"}))
    names = items(match, "server_names", place)
    if names and not inspects:
        raise UnreadError(place, "server names that nothing looks for")
    peer = None
    universe = ""
    if "transport_socket" in chain:
        peer = downstream_peer(chain["transport_socket"], place)
        universe = _universe(peer)
        if nanoseconds(chain, "transport_socket_connect_timeout", place, None) is None:
            raise UnreadError(place, "peers that may take any time to say who they are")
    alone = False
    stages: list[Stage] = []
    filters = filters_of(chain, place)
    for kind, _, config in filters[:-1]:
        if kind != NETWORK_RBAC:
            raise UnreadError(place, f"a filter of the type `{kind}`")
        if "matcher" in config:
            alone |= _takes_one_identity(config, place, universe)
        else:
            stages += gate_of(config, place, universe or None)
    if not filters:
        raise UnreadError(place, "a chain without filters")
    kind, _, config = filters[-1]
    if kind == HCM:
        if stages:
            raise UnreadError(place, "authorisation of connections before that of requests")
        hosts, _ = hosts_of(config, place, clusters, universe)
        side = _only_host(hosts, place)
    else:
        side = connection_side(kind, config, place, clusters, tuple(stages))
    return Inbound(
        name=name,
        protocol="http" if kind == HCM else "tcp",
        server_names=frozenset(names) if names else None,
        peer=peer,
        one_identity=alone,
        plaintext=peer is None,
        side=side,
    )


def _only_host(hosts: tuple[Host, ...], place: str) -> Side:
    if len(hosts) != 1 or hosts[0].domains != ("*",):
        raise UnreadError(place, "several virtual hosts, or one for some names only")
    return hosts[0].side


def _universe(peer: Peer) -> str:
    """Return how the identities of all peers begin: the one URI name that is asked of them."""
    begins = [name.removesuffix("*") for kind, name in peer.names if kind == "URI" and name.endswith("*")]
    return begins[0] if len(begins) == 1 == len(peer.names) else ""


# ---- whole connections


def connection_side(
    kind: str, message: object, place: str, clusters: dict[str, Upstream], gate: tuple[Stage, ...]
) -> Side:
    """Return what becomes of the connections that a chain takes as a whole."""
    if kind != _TCP:
        raise UnreadError(place, f"a filter of the type `{kind}`")
    proxy = known(message, place, _PROXY)
    if gate and (
        proxy.get("upstream_connect_mode") != "ON_DOWNSTREAM_DATA" or whole(proxy, "max_early_data_bytes", place, 0) < 1
    ):
        raise UnreadError(place, "a workload that is connected to before the rules are asked")
    hashed = items(proxy, "hash_policy", place)
    if hashed and hashed != [{"source_ip": {}}]:
        raise UnreadError(place, f"a hash of {hashed!r}")
    forward = Forward(
        destinations=frozenset({(cluster_of(proxy.get("cluster"), place, clusters), _WHOLE)}),
        timeout_ns=None,
        idle_timeout_ns=nanoseconds(proxy, "idle_timeout", place, _HOUR_NS),
        hashed=("source", "") if hashed else None,
    )
    # Connections show no path: all of them are carried.
    return Side(entries=(Entry(ALWAYS, Handling(action=forward, gate=gate)),), carried=canonical_paths(Escapes.EITHER))


# ---- one identity


def _takes_one_identity(message: Message, place: str, universe: str) -> bool:
    """Tell whether a filter lets in exactly the peers whose certificate bears one URI name, of the trust domain.

    Its input are the names joined by commas; what no matcher takes is refused.
    """
    rbac = known(message, place, frozenset({"@type", "stat_prefix", "matcher"}))
    listed = known(known(rbac["matcher"], place, frozenset({"matcher_list"})).get("matcher_list"), place, _MATCHERS)
    let_in = NOTHING
    for one in items(listed, "matchers", place):
        matcher = known(one, place, frozenset({"predicate", "on_match"}))
        action = known(known(matcher.get("on_match"), place, frozenset({"action"})).get("action"), place, _NAMED)
        verdict = typed(
            action.get("typed_config"), "envoy.config.rbac.v3.Action", place, frozenset({"@type", "name", "action"})
        )
        if verdict.get("action", "ALLOW") != "ALLOW":
            raise UnreadError(place, f"the action {verdict['action']!r}")
        let_in = union(let_in, _names_joined(matcher.get("predicate"), place))
    return let_in is _alone(universe)


_MATCHERS = frozenset({"matchers"})
_NAMED = frozenset({"name", "typed_config"})
_INPUT = "envoy.extensions.matching.common_inputs.ssl.v3.UriSanInput"


def _names_joined(message: object, place: str) -> Language:
    predicate = known(message, place, frozenset({"and_matcher", "or_matcher", "not_matcher", "single_predicate"}))
    if len(predicate) != 1:
        raise UnreadError(place, "a predicate that asks no one thing")
    kind, value = next(iter(predicate.items()))
    match kind:
        case "and_matcher":
            whole_ = EVERYTHING
            for one in items(known(value, place, frozenset({"predicate"})), "predicate", place):
                whole_ = intersection(whole_, _names_joined(one, place))
            return whole_
        case "or_matcher":
            whole_ = NOTHING
            for one in items(known(value, place, frozenset({"predicate"})), "predicate", place):
                whole_ = union(whole_, _names_joined(one, place))
            return whole_
        case "not_matcher":
            return difference(EVERYTHING, _names_joined(value, place))
        case _:
            single = known(value, place, frozenset({"input", "value_match"}))
            typed(known(single.get("input"), place, _NAMED).get("typed_config"), _INPUT, place, frozenset({"@type"}))
            return matcher_language(text_matcher(single.get("value_match"), place))


@cache
def _alone(universe: str) -> Language:
    """Return the texts that begin as identities of the trust domain do, and hold no comma."""
    several = language_of(Sequence((ANY_TEXT, only(","), ANY_TEXT)))
    return difference(language_of(Sequence((only(universe), ANY_TEXT))), several)
