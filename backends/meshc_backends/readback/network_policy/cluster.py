"""A cluster as network policies see it: pods with labels in namespaces with labels, and the policies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshc_backends.readback.network_policy.label import EXISTS, Selector
from meshc_backends.readback.network_policy.policy import AdminPolicy, NetworkPolicy, Pods
from meshc_lang.record import dataclass

NAME_LABEL = "kubernetes.io/metadata.name"
"""The label that Kubernetes sets on each namespace, with its name."""


@dataclass(frozen=True, slots=True)
class ContainerPort:
    """A port that a container declares under a name."""

    name: str
    protocol: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod, or any number that are alike. `owner` is what people call it by: its own name, or its controller's."""

    namespace: str
    owner: str
    labels: dict[str, str]
    ports: tuple[ContainerPort, ...] = ()


class Cluster:
    """Pods and policies, with pods found by their labels: what a selector selects costs what it selects."""

    def __init__(
        self,
        pods: Iterable[Pod],
        namespaces: dict[str, dict[str, str]],
        policies: Iterable[NetworkPolicy] = (),
        admin: Iterable[AdminPolicy] = (),
        baseline: Iterable[AdminPolicy] = (),
    ) -> None:
        """Take pods, labels by namespace, and policies; a namespace that only pods mention has its name as a label."""
        self.pods = tuple(pods)
        self.policies = tuple(policies)
        self.admin = tuple(sorted(admin, key=lambda policy: policy.priority or 0))
        self.baseline = tuple(baseline)
        self._namespaces = {name: {NAME_LABEL: name, **labels} for name, labels in namespaces.items()}
        self._by_namespace: dict[str, list[int]] = {}
        self._by_label: dict[tuple[str, str, str], list[int]] = {}
        self._by_key: dict[tuple[str, str], list[int]] = {}
        self._by_name: dict[str, list[str]] = {}
        for number, pod in enumerate(self.pods):
            self._namespaces.setdefault(pod.namespace, {NAME_LABEL: pod.namespace})
            self._by_namespace.setdefault(pod.namespace, []).append(number)
            for key, value in pod.labels.items():
                self._by_label.setdefault((pod.namespace, key, value), []).append(number)
                self._by_key.setdefault((pod.namespace, key), []).append(number)
        for name, labels in self._namespaces.items():
            self._by_name.setdefault(labels[NAME_LABEL], []).append(name)
        self._selected: dict[Selector, tuple[str, ...]] = {}

    def namespaces(self, selector: Selector) -> tuple[str, ...]:
        """Return the namespaces that a selector selects."""
        found = self._selected.get(selector)
        if found is None:
            pinned = selector.pinned()
            candidates: Iterable[str] = self._namespaces
            if pinned is not None and pinned.key == NAME_LABEL:
                candidates = [name for value in sorted(pinned.values) for name in self._by_name.get(value, ())]
            found = tuple(name for name in candidates if selector.selects(self._namespaces[name]))
            self._selected[selector] = found
        return found

    def select(self, peer: Pods, own: str) -> Iterator[int]:
        """Yield the numbers of the pods that a peer means, in a policy of the namespace `own`."""
        for namespace in (own,) if peer.namespaces is None else self.namespaces(peer.namespaces):
            yield from self._in_namespace(namespace, peer.pods)

    def _in_namespace(self, namespace: str, selector: Selector) -> Iterator[int]:
        pinned = selector.pinned()
        if pinned is None:
            exists = next((one for one in selector.requirements if one.operator == EXISTS), None)
            numbers = self._by_namespace.get(namespace, ())
            candidates: Iterable[int] = numbers if exists is None else self._by_key.get((namespace, exists.key), ())
        else:
            candidates = (
                number
                for value in sorted(pinned.values)
                for number in self._by_label.get((namespace, pinned.key, value), ())
            )
        whole = len(selector.requirements) == (0 if pinned is None else 1)
        for number in candidates:
            if whole or selector.selects(self.pods[number].labels):
                yield number
