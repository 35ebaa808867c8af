"""Which connections the policies of a cluster let through: what leaves one end and may come in at the other."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_backends.readback.network_policy.address import EVERYWHERE, AddressSet
from meshc_backends.readback.network_policy.cluster import Cluster, Pod
from meshc_backends.readback.network_policy.connection import EVERYTHING, NOTHING, PROTOCOLS, ConnectionSet, connections
from meshc_backends.readback.network_policy.policy import (
    Action,
    AdminPolicy,
    Direction,
    NamedPort,
    NumberedPorts,
    Outside,
    Pods,
    Port,
    Rule,
)
from meshc_lang.record import dataclass

OUTSIDE = -1
"""Stands for the number of a pod where the other end is an address outside the cluster."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What one rule says of one end: the pods (by number) and addresses at the other end, and the ports.

    `pods` None is every pod.
    """

    pods: frozenset[int] | None
    addresses: AddressSet
    ports: tuple[Port, ...] | None
    action: Action = Action.ALLOW

    def concerns(self, other: int) -> bool:
        """Tell whether a pod is among those at the other end."""
        return self.pods is None or other in self.pods


@dataclass(frozen=True, slots=True)
class Side:
    """What holds of one pod in one direction, in the order in which it decides.

    `policies` None means that no network policy affects the pod in this direction.
    """

    admin: tuple[Grant, ...]
    policies: tuple[Grant, ...] | None
    baseline: tuple[Grant, ...]

    @property
    def is_open(self) -> bool:
        """Whether nothing at all is said."""
        return not self.admin and self.policies is None and not self.baseline


class Reach:
    """Answers who may connect to whom; made once for a cluster, at a cost that grows with what its rules name."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._admin = {direction: self._admin_grants(cluster.admin, direction) for direction in Direction}
        self._baseline = {direction: self._admin_grants(cluster.baseline, direction) for direction in Direction}
        self._policies: dict[Direction, dict[int, list[Grant]]] = {direction: {} for direction in Direction}
        for policy in cluster.policies:
            subjects = tuple(cluster.select(Pods(None, policy.subject), policy.namespace))
            for direction, rules in policy.rules.items():
                grants = [self._grant(rule, policy.namespace) for rule in rules]
                for subject in subjects:
                    self._policies[direction].setdefault(subject, []).extend(grants)

    def side(self, pod: int, direction: Direction) -> Side:
        """Return what is said of one pod in one direction."""
        policies = self._policies[direction].get(pod)
        return Side(
            admin=tuple(self._admin[direction].get(pod, ())),
            policies=None if policies is None else tuple(policies),
            baseline=tuple(self._baseline[direction].get(pod, ())),
        )

    def between(self, source: int, target: int) -> ConnectionSet:
        """Return the connections that one pod may make to another."""
        called = self.cluster.pods[target]
        leaving = permitted(self.side(source, Direction.EGRESS), target, called)
        return leaving & permitted(self.side(target, Direction.INGRESS), source, called) if leaving else NOTHING

    def outside(self, pod: int, direction: Direction) -> Iterator[tuple[AddressSet, ConnectionSet]]:
        """Yield what may pass between a pod and the addresses outside: sets of addresses, none in two of them."""
        side = self.side(pod, direction)
        called = self.cluster.pods[pod] if direction is Direction.INGRESS else None
        parts = [EVERYWHERE]
        for grant in (*side.admin, *(side.policies or ()), *side.baseline):
            cut = [(part & grant.addresses, part - grant.addresses) for part in parts]
            parts = [piece for pieces in cut for piece in pieces if piece]
        for part in parts:
            yield part, permitted(side, OUTSIDE, called, part)

    def _grant(self, rule: Rule, namespace: str) -> Grant:
        if rule.peers is None:
            return Grant(None, EVERYWHERE, rule.ports, rule.action)
        pods: set[int] = set()
        addresses = AddressSet()
        for peer in rule.peers:
            if isinstance(peer, Outside):
                addresses |= peer.addresses
            else:
                pods.update(self.cluster.select(peer, namespace))
        return Grant(frozenset(pods), addresses, rule.ports, rule.action)

    def _admin_grants(self, policies: tuple[AdminPolicy, ...], direction: Direction) -> dict[int, list[Grant]]:
        found: dict[int, list[Grant]] = {}
        for policy in policies:
            grants = [self._grant(rule, "") for rule in policy.rules[direction]]
            for subject in self.cluster.select(policy.subject, ""):
                found.setdefault(subject, []).extend(grants)
        return found


def permitted(side: Side, other: int, called: Pod | None, where: AddressSet | None = None) -> ConnectionSet:
    """Return what one side lets through to or from the other end.

    `called` is the pod whose ports are meant, None where it lies outside: that has no ports with names. `where` are
    addresses outside, all of them in or all of them out of what each grant names; `other` is then `OUTSIDE`.
    """
    undecided, allowed, passed = EVERYTHING, NOTHING, NOTHING
    for grant, ports in _met(side.admin, other, called, where):
        decided = ports & undecided
        undecided -= decided
        match grant.action:
            case Action.ALLOW:
                allowed |= decided
            case Action.PASS:
                passed |= decided
            case Action.DENY:
                pass
    undecided |= passed
    if side.policies is not None:
        for _, ports in _met(side.policies, other, called, where):
            allowed |= ports & undecided
        return allowed
    for grant, ports in _met(side.baseline, other, called, where):
        decided = ports & undecided
        undecided -= decided
        if grant.action is Action.ALLOW:
            allowed |= decided
    return allowed | undecided


def _met(
    grants: tuple[Grant, ...], other: int, called: Pod | None, where: AddressSet | None
) -> Iterator[tuple[Grant, ConnectionSet]]:
    for grant in grants:
        meets = grant.concerns(other) if where is None else bool(where & grant.addresses)
        if meets:
            yield grant, ports_of(grant.ports, called)


def ports_of(ports: tuple[Port, ...] | None, called: Pod | None) -> ConnectionSet:
    """Return the connections that a rule's ports mean, towards the pod that is called."""
    if ports is None:
        return EVERYTHING
    ranges: list[tuple[str, int, int]] = []
    for port in ports:
        match port:
            case NumberedPorts(protocol, low, high):
                ranges.append((protocol, low, high))
            case NamedPort(name, protocol):
                ranges += [
                    (one.protocol, one.number, one.number)
                    for one in (() if called is None else called.ports)
                    if one.name == name and protocol in (None, one.protocol) and one.protocol in PROTOCOLS
                ]
    return connections(ranges)
