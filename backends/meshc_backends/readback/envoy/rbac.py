"""Authorisation (`envoy.config.rbac.v3`): what a filter refuses.

A policy matches if one of its permissions and one of its principals do. DENY refuses what some policy matches, ALLOW
what none does; without `rules` a filter refuses nothing.
"""

from __future__ import annotations

from meshc_backends.readback.envoy.caller import EVERYBODY, NOBODY, complement, named_by, union
from meshc_backends.readback.envoy.fields import Message, flag, items, known, only_field
from meshc_backends.readback.envoy.rule_tree import tree_gate
from meshc_backends.readback.envoy.text import line_header, path_matcher, text_matcher
from meshc_backends.readback.formula import ALWAYS, NEVER, Callers, Formula, all_of, any_of, not_
from meshc_backends.readback.policy import Gate, Named, Stage
from meshc_backends.readback.unread import UnreadError

_FILTER = frozenset(
    {
        "@type", "rules", "matcher", "rules_stat_prefix", "track_per_rule_stats", "stat_prefix", "shadow_rules",
        "shadow_rules_stat_prefix",
    }
)  # fmt: skip
_RULES = frozenset({"action", "policies"})
_POLICY = frozenset({"permissions", "principals"})


def gate_of(message: object, place: str, universe: str | None) -> Gate:
    """Return what a filter refuses, if anything. `universe` begins the identities of all who get here.

    Shadow rules refuse nothing: they are for the log. A matcher stands in place of rules.
    """
    filter_ = known(message, place, _FILTER)
    if "matcher" in filter_:
        return tree_gate(filter_["matcher"], place, universe)
    rules = filter_.get("rules")
    if rules is None:
        return ()
    action = known(rules, place, _RULES).get("action", "ALLOW")
    if action not in {"ALLOW", "DENY"}:
        raise UnreadError(place, f"the action {action!r}")
    policies = rules.get("policies", {})
    if not isinstance(policies, dict):
        raise UnreadError(place, "policies that are no map")
    stated = frozenset(
        Named(name, formula)
        for name, policy in policies.items()
        if (formula := _policy(policy, place, universe)) is not NEVER
    )
    return (Stage(denies=action == "DENY", rules=stated),)


def _policy(message: object, place: str, universe: str | None) -> Formula:
    policy = known(message, place, _POLICY)
    who = NOBODY
    for principal in items(policy, "principals", place):
        who = union(who, _principal(principal, place, universe))
    if who == NOBODY:
        return NEVER
    what = [_permission(permission, place) for permission in items(policy, "permissions", place)]
    wanted = what[0] if len(what) == 1 else any_of(what)
    return wanted if who == EVERYBODY else all_of((who, wanted))


def _permission(message: object, place: str) -> Formula:
    kind, value = only_field(message, place)
    match kind:
        case "header":
            return line_header(value, place)
        case "url_path":
            return path_matcher(value, place)
        case "and_rules":
            return all_of([_permission(one, place) for one in _rules(value, place)])
        case "or_rules":
            return any_of([_permission(one, place) for one in _rules(value, place)])
        case "not_rule":
            return not_(_permission(value, place))
        case "any" if value is True:
            return ALWAYS
        case _:
            raise UnreadError(place, f"the permission `{kind}`")


def _rules(message: object, place: str) -> list[Message]:
    return items(known(message, place, frozenset({"rules"})), "rules", place)


def _principal(message: object, place: str, universe: str | None) -> Callers:
    kind, value = only_field(message, place)
    match kind:
        case "any" if value is True:
            return EVERYBODY
        case "authenticated":
            return _authenticated(value, place, universe)
        case "and_ids":
            who = EVERYBODY
            for one in items(known(value, place, frozenset({"ids"})), "ids", place):
                who = complement(union(complement(who), complement(_principal(one, place, universe))))
            return who
        case "or_ids":
            who = NOBODY
            for one in items(known(value, place, frozenset({"ids"})), "ids", place):
                who = union(who, _principal(one, place, universe))
            return who
        case "not_id":
            return complement(_principal(value, place, universe))
        case _:
            raise UnreadError(place, f"the principal `{kind}`")


def _authenticated(message: object, place: str, universe: str | None) -> Callers:
    """Return whose certificate bears the name; on a plain connection nobody has one."""
    authenticated = known(message, place, frozenset({"principal_name"}))
    if universe is None:
        return NOBODY
    if "principal_name" not in authenticated:
        return EVERYBODY
    return named_by(text_matcher(authenticated["principal_name"], place), place, universe)


def gate_per_route(message: object, place: str, universe: str | None) -> Gate:
    """Return what is refused by an `RBACPerRoute`; without `rbac` the filter is off."""
    per_route = known(message, place, frozenset({"@type", "rbac"}))
    return gate_of(per_route["rbac"], place, universe) if "rbac" in per_route else ()


def is_switched_off(message: object, place: str) -> bool:
    """Tell whether a `FilterConfig` switches its filter off."""
    return flag(known(message, place, frozenset({"@type", "disabled"})), "disabled", place)
