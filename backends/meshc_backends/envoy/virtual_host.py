"""Virtual hosts: a name that callers use, and the routes behind it (`envoy.config.route.v3.VirtualHost`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshc_backends.envoy import names
from meshc_backends.envoy.access_log import callee_metadata
from meshc_backends.envoy.fault import fault_name, faults_per_route
from meshc_backends.envoy.http_filters import ALLOW, DENY, LIMIT, guarded, switched_off
from meshc_backends.envoy.message import Message
from meshc_backends.envoy.path_match import quote
from meshc_backends.envoy.route import (
    OTHERWISE,
    answer,
    application_route,
    call_settings,
    protocol_fields,
    service_routes,
)
from meshc_backends.envoy.spelling import refused_spellings
from meshc_backends.placement import host_names
from meshc_compiler.ir.caller import includes
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.slice import InboundPort, OutboundExternal, OutboundService
from meshc_compiler.ir.workload import External

EVERY_HOST = "*"

_EVERY_PATH: Message = {"prefix": "/"}

_STANDARD_PORTS = {True: 443, False: 80}
"""The port that a `Host` leaves out, with and without TLS (RFC 9110 §4.2)."""


def refusal(matches: Iterable[RequestMatch], *filters: str) -> Message:
    """Return the route, first of a virtual host, that answers 400 to spellings which nobody should forward.

    It goes past the filters named, whose answer would be 403 or 429: nothing behind the route is ever reached.
    """
    route = answer({"safe_regex": {"regex": refused_spellings(matches)}}, 400, "refused spelling")
    return {**route, "typed_per_filter_config": switched_off(*filters)} if filters else route


def trace_refusal(*filters: str) -> Message:
    """Return the route that answers 405 to TRACE where rules allow it: it would echo what proxies add on the way."""
    trace: Message = {"name": ":method", "string_match": {"exact": "TRACE"}}
    route = answer({**_EVERY_PATH, "headers": [trace]}, 405, "refused method")
    return {**route, "typed_per_filter_config": switched_off(*filters)} if filters else route


def application_host(inbound: InboundPort) -> Message:
    """Return the one virtual host of an inbound port: whatever name the caller used, it is the workload."""
    filters = (DENY, ALLOW, *([LIMIT] if inbound.limits else []), *map(fault_name, inbound.faults))
    return {
        "name": f"{inbound.service.name}:{inbound.port.number}",
        "domains": [EVERY_HOST],
        "routes": [
            refusal((rule.match for rule in inbound.rules), *filters),
            trace_refusal(*filters[2:]),
            application_route(names.application_cluster(inbound.port)),
        ],
    }


def service_host(callee: OutboundService, caller: SpiffeId) -> Message:
    """Return the virtual host of one port of a service; the callee itself decides who may call it.

    Raises:
        TooWideError: a rule of the route would become too many routes of Envoy's.
    """
    return {
        "name": f"{callee.service.name}:{callee.port.number}",
        "domains": list(host_names(callee.service, callee.port)),
        "metadata": callee_metadata(callee.service.name, callee.port.number),
        "typed_per_filter_config": switched_off(DENY, ALLOW),
        "routes": [
            refusal(_compared(callee)),
            *service_routes(callee, caller),
        ],
    }


def _compared(callee: OutboundService) -> Iterator[RequestMatch]:
    """Yield every match that the routes to a callee ask for."""
    yield from (rule.rule.match for rule in callee.rules if rule.rule is not None)
    yield from (guard.match for guard in callee.guards)
    yield from (one.mirror.match for one in callee.mirrors)


def external_domains(external: External, host: str, *, bare: bool) -> list[str]:
    """Return the `Host` values that mean a host of an external; `bare` if the one without a port does."""
    return [*([host] if bare else []), f"{host}:{external.port.number}"]


def external_host(callee: OutboundExternal, host: str, caller: SpiffeId, *, bare: bool) -> Message:
    """Return the virtual host of one host of an external: its rules for this caller are enforced here.

    The callee gets the host's own name in `Host`, with the port only where the scheme does not imply it.
    """
    external = callee.external
    rules = tuple(rule for rule in callee.rules if includes(rule.callers, caller))
    standard = external.port.number == _STANDARD_PORTS[external.tls is not None]
    return {
        "name": names.external_cluster(external, host),
        "domains": external_domains(external, host, bare=bare),
        "metadata": callee_metadata(external.name, external.port.number),
        "typed_per_filter_config": {
            **guarded(rules, caller.trust_domain),
            **faults_per_route(callee.faults),
        },
        "routes": [
            refusal((rule.match for rule in rules), DENY, ALLOW, *map(fault_name, callee.faults)),
            trace_refusal(*map(fault_name, callee.faults)),
            {
                "name": OTHERWISE,
                "match": {"prefix": "/"},
                "route": {
                    "cluster": names.external_cluster(external, host),
                    "host_rewrite_literal": host if standard else f"{host}:{external.port.number}",
                    **call_settings(callee.settings),
                    **protocol_fields(external.port.protocol, callee.settings),
                },
            },
        ],
    }


def stranger_host(namespaces: tuple[str, ...]) -> Message:
    """Return the virtual host of every other name: 403 for names of the mesh, 404 for names outside it.

    Whether a service of the mesh exists is not told: a name without dots, or one below `svc` or a namespace of the
    mesh, is answered as one that this workload may not call. The expression only chooses between two refusals.
    """
    below = "|".join(["(?:.*\\.)?svc(?:\\.cluster\\.local)?", *(f"[^.]+\\.{quote(name)}" for name in namespaces)])
    internal = f"(?i)(?:[^.\\[\\]]+|{below})(?::[0-9]*)?"
    authority: Message = {"name": ":authority", "string_match": {"safe_regex": {"regex": internal}}}
    off = {"typed_per_filter_config": switched_off(DENY, ALLOW)}
    return {
        "name": "strangers",
        "domains": [EVERY_HOST],
        **off,
        "routes": [
            refusal(()),
            answer({**_EVERY_PATH, "headers": [authority]}, 403, "not granted"),
            answer(_EVERY_PATH, 404, "unknown host"),
        ],
    }
