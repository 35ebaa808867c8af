"""Network policies as Kubernetes keeps them: whom they select, and what their rules let through."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from meshc_backends.readback.network_policy.address import AddressSet
from meshc_backends.readback.network_policy.label import Selector
from meshc_lang.record import dataclass


class Direction(StrEnum):
    """Which way a rule looks: at what comes into the selected pods, or at what leaves them."""

    INGRESS = "Ingress"
    EGRESS = "Egress"


class Action(StrEnum):
    """What a rule of an AdminNetworkPolicy does; rules of a NetworkPolicy only allow."""

    ALLOW = "Allow"
    DENY = "Deny"
    PASS = "Pass"  # noqa: S105 - the word of the API for: let network policies decide
    """Network policies decide, and no admin policy of lower precedence."""


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods that `pods` selects in the namespaces that `namespaces` selects; None is the policy's own."""

    namespaces: Selector | None
    pods: Selector


@dataclass(frozen=True, slots=True)
class Outside:
    """Addresses outside the cluster: an `ipBlock` without its exceptions, or `networks`."""

    addresses: AddressSet


Peer: TypeAlias = Pods | Outside
"""The other end of a connection."""


@dataclass(frozen=True, slots=True)
class NumberedPorts:
    """Ports `low` to `high` of a protocol."""

    protocol: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class NamedPort:
    """The port that the pod which is called has under a name; a protocol of None is any."""

    name: str
    protocol: str | None


Port: TypeAlias = NumberedPorts | NamedPort
"""What a rule says of ports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one rule lets through, stops or passes on. `peers` None is everybody, `ports` None every port."""

    peers: tuple[Peer, ...] | None
    ports: tuple[Port, ...] | None
    action: Action = Action.ALLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPolicy:
    """A NetworkPolicy (networking.k8s.io/v1). A direction is a key of `rules` exactly if the policy affects it.

    A pod that some policy affects may connect as any of them allows, and not otherwise.
    """

    name: str
    namespace: str
    subject: Selector
    rules: dict[Direction, tuple[Rule, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminPolicy:
    """An AdminNetworkPolicy, or the BaselineAdminNetworkPolicy (policy.networking.k8s.io/v1alpha1).

    The first rule that matches decides, of the policy with the lowest number of `priority` first. The baseline, with
    `priority` None, comes after the network policies, for pods that none of them affects.
    """

    name: str
    priority: int | None
    subject: Pods
    rules: dict[Direction, tuple[Rule, ...]]
