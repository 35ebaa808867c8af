"""Routes and virtual hosts: where a request goes, how long it may take, and when it is tried again.

Envoy takes the first route that matches (`envoy.config.route.v3`). A rule of the program becomes as many routes as it
has alternatives of method, path and header; they differ in nothing else, so their order among themselves is no matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from meshc_backends.envoy import names
from meshc_backends.envoy.cluster_terms import cluster_terms
from meshc_backends.envoy.header_match import ROUTES_AT_MOST, TooWideError
from meshc_backends.envoy.http_connection import WEBSOCKET
from meshc_backends.envoy.http_filters import guarded
from meshc_backends.envoy.message import Message, duration
from meshc_backends.envoy.mirror import mirror_policies, mirror_sets, narrowed
from meshc_backends.envoy.retry import retry_policy
from meshc_compiler.ir.caller import includes
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.route import REDIRECT_STATUS, Answer, Redirect, Respond, RouteRule
from meshc_compiler.ir.setting import HashKey, HashKeyKind, Settings
from meshc_compiler.ir.slice import OutboundRule, OutboundService
from meshc_compiler.ir.workload import Protocol
from meshc_lang.source import Span

EVERYTHING = RequestMatch()

OTHERWISE = "otherwise"
"""The name of the route that takes what no rule of the program matches."""


def route_matches(match: RequestMatch) -> tuple[Message, ...]:
    """Return the `RouteMatch`es of which one holds exactly if the match does.

    Raises:
        TooWideError: there would be more than `ROUTES_AT_MOST`.
    """
    return narrowed(match, ())


def service_routes(callee: OutboundService, caller: SpiffeId) -> list[Message]:
    """Return the routes to a service, in the order of its rules.

    Raises:
        TooWideError: a rule would become more than `ROUTES_AT_MOST` routes.
    """
    routes: list[Message] = []
    for rule in callee.rules:
        match = rule.rule.match if rule.rule is not None else EVERYTHING
        if rule.rule is not None and rule.rule.answer is not None:
            routes += _answers(callee, rule.rule, rule.rule.answer, route_matches(match), caller)
            continue
        action = _service_action(callee, rule)
        own: list[Message] = []
        for mirrors in mirror_sets(callee):
            own += [
                {"name": _route_name(rule), "match": both, "route": {**action, **mirror_policies(mirrors)}}
                for both in narrowed(match, mirrors)
            ]
        if len(own) > ROUTES_AT_MOST:
            raise TooWideError
        routes += own
    return routes


def _answers(
    callee: OutboundService, rule: RouteRule, answered: Answer, matches: tuple[Message, ...], caller: SpiffeId
) -> Iterator[Message]:
    """Yield the routes that Envoy answers itself, to requests that are allowed; the others get what the callee gives.

    TRACE is never answered but with 405, as everywhere.
    """
    guards = [guard for guard in callee.guards if includes(guard.callers, caller)]
    own: Message = {"typed_per_filter_config": guarded(guards, caller.trust_domain)}
    for match in matches:
        if not rule.match.methods:
            trace: Message = {"name": ":method", "string_match": {"exact": "TRACE"}}
            refused = {**match, "headers": [*match.get("headers", []), trace]}
            yield {**answer(refused, 405, "refused method"), **own}
        match answered:
            case Respond(status=status):
                yield {**answer(match, status, rule.id), **own}
            case Redirect(location=location):
                # A `%` would begin one of Envoy's own substitutions.
                header = {"key": "location", "value": location.replace("%", "%%")}
                yield {
                    **answer(match, REDIRECT_STATUS, rule.id),
                    # Envoy has put the address of the request there.
                    "response_headers_to_add": [{"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
                    **own,
                }
            case _:
                assert_never(answered)


def _route_name(rule: OutboundRule) -> str:
    return OTHERWISE if rule.rule is None else rule.rule.id


def _service_action(callee: OutboundService, rule: OutboundRule) -> Message:
    terms = cluster_terms(rule.settings)
    shares = [
        (names.service_cluster(callee.service, callee.port, destination.version, terms), destination.weight)
        for destination in rule.destinations
        if destination.weight
    ]
    if len(shares) == 1:
        where: Message = {"cluster": shares[0][0]}
    else:
        where = {"weighted_clusters": {"clusters": [{"name": name, "weight": weight} for name, weight in shares]}}
    return {**where, **call_settings(rule.settings), **protocol_fields(callee.port.protocol, rule.settings)}


def protocol_fields(protocol: Protocol, settings: Settings) -> Message:
    """Return the fields of a `RouteAction` that follow from what a port speaks.

    A WebSocket is opened by HTTP/1.1 alone. A caller of gRPC says how long it waits, and the call is given up then; not
    where the program states a timeout: of the two Envoy would look at nothing but the caller's.
    """
    fields: Message = {}
    if protocol is not Protocol.HTTP:
        fields["upgrade_configs"] = [{"upgrade_type": WEBSOCKET, "enabled": False}]
    if protocol is Protocol.GRPC and not (settings.timeout_ns and settings.timeout_ns.value):
        fields["max_stream_duration"] = {"grpc_timeout_header_max": "0s"}
    return fields


def call_settings(settings: Settings) -> Message:
    """Return the fields of a `RouteAction` that say how a call behaves.

    A timeout that the program does not state is switched off: Envoy would put 15 seconds. It counts from the end of the
    request to the end of the response, retries included.
    """
    fields: Message = {"timeout": duration(settings.timeout_ns.value if settings.timeout_ns else 0)}
    if settings.retries:
        fields["retry_policy"] = retry_policy(settings)
    if settings.balance is not None and settings.balance.value.key is not None:
        fields["hash_policy"] = [hash_policy(settings.balance.value.key)]
    return fields


def header_settings(settings: Settings) -> Iterator[tuple[str, str, Span | None]]:
    """Yield the headers that settings look at: the setting's name, the header, and where that is stated."""
    if (key := settings.retry_key_header) is not None:
        yield "retry key-header", key.value, key.origin
    balance = settings.balance
    if balance is not None and (hashed := balance.value.key) is not None and hashed.kind is HashKeyKind.HEADER:
        yield "balance", hashed.name or "", balance.origin


def hash_policy(key: HashKey) -> Message:
    """Return what is hashed (`RouteAction.HashPolicy`); a call without it goes to any instance.

    Without a `ttl` Envoy makes no cookies of its own.
    """
    match key.kind:
        case HashKeyKind.HEADER:
            return {"header": {"header_name": key.name}}
        case HashKeyKind.COOKIE:
            return {"cookie": {"name": key.name}}
        case HashKeyKind.SOURCE:
            return {"connection_properties": {"source_ip": True}}
        case _:
            assert_never(key.kind)


def application_route(cluster: str) -> Message:
    """Return the route to the workload itself: no timeout and no retry; both are the caller's to state."""
    return {"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "0s"}}


def answer(match: Message, status: int, name: str) -> Message:
    """Return a route that Envoy answers itself."""
    return {"name": name, "match": match, "direct_response": {"status": status}}
