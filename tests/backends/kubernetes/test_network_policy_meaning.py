"""The policies, read back, let a workload connect to another's sidecar if and only if some allow says so."""

from __future__ import annotations

import ipaddress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from meshc_compiler.ir.caller import includes
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect
from meshc_compiler.ir.workload import Workload
from support.kubernetes_mesh import (
    EVERYTHING,
    SOME_REQUESTS,
    documents,
    emit,
    external,
    mesh_of,
    rule,
    service,
    shop_mesh,
    workload,
)


class Pod:
    """A pod as policies see it: a namespace's labels and its own."""

    def __init__(self, namespace: str, labels: dict[str, str]) -> None:
        self.namespace = namespace
        self.labels = labels


def pod_of(each: Workload, **more: str) -> Pod:
    return Pod(each.namespace, {**dict(each.selector), "pod-template-hash": "5d4f", **more})


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """A LabelSelector by the API's definition: an empty one selects everything."""
    assert set(selector) <= {"matchLabels", "matchExpressions"}
    for expression in selector.get("matchExpressions", ()):
        assert expression["operator"] == "In"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def is_peer(peer: dict[str, Any], pod: Pod | str) -> bool:
    if isinstance(pod, str):
        if "ipBlock" not in peer:
            return False
        address = ipaddress.ip_address(pod)
        inside = address in ipaddress.ip_network(peer["ipBlock"]["cidr"])
        return inside and not any(address in ipaddress.ip_network(x) for x in peer["ipBlock"].get("except", ()))
    if "ipBlock" in peer:
        return False
    namespace = {"kubernetes.io/metadata.name": pod.namespace}
    return selects(peer["namespaceSelector"], namespace) and selects(peer["podSelector"], pod.labels)


def open_to(rules: list[dict[str, Any]], side: str, pod: Pod | str, port: int, protocol: str) -> bool:
    for each in rules:
        peers, ports = each.get(side), each.get("ports")
        if peers is not None and not any(is_peer(peer, pod) for peer in peers):
            continue
        if ports is None or any(p["port"] == port and p.get("protocol", "TCP") == protocol for p in ports):
            return True
    return False


class Cluster:
    """Judges connections by a mesh's policies, as a network that implements them does."""

    def __init__(self, index: MeshIndex) -> None:
        emission = emit(index)
        assert emission.diagnostics == ()
        self.policies = documents(emission, "NetworkPolicy")

    def allows(self, source: Pod | str, target: Pod | str, port: int, protocol: str = "TCP") -> bool:
        return self._side(source, "Egress", "to", target, port, protocol) and self._side(
            target, "Ingress", "from", source, port, protocol
        )

    def _side(self, at: Pod | str, kind: str, side: str, other: Pod | str, port: int, protocol: str) -> bool:
        if isinstance(at, str):
            return True
        mine = [
            policy["spec"]
            for policy in self.policies
            if policy["metadata"]["namespace"] == at.namespace
            and selects(policy["spec"]["podSelector"], at.labels)
            and kind in policy["spec"]["policyTypes"]
        ]
        return not mine or any(open_to(spec.get(kind.lower(), []), side, other, port, protocol) for spec in mine)


def says(index: MeshIndex, caller: Workload, callee: Workload) -> bool:
    """Whether an allow names the caller, read off the rules one by one."""
    return any(
        each.callee == callee.name and each.effect is Effect.ALLOW and includes(each.callers, caller.spiffe_id)
        for each in index.mesh.rules
    )


def check_all_pairs(index: MeshIndex) -> None:
    cluster = Cluster(index)
    stranger = Pod("default", {"app": "stranger"})
    for callee in index.mesh.workloads:
        for caller in index.mesh.workloads:
            allowed = cluster.allows(pod_of(caller), pod_of(callee, version="v2"), 15006)
            assert allowed is says(index, caller, callee), f"{caller.name} -> {callee.name}"
            for port in (8080, 9090, 15000, 15021, 15090):
                assert not cluster.allows(pod_of(caller), pod_of(callee), port)
        assert not cluster.allows(stranger, pod_of(callee), 15006)
        assert not cluster.allows(pod_of(callee), stranger, 15006)
        for other in index.namespaces:
            if other != callee.namespace:
                impostor = Pod(other, dict(callee.selector))
                for target in index.mesh.workloads:
                    if not any(w.namespace == other and w.selector == callee.selector for w in index.mesh.workloads):
                        assert not cluster.allows(impostor, pod_of(target), 15006)


def test_every_pair_of_the_shop() -> None:
    check_all_pairs(shop_mesh())


NAMES = ("api", "cart", "db", "ingress", "web")


@st.composite
def meshes(draw: st.DrawFn) -> MeshIndex:
    workloads = []
    for name in NAMES:
        namespace = "ingress" if name == "ingress" else draw(st.sampled_from(["default", "edge"]))
        wide = draw(st.booleans())
        selector = (("app", name), ("tier", "back")) if wide else (("app", name),)
        workloads.append(workload(name, namespace, selector=selector))
    rules = []
    for callee in ("api", "cart", "db", "web"):
        for number in range(draw(st.integers(0, 3))):
            callers = draw(
                st.one_of(st.none(), st.lists(st.sampled_from(workloads), min_size=1, max_size=4, unique=True))
            )
            effect = draw(st.sampled_from([Effect.ALLOW, Effect.ALLOW, Effect.DENY]))
            rules.append(
                rule(callers, callee, 8080 + number % 2, draw(st.sampled_from([EVERYTHING, SOME_REQUESTS])), effect)
            )
    services = [service(each, 8080, 8081) for each in workloads if each.name != "ingress"]
    return mesh_of(workloads, services, rules)


@settings(max_examples=60, deadline=None)
@given(meshes())
def test_every_pair_of_any_mesh(index: MeshIndex) -> None:
    check_all_pairs(index)


def test_any_means_all_members_and_nobody_else() -> None:
    workloads = [workload("ingress", "ingress"), workload("web", "edge"), workload("api"), workload("db")]
    index = mesh_of(workloads, [service(w) for w in workloads[1:]], [rule(None, "api")])
    check_all_pairs(index)
    cluster = Cluster(index)
    assert cluster.allows(pod_of(workloads[0]), pod_of(workloads[2]), 15006)
    assert not cluster.allows(Pod("default", {"app": "other"}), pod_of(workloads[2]), 15006)


def test_the_gateway_is_open_where_it_listens_for_the_world() -> None:
    index = shop_mesh()
    cluster, gateway = Cluster(index), pod_of(index.workloads["ingress"])
    for source in ("203.0.113.9", "10.0.0.7", Pod("elsewhere", {})):
        assert cluster.allows(source, gateway, 15001)
        for port in (15000, 15006, 8080):
            assert not cluster.allows(source, gateway, port)
    assert not cluster.allows("203.0.113.9", pod_of(index.workloads["web"]), 15001)


def test_names_can_be_looked_up_by_those_who_call() -> None:
    index = shop_mesh()
    cluster = Cluster(index)
    dns = Pod("kube-system", {"k8s-app": "kube-dns"})
    for name in ("ingress", "web", "api", "payments"):
        for protocol in ("UDP", "TCP"):
            assert cluster.allows(pod_of(index.workloads[name]), dns, 53, protocol)
        assert not cluster.allows(pod_of(index.workloads[name]), Pod("default", {"k8s-app": "kube-dns"}), 53, "UDP")
    for name in ("ledger", "idle"):
        assert not cluster.allows(pod_of(index.workloads[name]), dns, 53, "UDP")


def test_externals_are_reached_where_they_can_be_and_nowhere_else() -> None:
    caller, other = workload("web"), workload("api")
    index = mesh_of(
        [caller, other],
        [service(caller), service(other)],
        [
            rule([caller], "stripe", 443),
            rule([caller], "vault", 8200),
            rule([caller], "db", 5432),
            rule([caller], "six", 9000),
        ],
        [
            external("stripe", "api.stripe.com"),
            external("vault", "vault.corp", port=8200),
            external("db", "10.1.2.3", port=5432),
            external("six", "2001:db8::5", port=9000),
            external("unused", "example.org", port=8443),
        ],
    )
    cluster, pod = Cluster(index), pod_of(caller)
    table = {
        443: {"203.0.113.9": True, "2606:4700::1": True, "10.0.0.1": False, "fd00::1": False},
        8200: {"203.0.113.9": True, "10.0.0.1": True, "fd00::1": True},
        5432: {"10.1.2.3": True, "10.1.2.4": False, "203.0.113.9": False},
        9000: {"2001:db8::5": True, "2001:db8::6": False, "203.0.113.9": False},
        8443: {"203.0.113.9": False},
    }
    for port, answers in table.items():
        for address, expected in answers.items():
            assert cluster.allows(pod, address, port) is expected, f"{address}:{port}"
            assert not cluster.allows(pod_of(other), address, port)
        for never in ("169.254.169.254", "127.0.0.1", "fe80::1", "::1"):
            assert not cluster.allows(pod, never, port)
        assert not cluster.allows(pod, pod_of(other), port)


def test_other_pods_of_the_namespace_are_left_alone() -> None:
    cluster = Cluster(shop_mesh())
    mine, theirs = Pod("default", {"app": "batch"}), Pod("default", {"app": "cron"})
    assert cluster.allows(mine, theirs, 1234)


def test_the_reader_of_these_tests_notices_a_rule_that_is_too_wide_or_missing() -> None:
    index = shop_mesh()
    cluster = Cluster(index)
    web, ledger, api = (pod_of(index.workloads[name]) for name in ("web", "ledger", "api"))
    assert not cluster.allows(web, ledger, 15006)
    for policy in cluster.policies:
        if policy["metadata"]["name"] == "ledger-mesh":
            policy["spec"]["ingress"] = [{}]
        if policy["metadata"]["name"] == "web-mesh":
            policy["spec"]["egress"] = [{}]
        if policy["metadata"]["name"] == "api-mesh":
            policy["spec"]["ingress"] = []
    assert cluster.allows(web, ledger, 15006)
    assert not cluster.allows(web, api, 15006)
