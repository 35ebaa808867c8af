"""Policies out of Kubernetes objects, by the API's documentation; no field is passed over for not being understood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from meshc_backends.readback.network_policy import policy as p
from meshc_backends.readback.network_policy.address import AddressSet, networks
from meshc_backends.readback.network_policy.connection import PROTOCOLS
from meshc_backends.readback.network_policy.label import ALL, IN, NOT_IN, OPERATORS, Requirement, Selector
from meshc_backends.readback.network_policy.policy import Action, Direction

_SIDES = {Direction.INGRESS: ("ingress", "from"), Direction.EGRESS: ("egress", "to")}


class UnreadableError(Exception):
    """An object that says something this reader does not understand; the message says what, in one line."""


def network_policy(document: Mapping[str, Any]) -> p.NetworkPolicy:
    """Return a NetworkPolicy (networking.k8s.io/v1).

    Raises:
        UnreadableError: it has a field or value that the API does not have.
    """
    name, namespace = metadata(document)
    spec = _mapping(document.get("spec"), "spec", {"podSelector", "policyTypes", "ingress", "egress"})
    affected = _list(spec.get("policyTypes"), "policyTypes")
    if not affected:
        # "Policies that contain an egress section are assumed to affect egress", and all of them affect ingress.
        affected = [Direction.INGRESS, *([Direction.EGRESS] if spec.get("egress") else [])]
    rules: dict[Direction, tuple[p.Rule, ...]] = {}
    for word in affected:
        if word not in tuple(Direction):
            raise UnreadableError(f"policyTypes: `{word}` is neither Ingress nor Egress")
        rules[Direction(word)] = tuple(_rules(spec, Direction(word)))
    return p.NetworkPolicy(
        name=name, namespace=namespace or "default", subject=_selector(spec.get("podSelector")) or ALL, rules=rules
    )


def admin_policy(document: Mapping[str, Any]) -> p.AdminPolicy:
    """Return an AdminNetworkPolicy or a BaselineAdminNetworkPolicy (policy.networking.k8s.io/v1alpha1).

    Raises:
        UnreadableError: it has a field or value that the API does not have.
    """
    name, _ = metadata(document)
    spec = _mapping(document.get("spec"), "spec", {"priority", "subject", "ingress", "egress"})
    baseline = document.get("kind") == "BaselineAdminNetworkPolicy"
    priority = None if baseline else spec.get("priority")
    if not baseline and not isinstance(priority, int):
        raise UnreadableError("priority: a number is missing")
    rules = {direction: tuple(_admin_rules(spec, direction)) for direction in Direction}
    return p.AdminPolicy(name=name, priority=priority, subject=_scoped(spec.get("subject"), "subject"), rules=rules)


def metadata(document: Mapping[str, Any]) -> tuple[str, str]:
    """Return name and namespace; the namespace is empty where none is stated."""
    meta = document.get("metadata") or {}
    return str(meta.get("name", "")), str(meta.get("namespace") or "")


def _rules(spec: Mapping[str, Any], direction: Direction) -> Iterator[p.Rule]:
    section, side = _SIDES[direction]
    for entry in _list(spec.get(section), section):
        rule = _mapping(entry, section, {side, "ports"})
        peers = _list(rule.get(side), side)
        ports = _list(rule.get("ports"), "ports")
        # "If this field is empty or missing, this rule matches all" peers, and all ports likewise.
        yield p.Rule(
            peers=tuple(map(_peer, peers)) or None,
            ports=tuple(map(_port, ports)) or None,
        )


def _peer(entry: Any) -> p.Peer:
    peer = _mapping(entry, "peer", {"podSelector", "namespaceSelector", "ipBlock"})
    if (block := peer.get("ipBlock")) is not None:
        if len(peer) > 1:
            raise UnreadableError("peer: an ipBlock stands alone")
        return p.Outside(_block(block))
    pods, namespaces = _selector(peer.get("podSelector")), _selector(peer.get("namespaceSelector"))
    if pods is None and namespaces is None:
        raise UnreadableError("peer: it names nobody")
    return p.Pods(namespaces=namespaces, pods=pods or ALL)


def _block(block: Any) -> AddressSet:
    fields = _mapping(block, "ipBlock", {"cidr", "except"})
    try:
        return networks([str(fields.get("cidr"))]) - networks(map(str, _list(fields.get("except"), "except")))
    except ValueError as error:
        raise UnreadableError(f"ipBlock: {error}") from None


def _port(entry: Any) -> p.Port:
    port = _mapping(entry, "ports", {"protocol", "port", "endPort"})
    protocol = _protocol(port.get("protocol") or PROTOCOLS[0])
    low, high = port.get("port"), port.get("endPort")
    if isinstance(low, str):
        if high is not None:
            raise UnreadableError("ports: endPort goes with a number")
        return p.NamedPort(low, protocol)
    if low is None:
        if high is not None:
            raise UnreadableError("ports: endPort goes with a port")
        return p.NumberedPorts(protocol, 1, 65535)
    return p.NumberedPorts(protocol, _number(low), _number(low if high is None else high))


def _admin_rules(spec: Mapping[str, Any], direction: Direction) -> Iterator[p.Rule]:
    section, side = _SIDES[direction]
    for entry in _list(spec.get(section), section):
        rule = _mapping(entry, section, {"name", "action", side, "ports"})
        word = rule.get("action")
        if word not in tuple(Action):
            raise UnreadableError(f"action: `{word}` is no action")
        peers = [peer for one in _list(rule.get(side), side) for peer in _admin_peer(one)]
        ports = rule.get("ports")
        yield p.Rule(
            peers=tuple(peers),
            ports=None if ports is None else tuple(_admin_port(one) for one in _list(ports, "ports")),
            action=Action(word),
        )


def _admin_peer(entry: Any) -> Iterator[p.Peer]:
    peer = _mapping(entry, "peer", {"namespaces", "pods", "networks"})
    if (blocks := peer.get("networks")) is not None:
        try:
            yield p.Outside(networks(map(str, _list(blocks, "networks"))))
        except ValueError as error:
            raise UnreadableError(f"networks: {error}") from None
    else:
        yield _scoped(peer, "peer")


def _scoped(entry: Any, where: str) -> p.Pods:
    scope = _mapping(entry, where, {"namespaces", "pods"})
    if "namespaces" in scope:
        return p.Pods(namespaces=_selector(scope["namespaces"]) or ALL, pods=ALL)
    pods = _mapping(scope.get("pods"), where, {"namespaceSelector", "podSelector"})
    return p.Pods(
        namespaces=_selector(pods.get("namespaceSelector")) or ALL, pods=_selector(pods.get("podSelector")) or ALL
    )


def _admin_port(entry: Any) -> p.Port:
    port = _mapping(entry, "ports", {"portNumber", "portRange", "namedPort"})
    if "namedPort" in port:
        return p.NamedPort(str(port["namedPort"]), None)
    if "portNumber" in port:
        one = _mapping(port["portNumber"], "portNumber", {"protocol", "port"})
        number = _number(one.get("port"))
        return p.NumberedPorts(_protocol(one.get("protocol") or PROTOCOLS[0]), number, number)
    between = _mapping(port.get("portRange"), "portRange", {"protocol", "start", "end"})
    protocol = _protocol(between.get("protocol") or PROTOCOLS[0])
    return p.NumberedPorts(protocol, _number(between.get("start")), _number(between.get("end")))


def _selector(value: Any) -> Selector | None:
    """Return a selector; None where there is none, which is not the same as an empty one."""
    if value is None:
        return None
    fields = _mapping(value, "selector", {"matchLabels", "matchExpressions"})
    labels = _mapping(fields.get("matchLabels") or {}, "matchLabels", None)
    requirements = [Requirement(key, IN, frozenset({str(text)})) for key, text in sorted(labels.items())]
    for entry in _list(fields.get("matchExpressions"), "matchExpressions"):
        one = _mapping(entry, "matchExpressions", {"key", "operator", "values"})
        operator, values = one.get("operator"), _list(one.get("values"), "values")
        if operator not in OPERATORS or not isinstance(one.get("key"), str):
            raise UnreadableError(f"matchExpressions: `{operator}` is no operator on a key")
        if bool(values) is not (operator in (IN, NOT_IN)):
            raise UnreadableError(f"matchExpressions: `{operator}` with {len(values)} values")
        requirements.append(Requirement(one["key"], operator, frozenset(map(str, values))))
    return Selector(tuple(requirements))


def _protocol(word: Any) -> str:
    if word not in PROTOCOLS:
        raise UnreadableError(f"protocol: `{word}` is none of {', '.join(PROTOCOLS)}")
    return str(word)


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
        raise UnreadableError(f"port: `{value}` is no port")
    return value


def _mapping(value: Any, where: str, known: set[str] | None) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UnreadableError(f"{where}: a mapping is missing")
    if known is not None and (unknown := [key for key in value if key not in known]):
        raise UnreadableError(f"{where}: unknown field `{unknown[0]}`")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise UnreadableError(f"{where}: a list is missing")
    return value
