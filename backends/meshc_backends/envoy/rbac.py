"""Authorisation: rules as Envoy's RBAC filters (`envoy.extensions.filters.http.rbac.v3`, `envoy.config.rbac.v3`).

A DENY filter stands before an ALLOW filter, so that a deny beats every allow. An ALLOW filter without policies denies
everything: what nobody is allowed stays shut.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from meshc_backends.carried import NotCarriedError
from meshc_backends.envoy.header_match import all_of, any_of, condition_permission
from meshc_backends.envoy.message import Message, typed
from meshc_backends.envoy.names import unique_names
from meshc_backends.envoy.path_match import path_forms, string_match
from meshc_backends.envoy.rule_tree import TREE_FROM, rule_tree
from meshc_compiler.ir.caller import AnyCaller, Callers, PlaintextCaller, TheseCallers
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.policy import Effect, Rule

RBAC_FILTER = "envoy.extensions.filters.http.rbac.v3.RBAC"
RBAC_PER_ROUTE = "envoy.extensions.filters.http.rbac.v3.RBACPerRoute"

NETWORK_RBAC_FILTER = "envoy.extensions.filters.network.rbac.v3.RBAC"

ANYBODY: Message = {"any": True}


def permission(match: RequestMatch) -> Message:
    """Return what a request must look like, as a `Permission`.

    The path is compared by `url_path`, which leaves out the query; the pseudo-header `:path` would not.
    """
    parts = []
    if match.methods:
        parts.append(
            any_of({"header": {"name": ":method", "string_match": {"exact": method}}} for method in match.methods)
        )
    if match.path is not None:
        parts.append(any_of({"url_path": {"path": string_match(form)}} for form in path_forms(match.path)))
    if match.condition is not None:
        parts.append(condition_permission(match.condition))
    return all_of(parts)


def authenticated(spiffe_id: str) -> Message:
    """Return the principal whose verified certificate bears exactly this SPIFFE ID as a URI name."""
    return {"authenticated": {"principal_name": {"exact": spiffe_id}}}


def principals(callers: Callers, trust_domain: str, effect: Effect) -> list[Message]:
    """Return the callers as `Principal`s.

    Any caller of an allow is one of the trust domain, any caller of a deny is whoever calls: where in doubt, both deny.
    """
    match callers:
        case AnyCaller(besides):
            verified: Message = {"authenticated": {"principal_name": {"prefix": f"spiffe://{trust_domain}/"}}}
            whoever = ANYBODY if effect is Effect.DENY else verified
            if not besides:
                return [whoever]
            others: list[Message] = [{"not_id": authenticated(str(identity))} for identity in besides]
            return [{"and_ids": {"ids": [whoever, *others]}}]
        case TheseCallers(ids):
            return [authenticated(str(identity)) for identity in ids]
        case PlaintextCaller():
            raise NotCarriedError(callers)
        case _:
            assert_never(callers)


def rbac(effect: Effect, rules: Iterable[Rule], trust_domain: str, *, callers_known: bool = False) -> Message:
    """Return the policies of one effect, each under its rule's id, sorted as Envoy tries them.

    With `callers_known` everybody who gets here is the caller whom the rules are about: the sidecar's own workload.
    """
    chosen = sorted((rule for rule in rules if rule.effect is effect), key=lambda rule: rule.id)
    return {
        "action": effect.value.upper(),
        "policies": {
            name: {
                "permissions": [permission(rule.match)],
                "principals": [ANYBODY] if callers_known else principals(rule.callers, trust_domain, effect),
            }
            for name, rule in zip(unique_names(rule.id for rule in chosen), chosen, strict=True)
        },
    }


def authorisation(rules: Iterable[Rule], trust_domain: str, *, callers_known: bool = False) -> dict[Effect, Message]:
    """Return the configuration of the filters that deny and that allow, with counters for each rule.

    Where the rules of one effect are many the second filter has a tree, and so that each decision keeps its rule's
    name, a tree of many denies too: before its allows, and then the first filter has nothing to do.
    """
    every = tuple(rules)
    some = {effect: [rule for rule in every if rule.effect is effect] for effect in Effect}
    if all(len(of_effect) < TREE_FROM for of_effect in some.values()):
        return {
            effect: _filter(effect, rules=rbac(effect, of_effect, trust_domain, callers_known=callers_known))
            for effect, of_effect in some.items()
        }
    denies_apart = len(some[Effect.DENY]) < TREE_FROM
    apart = some[Effect.DENY] if denies_apart else ()
    within = some[Effect.ALLOW] if denies_apart else every
    return {
        Effect.DENY: _filter(Effect.DENY, rules=rbac(Effect.DENY, apart, trust_domain, callers_known=callers_known)),
        Effect.ALLOW: _filter(Effect.ALLOW, matcher=rule_tree(within, trust_domain, callers_known=callers_known)),
    }


def _filter(effect: Effect, **decision: Message) -> Message:
    return typed(RBAC_FILTER, **decision, rules_stat_prefix=f"{effect}_", track_per_rule_stats=True)


def authorisation_per_route(rules: Iterable[Rule], trust_domain: str) -> dict[Effect, Message]:
    """Return the filters' configurations for one virtual host or route, in place of the listener's."""
    return {
        effect: typed(RBAC_PER_ROUTE, rbac=_untyped(config))
        for effect, config in authorisation(rules, trust_domain, callers_known=True).items()
    }


def network_rbac_filter(effect: Effect, rules: Iterable[Rule], trust_domain: str) -> Message:
    """Return the filter of one effect for connections (`envoy.extensions.filters.network.rbac.v3`).

    The same rules stand there a second time as shadow rules: Envoy tells the log which of those matched, and tells it
    nothing of the others.
    """
    policies = rbac(effect, rules, trust_domain)
    return {
        "name": effect.value,
        "typed_config": typed(
            NETWORK_RBAC_FILTER,
            stat_prefix=f"{effect}_",
            rules=policies,
            shadow_rules=policies,
            shadow_rules_stat_prefix=f"{effect}_",
        ),
    }


def one_identity_filter(trust_domain: str) -> Message:
    """Return the network filter that closes connections of peers without exactly one identity (X.509-SVID §2).

    TLS is content with one URI name of the trust domain among several, and each of them would count as the caller. The
    input joins the names of the verified certificate by commas, which no SPIFFE ID contains.
    """

    def uris(matcher: Message) -> Message:
        names: Message = {
            "name": "envoy.matching.inputs.uri_san",
            "typed_config": typed("envoy.extensions.matching.common_inputs.ssl.v3.UriSanInput"),
        }
        return {"single_predicate": {"input": names, "value_match": matcher}}

    alone = {
        "and_matcher": {
            "predicate": [
                uris({"prefix": f"spiffe://{trust_domain}/"}),
                {"not_matcher": uris({"contains": ","})},
            ]
        }
    }
    allow = {"name": "allow", "typed_config": typed("envoy.config.rbac.v3.Action", name="one", action="ALLOW")}
    return {
        "name": "one_identity",
        "typed_config": typed(
            NETWORK_RBAC_FILTER,
            stat_prefix="peer",
            matcher={"matcher_list": {"matchers": [{"predicate": alone, "on_match": {"action": allow}}]}},
        ),
    }


def _untyped(message: Message) -> Message:
    return {key: value for key, value in message.items() if key != "@type"}
