"""NetworkPolicies: connections that no allow needs are not possible, with or without a sidecar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshc_backends.kubernetes.connection import Connections
from meshc_backends.kubernetes.manifest import Manifest
from meshc_backends.kubernetes.outside import blocks, blocks_of, literal_address
from meshc_backends.placement import Placement
from meshc_backends.yaml_text import YamlValue
from meshc_compiler.ir.mesh import INGRESS, MeshIndex
from meshc_compiler.ir.workload import Workload

Rule = dict[str, YamlValue]

_NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""Set on each namespace by Kubernetes itself (from 1.22), so nobody can lend a namespace another's name."""


def network_policies(index: MeshIndex, placement: Placement, connections: Connections) -> Iterator[Manifest]:
    """Yield one policy for each workload, for both directions; what it does not list is cut off.

    Probes need no rule: Kubernetes always lets a pod's own node through. Metrics (15090) stay closed, since the
    program does not say who scrapes them: policies add up, so a cluster's own policy can let Prometheus in.
    """
    stated = index.mesh.mesh_settings.effective().trace_endpoint
    collector = None if stated is None else _collector(stated.value)
    for workload in index.mesh.workloads:
        yield Manifest(
            api_version="networking.k8s.io/v1",
            kind="NetworkPolicy",
            name=f"{workload.name}-mesh",
            namespace=workload.namespace,
            mesh=index.mesh.name,
            fields={
                "spec": {
                    "podSelector": {"matchLabels": dict(workload.selector)},
                    "policyTypes": ["Ingress", "Egress"],
                    "ingress": list(_ingress(workload, placement, connections)),
                    "egress": list(_egress(workload, placement, connections, collector)),
                },
            },
            about=f"workload `{workload.name}`",
            subject=(workload.name,),
            origin=workload.origin,
        )


def _ingress(workload: Workload, placement: Placement, connections: Connections) -> Iterator[Rule]:
    listeners = placement.listeners(workload)
    if workload.name == INGRESS:
        # The mesh's front door: whoever reaches it is no member of the mesh, and the gateway speaks for them.
        yield {"ports": [_tcp(listeners.outbound.port)]}
    if callers := connections.callers.get(workload.name):
        yield {"from": _peers(callers), "ports": [_tcp(listeners.inbound.port)]}


def _collector(endpoint: str) -> tuple[str, int]:
    """Return the host and the port of the collector, to which each sidecar sends spans."""
    host, _, port = endpoint.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _egress(
    workload: Workload, placement: Placement, connections: Connections, collector: tuple[str, int] | None
) -> Iterator[Rule]:
    callees = connections.callees.get(workload.name, ())
    externals = connections.externals.get(workload.name, ())
    by_port: dict[int, list[Workload]] = {}
    for callee in callees:
        by_port.setdefault(placement.listeners(callee).inbound.port, []).append(callee)
    for port, workloads in sorted(by_port.items()):
        yield {"to": _peers(workloads), "ports": [_tcp(port)]}
    if callees or externals or (collector is not None and literal_address(collector[0]) is None):
        # Only who calls somebody looks up names: DNS is also a way out for data.
        dns: Rule = {
            "namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }
        yield {"to": [dns], "ports": [{"protocol": "UDP", "port": 53}, _tcp(53)]}
    outside: dict[int, dict[str, Rule]] = {}
    for external in externals:
        found = outside.setdefault(external.port.number, {})
        found.update((str(block), block) for block in blocks(external))
    if collector is not None:
        outside.setdefault(collector[1], {}).update((str(block), block) for block in blocks_of(collector[0]))
    for port, found in sorted(outside.items()):
        yield {"to": [{"ipBlock": block} for _, block in sorted(found.items())], "ports": [_tcp(port)]}


def _tcp(port: int) -> Rule:
    return {"protocol": "TCP", "port": port}


def _peers(workloads: Iterable[Workload]) -> list[YamlValue]:
    """Return the pods of workloads; those of one namespace that differ in one label's value share a peer."""
    alike: dict[tuple[str, str], set[str]] = {}
    others: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    for workload in workloads:
        if len(workload.selector) == 1:
            ((key, value),) = workload.selector
            alike.setdefault((workload.namespace, key), set()).add(value)
        else:
            others.add((workload.namespace, workload.selector))
    peers: list[tuple[str, Rule]] = []
    for (namespace, key), values in sorted(alike.items()):
        if len(values) == 1:
            peers.append((namespace, {"matchLabels": {key: min(values)}}))
        else:
            among: Rule = {"key": key, "operator": "In", "values": sorted(values)}
            peers.append((namespace, {"matchExpressions": [among]}))
    peers += [(namespace, {"matchLabels": dict(selector)}) for namespace, selector in sorted(others)]
    return [
        {"namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: namespace}}, "podSelector": pods}
        for namespace, pods in peers
    ]
