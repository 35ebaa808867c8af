"""The HTTP filters of a listener, in the order in which a request meets them: the tuple is the order.

deny, allow, limit, faults, router: who may not, who may, how much, what mishaps, where to. Each is named by what it
does; a route switches off by that name what does not apply to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshc_backends.envoy.fault import inbound_faults, outbound_faults
from meshc_backends.envoy.message import Message, typed
from meshc_backends.envoy.rate_limit import rate_limit_filter
from meshc_backends.envoy.rbac import authorisation, authorisation_per_route
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.ir.slice import InboundPort
from meshc_compiler.ir.traffic import Fault

DENY = "deny"
ALLOW = "allow"
LIMIT = "limit"

ROUTER: Message = {
    "name": "router",
    "typed_config": typed("envoy.extensions.filters.http.router.v3.Router", suppress_envoy_headers=True),
}


def inbound_filters(inbound: InboundPort, trust_domain: str) -> tuple[Message, ...]:
    """Return the filters before the workload itself."""
    return (
        *_named(authorisation(inbound.rules, trust_domain)),
        *({"name": LIMIT, "typed_config": rate_limit_filter(limits, LIMIT)} for limits in [inbound.limits] if limits),
        *inbound_faults(inbound.faults),
        ROUTER,
    )


def outbound_filters(trust_domain: str, faults: Iterable[Fault] = ()) -> tuple[Message, ...]:
    """Return the filters on the way out.

    As they stand they deny everything: the virtual host of an external puts its rules in, the one of a service, which
    decides for itself, switches them off.
    """
    return (
        *_named(authorisation((), trust_domain)),
        *outbound_faults(faults),
        ROUTER,
    )


def _named(authorisation: dict[Effect, Message]) -> Iterator[Message]:
    for name, effect in ((DENY, Effect.DENY), (ALLOW, Effect.ALLOW)):
        yield {"name": name, "typed_config": authorisation[effect]}


def guarded(rules: Iterable[Rule], trust_domain: str) -> dict[str, Message]:
    """Return the `typed_per_filter_config` by which rules about one caller hold for a route or virtual host."""
    own = authorisation_per_route(rules, trust_domain)
    return {DENY: own[Effect.DENY], ALLOW: own[Effect.ALLOW]}


def switched_off(*filters: str) -> Message:
    """Return the `typed_per_filter_config` by which a route or virtual host goes past some filters."""
    return {name: typed("envoy.config.route.v3.FilterConfig", disabled=True) for name in filters}
