"""Pods of which the program says nothing: whether a rule might mean one of them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from math import prod

from meshc_backends.readback.network_policy.cluster import NAME_LABEL, Pod
from meshc_backends.readback.network_policy.label import IN, Selector
from meshc_backends.readback.network_policy.policy import NamedPort, NetworkPolicy, Outside, Pods
from meshc_backends.readback.network_policy.policy_reader import UnreadableError

_MOST_CHOICES = 10_000
"""The most combinations of labels of one peer that are looked at; beyond it the peer counts as too wide."""


class Strangers:
    """Tells which peers mean known pods alone: pods with all labels of a workload's selector, in its namespace."""

    def __init__(self, known: Iterable[Pod]) -> None:
        self._known: dict[tuple[str, str, str], list[dict[str, str]]] = {}
        for pod in known:
            if pod.labels:
                key, value = min(pod.labels.items())
                self._known.setdefault((pod.namespace, key, value), []).append(pod.labels)

    def among(self, peer: Pods, own: str) -> str | None:
        """Return a pod that is none of the known ones and is meant by a peer in a policy of namespace `own`."""
        namespaces: Iterable[str] = (own,)
        if peer.namespaces is not None:
            named = [one.values for one in peer.namespaces.requirements if one.key == NAME_LABEL]
            if not named:
                return "pods of any namespace"
            namespaces = sorted(frozenset.intersection(*named))
        demands: dict[str, frozenset[str]] = {}
        for one in peer.pods.requirements:
            demands[one.key] = demands.get(one.key, one.values) & one.values
        if prod(map(len, demands.values())) > _MOST_CHOICES:
            return "more pods than can be told"
        for namespace in namespaces:
            for values in product(*map(sorted, demands.values())):
                labels = dict(zip(demands, values, strict=True))
                if not self._is_known(namespace, labels):
                    shown = ", ".join(f"{key}: {value}" for key, value in sorted(labels.items()))
                    return f"pods of namespace `{namespace}`" + (f" with the labels `{shown}`" if shown else "")
        return None

    def _is_known(self, namespace: str, labels: dict[str, str]) -> bool:
        return any(
            known.items() <= labels.items()
            for key, value in labels.items()
            for known in self._known.get((namespace, key, value), ())
        )


def require_plain(policy: NetworkPolicy) -> None:
    """Refuse what depends on labels and ports of pods of which the program says nothing.

    Raises:
        UnreadableError: a selector asks for more than values of labels, or a port goes by its name.
    """
    _require_values(policy.subject)
    for rules in policy.rules.values():
        for rule in rules:
            for port in rule.ports or ():
                if isinstance(port, NamedPort):
                    raise UnreadableError(f"policy `{policy.name}`: port `{port.name}` goes by its name")
            for peer in rule.peers or ():
                if not isinstance(peer, Outside):
                    _require_values(peer.pods)
                    _require_values(peer.namespaces or Selector())


def _require_values(selector: Selector) -> None:
    for one in selector.requirements:
        if one.operator != IN:
            raise UnreadableError(f"a selector asks for `{one.key}` by `{one.operator}`, and pods may bear any label")
