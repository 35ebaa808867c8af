"""A cluster out of Kubernetes manifests: what runs, in which namespaces, under which policies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from meshc_backends.readback.network_policy.cluster import Cluster, ContainerPort, Pod
from meshc_backends.readback.network_policy.connection import PROTOCOLS
from meshc_backends.readback.network_policy.policy import AdminPolicy, NetworkPolicy
from meshc_backends.readback.network_policy.policy_reader import admin_policy, metadata, network_policy

_TEMPLATED = frozenset(
    {
        "DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet", "VirtualMachine",
    }
)  # fmt: skip
"""Kinds that make pods of `spec.template`."""


def yaml_documents(content: bytes | str) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a file of manifests, those of lists one by one.

    Raises:
        yaml.YAMLError: the text is no YAML.
    """
    import yaml  # here, since only reading back needs it

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for document in yaml.load_all(content, Loader=loader):
        yield from _objects(document)


def cluster_of(documents: Iterable[Mapping[str, Any]]) -> Cluster:
    """Return the cluster that manifests make; objects that have no say in connections are passed over.

    Raises:
        UnreadableError: a policy says something that the API does not have.
    """
    pods: list[Pod] = []
    namespaces: dict[str, dict[str, str]] = {}
    policies: list[NetworkPolicy] = []
    admin: list[AdminPolicy] = []
    baseline: list[AdminPolicy] = []
    for document in documents:
        match document.get("kind"):
            case "Namespace":
                namespaces[metadata(document)[0]] = _labels(document.get("metadata"))
            case "Pod":
                pods.append(_pod(document))
            case "NetworkPolicy":
                policies.append(network_policy(document))
            case "AdminNetworkPolicy":
                admin.append(admin_policy(document))
            case "BaselineAdminNetworkPolicy":
                baseline.append(admin_policy(document))
            case "CronJob":
                pods.append(_templated(document, document["spec"]["jobTemplate"]["spec"]["template"]))
            case kind if kind in _TEMPLATED:
                pods.append(_templated(document, document["spec"].get("template") or {}))
            case _:
                pass
    return Cluster(pods, namespaces, policies, admin, baseline)


def _objects(document: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(document, Mapping):
        return
    if isinstance(document.get("items"), list) and str(document.get("kind", "")).endswith("List"):
        kind = str(document["kind"]).removesuffix("List")
        for item in document["items"]:
            # The items of a typed list need not repeat their kind.
            yield from _objects({"kind": kind, **item} if kind and isinstance(item, Mapping) else item)
    else:
        yield document


def _pod(document: Mapping[str, Any]) -> Pod:
    meta = document.get("metadata") or {}
    # A static pod's owner is its node, which is nobody to connect to.
    owners = [one for one in meta.get("ownerReferences") or () if one.get("kind") != "Node"]
    owner = f"{owners[0].get('name')}[{owners[0].get('kind') or 'Pod'}]" if owners else f"{meta.get('name')}[Pod]"
    return Pod(
        namespace=meta.get("namespace") or "default",
        owner=owner,
        labels=_labels(meta),
        ports=tuple(_ports(document.get("spec"))),
    )


def _templated(document: Mapping[str, Any], template: Mapping[str, Any]) -> Pod:
    name, namespace = metadata(document)
    return Pod(
        namespace=namespace or "default",
        owner=f"{name}[{document['kind']}]",
        labels=_labels(template.get("metadata")),
        ports=tuple(_ports(template.get("spec"))),
    )


def _labels(meta: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in ((meta or {}).get("labels") or {}).items()}


def _ports(spec: Any) -> Iterator[ContainerPort]:
    for container in (spec or {}).get("containers") or ():
        for port in container.get("ports") or ():
            if "name" in port and isinstance(port.get("containerPort"), int):
                yield ContainerPort(port["name"], port.get("protocol") or PROTOCOLS[0], port["containerPort"])
