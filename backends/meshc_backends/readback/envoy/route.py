"""Routes and virtual hosts (`envoy.config.route.v3`): the first route that matches decides.

Where a route says nothing of a timeout Envoy ends the call after 15 s; where a retry policy says nothing of a number it
tries once more, after 25 ms and at most ten times as long.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from meshc_backends.readback.envoy.fields import (
    Message,
    fixed,
    flag,
    items,
    known,
    millionths,
    nanoseconds,
    text,
    type_of,
    whole,
)
from meshc_backends.readback.envoy.filters import mishaps_of
from meshc_backends.readback.envoy.rbac import gate_per_route, is_switched_off
from meshc_backends.readback.envoy.text import expression, route_header
from meshc_backends.readback.expression import matched_by
from meshc_backends.readback.formula import Formula, Has, MethodIn, No, any_of_products, path_in
from meshc_backends.readback.language import Language, difference
from meshc_backends.readback.paths import Begins, Exact, PathSet, expression_paths
from meshc_backends.readback.policy import (
    Action,
    Answer,
    Entry,
    Forward,
    Gate,
    Handling,
    Limited,
    Mishap,
    Retry,
    Stage,
    Upstream,
)
from meshc_backends.readback.unread import UnreadError
from meshc_lang.record import dataclass

_DEFAULT_TIMEOUT_NS = 15_000_000_000
_DEFAULT_PAUSE_NS = 25_000_000

_ROUTE = frozenset({"name", "match", "route", "direct_response", "typed_per_filter_config", "response_headers_to_add"})
_MATCH = frozenset({"prefix", "path", "path_separated_prefix", "safe_regex", "headers"})
_ACTION = frozenset(
    {
        "cluster", "weighted_clusters", "timeout", "retry_policy", "hash_policy", "request_mirror_policies",
        "host_rewrite_literal", "upgrade_configs", "max_stream_duration",
    }
)  # fmt: skip
_RETRY = frozenset(
    {
        "retry_on", "num_retries", "retriable_status_codes", "per_try_timeout", "retriable_request_headers",
        "retry_back_off",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters that a request passes, by name: what each refuses, counts or brings about."""

    gates: dict[str, Gate]
    limits: dict[str, frozenset[Limited]]
    mishaps: dict[str, frozenset[Mishap]]
    universe: str | None
    """How the identities of all peers begin; None where they have none."""
    websockets: bool
    """Whether requests may open WebSockets, unless their route says otherwise."""

    def with_own(self, configs: object, place: str) -> Filters:
        """Return the filters as a route or virtual host sets them for itself."""
        if not configs:
            return self
        if not isinstance(configs, dict):
            raise UnreadError(place, f"`{configs}` for filters")
        gates, limits, mishaps = dict(self.gates), dict(self.limits), dict(self.mishaps)
        for name, config in configs.items():
            kind = type_of(config, place).rpartition(".")[2]
            if kind == "FilterConfig" and name in self:
                if is_switched_off(config, place):
                    # What stands nearer to the route may switch it on again.
                    gates |= {name: ()} if name in gates else {}
                    limits |= {name: frozenset()} if name in limits else {}
                    mishaps |= {name: frozenset()} if name in mishaps else {}
            elif kind == "RBACPerRoute" and name in gates:
                gates[name] = gate_per_route(config, place, self.universe)
            elif kind == "HTTPFault" and name in mishaps:
                mishaps[name] = mishaps_of(config, place)
            else:
                raise UnreadError(place, f"`{kind}` for the filter `{name}`")
        return Filters(gates, limits, mishaps, self.universe, self.websockets)

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a filter of the name."""
        return name in self.gates or name in self.limits or name in self.mishaps

    def handling(self, action: Action, name: str) -> Handling:
        """Return what becomes of requests that pass the filters and then get the action."""
        return Handling(
            action=action,
            gate=_put_together(self.gates.values()),
            limits=frozenset().union(*self.limits.values()),
            mishaps=frozenset().union(*self.mishaps.values()),
            name=name,
        )

    @property
    def are_off(self) -> bool:
        """Whether nothing is refused, counted or brought about."""
        return not any(self.gates.values()) and not any(self.limits.values()) and not any(self.mishaps.values())


def _put_together(gates: Iterable[Gate]) -> Gate:
    """Return all steps, with what any of them denies in one: in which order requests are refused does not matter."""
    steps = [stage for gate in gates for stage in gate]
    denied = [stage for stage in steps if stage.denies]
    if len(denied) > 1:
        every = Stage(denies=True, rules=frozenset().union(*(stage.rules for stage in denied)))
        return (every, *(stage for stage in steps if not stage.denies))
    return tuple(steps)


@dataclass(frozen=True, slots=True)
class Routes:
    """The routes of a virtual host: the paths that get as far as its entries, and the entries."""

    carried: Language
    entries: tuple[Entry, ...]


def routes_of(host: Message, place: str, filters: Filters, clusters: dict[str, Upstream], arriving: Language) -> Routes:
    """Return the routes of a virtual host; `arriving` are the paths as they come to it."""
    own = filters.with_own(host.get("typed_per_filter_config"), place)
    routes = [known(route, place, _ROUTE) for route in items(host, "routes", place)]
    carried = arriving
    if routes and (refused := _refused_paths(routes[0], place, own)) is not None:
        carried = difference(arriving, refused)
        routes = routes[1:]
    entries: list[Entry] = []
    at = 0
    while at < len(routes):
        # A rule is spelt out as routes that differ in their match alone.
        end = at + 1
        rest = _but_match(routes[at])
        while end < len(routes) and _but_match(routes[end]) == rest:
            end += 1
        alternatives = [_match(route.get("match"), place) for route in routes[at:end]]
        formula = any_of_products(alternatives)
        entries.append(Entry(formula, _handling(routes[at], place, own, clusters)))
        at = end
    return Routes(carried, tuple(entries))


def _but_match(route: Message) -> Message:
    return {field: value for field, value in route.items() if field != "match"}


def paths_carried(host: Message, place: str, filters: Filters, arriving: Language) -> Language:
    """Return the paths that get past the first route of a virtual host, which is to answer 400 to the others."""
    own = filters.with_own(host.get("typed_per_filter_config"), place)
    routes = items(host, "routes", place)
    refused = _refused_paths(known(routes[0], place, _ROUTE), place, own) if routes else None
    return arriving if refused is None else difference(arriving, refused)


def _refused_paths(route: Message, place: str, filters: Filters) -> Language | None:
    """Return the paths that the route answers with 400 before any filter, if that is all it does."""
    match = route.get("match")
    if not isinstance(match, dict) or set(match) != {"safe_regex"} or route.get("direct_response") != {"status": 400}:
        return None
    if not filters.with_own(route.get("typed_per_filter_config"), place).are_off:
        return None
    return matched_by(expression(match["safe_regex"], place))


def _handling(route: Message, place: str, filters: Filters, clusters: dict[str, Upstream]) -> Handling:
    own = filters.with_own(route.get("typed_per_filter_config"), place)
    name = route.get("name", "")
    added = items(route, "response_headers_to_add", place)
    if ("route" in route) == ("direct_response" in route):
        raise UnreadError(place, "a route that does not do one thing")
    if "direct_response" in route:
        answer = known(route["direct_response"], place, frozenset({"status"}))
        return own.handling(Answer(whole(answer, "status", place, 0), _location(added, place)), name)
    if added:
        raise UnreadError(place, "headers added to the answer of a call")
    return own.handling(_forward(route["route"], place, clusters, websockets=own.websockets), name)


def _location(added: list[object], place: str) -> str | None:
    """Return the `Location` that an answer gets; `%` is doubled, as it would begin a substitution."""
    location = None
    for one in added:
        option = known(one, place, frozenset({"header", "append_action"}))
        header = known(option.get("header"), place, frozenset({"key", "value"}))
        if text(header, "key", place).lower() != "location" or location is not None:
            raise UnreadError(place, f"the header `{header['key']}` added to an answer")
        if option.get("append_action") != "OVERWRITE_IF_EXISTS_OR_ADD":
            raise UnreadError(place, "a `location` beside Envoy's own")
        value = text(header, "value", place)
        if "%" in value.replace("%%", ""):
            raise UnreadError(place, f"a substitution in `{value}`")
        location = value.replace("%%", "%")
    return location


# ---- which requests


def _match(message: object, place: str) -> frozenset[Formula]:
    """Return what a route asks, all of which must hold."""
    match = known(message, place, _MATCH)
    parts = [route_header(header, place) for header in items(match, "headers", place)]
    specifiers = [field for field in ("prefix", "path", "path_separated_prefix", "safe_regex") if field in match]
    if len(specifiers) != 1:
        raise UnreadError(place, "a route without one way to compare paths")
    path = path_in(_paths(specifiers[0], match[specifiers[0]], place))
    return frozenset({path, *parts}) - {_ALWAYS}


_ALWAYS = path_in(frozenset({Begins("/")}))


def _paths(specifier: str, value: object, place: str) -> PathSet:
    if specifier == "safe_regex":
        return expression_paths(expression(value, place))
    if not isinstance(value, str):
        raise UnreadError(place, f"`{specifier}` of {value!r}")
    match specifier:
        case "prefix":
            return frozenset({Begins(value)})
        case "path":
            return frozenset({Exact(value)})
        case _:
            return frozenset({Exact(value), Begins(f"{value}/")})


# ---- what becomes of them


def _forward(message: object, place: str, clusters: dict[str, Upstream], *, websockets: bool) -> Forward:
    action = known(message, place, _ACTION)
    hashed = items(action, "hash_policy", place)
    return Forward(
        destinations=_destinations(action, place, clusters),
        timeout_ns=nanoseconds(action, "timeout", place, _DEFAULT_TIMEOUT_NS),
        retry=_retry(action["retry_policy"], place) if "retry_policy" in action else None,
        hashed=_hashed(hashed, place) if hashed else None,
        copies=frozenset(_copy(one, place, clusters) for one in items(action, "request_mirror_policies", place)),
        host=action.get("host_rewrite_literal"),
        websockets=may_open_websockets(action, place, default=websockets),
        callers_deadline=_counts_callers_deadline(action, place),
    )


def may_open_websockets(message: Message, place: str, *, default: bool) -> bool:
    """Return whether upgrades to WebSockets are on; no other upgrade is known."""
    for one in items(message, "upgrade_configs", place):
        upgrade = known(one, place, frozenset({"upgrade_type", "enabled"}))
        if text(upgrade, "upgrade_type", place).lower() != "websocket":
            raise UnreadError(place, f"the upgrade {upgrade['upgrade_type']!r}")
        default = flag(upgrade, "enabled", place, default=True)
    return default


def _counts_callers_deadline(action: Message, place: str) -> bool:
    """Tell whether `grpc-timeout` ends a call; 0 says that any is taken as it is."""
    if "max_stream_duration" not in action:
        return False
    longest = known(action["max_stream_duration"], place, frozenset({"grpc_timeout_header_max"}))
    if longest.get("grpc_timeout_header_max") != "0s":
        raise UnreadError(place, "a bound of what callers of gRPC may wait")
    if nanoseconds(action, "timeout", place, _DEFAULT_TIMEOUT_NS):
        raise UnreadError(place, "a timeout that calls of gRPC are not held to, for the caller's own is looked at")
    return True


def cluster_of(name: object, place: str, clusters: dict[str, Upstream]) -> Upstream:
    """Return the cluster of a name; a call to one that is not there would be answered with 503."""
    if not isinstance(name, str) or name not in clusters:
        raise UnreadError(place, f"the cluster {name!r}, which is not there")
    return clusters[name]


def _destinations(action: Message, place: str, clusters: dict[str, Upstream]) -> frozenset[tuple[Upstream, Fraction]]:
    if ("cluster" in action) == ("weighted_clusters" in action):
        raise UnreadError(place, "a route that does not go one way")
    if "cluster" in action:
        return frozenset({(cluster_of(action["cluster"], place, clusters), Fraction(1))})
    weighted = items(known(action["weighted_clusters"], place, frozenset({"clusters"})), "clusters", place)
    shares: dict[Upstream, int] = {}
    for one in weighted:
        share = known(one, place, frozenset({"name", "weight"}))
        upstream = cluster_of(share.get("name"), place, clusters)
        shares[upstream] = shares.get(upstream, 0) + whole(share, "weight", place, 0)
    total = sum(shares.values())
    if not total:
        raise UnreadError(place, "weights that add up to nothing")
    return frozenset((upstream, Fraction(share, total)) for upstream, share in shares.items() if share)


def _copy(message: object, place: str, clusters: dict[str, Upstream]) -> tuple[Upstream, int]:
    mirror = known(message, place, frozenset({"cluster", "runtime_fraction", "disable_shadow_host_suffix_append"}))
    if not flag(mirror, "disable_shadow_host_suffix_append", place):
        raise UnreadError(place, "copies for another `Host`")
    share = 1_000_000
    if "runtime_fraction" in mirror:
        fraction = known(mirror["runtime_fraction"], place, frozenset({"default_value"}))
        share = millionths(fraction.get("default_value", {}), place)
    return cluster_of(mirror.get("cluster"), place, clusters), share


def _retry(message: object, place: str) -> Retry | None:
    policy = known(message, place, _RETRY)
    conditions = set(text(policy, "retry_on", place).split(",")) - {""} if "retry_on" in policy else set()
    if _BY_STATUS in conditions:
        conditions.remove(_BY_STATUS)
        conditions.update(f"s{status}" for status in items(policy, "retriable_status_codes", place))
    limit = whole(policy, "num_retries", place, 1)
    if not conditions or not limit:
        return None
    back_off = known(policy.get("retry_back_off", {}), place, frozenset({"base_interval", "max_interval"}))
    base = nanoseconds(back_off, "base_interval", place, _DEFAULT_PAUSE_NS) or 0
    headers = items(policy, "retriable_request_headers", place)
    return Retry(
        on=frozenset(conditions),
        limit=limit,
        per_try_ns=nanoseconds(policy, "per_try_timeout", place, None),
        pause_ns=(base, nanoseconds(back_off, "max_interval", place, 10 * base) or 0),
        key_header=_key_header(headers, place) if headers else None,
    )


_BY_STATUS = "retriable-status-codes"
_REPEATABLE = No(MethodIn(frozenset({"POST", "PATCH"})))


def _key_header(headers: list[object], place: str) -> str:
    """Return the header that makes POST and PATCH repeatable: one of the matchers must match."""
    asked = [route_header(header, place) for header in headers]
    names = [one.name for one in asked if isinstance(one, Has) and one.kind is None]
    if len(asked) != 2 or len(names) != 1 or _REPEATABLE not in asked:
        raise UnreadError(place, "retries of some requests only")
    return names[0]


def _hashed(policies: list[object], place: str) -> tuple[str, str]:
    """Return what is hashed (`RouteAction.HashPolicy`)."""
    if len(policies) != 1:
        raise UnreadError(place, "several things that are hashed")
    policy = known(policies[0], place, frozenset({"header", "cookie", "connection_properties"}))
    if len(policy) != 1:
        raise UnreadError(place, "nothing, or several things, that are hashed")
    if "header" in policy:
        return "header", text(known(policy["header"], place, frozenset({"header_name"})), "header_name", place).lower()
    if "cookie" in policy:
        return "cookie", text(known(policy["cookie"], place, frozenset({"name"})), "name", place)
    source = known(policy["connection_properties"], place, frozenset({"source_ip"}))
    fixed(source, place, source_ip=True)
    if "source_ip" not in source:
        raise UnreadError(place, "nothing that is hashed")
    return "source", ""
