"""What Kubernetes documents of network policies, read by our reader from manifests that ask one thing each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshc_backends.readback.network_policy.address import EVERYWHERE, networks
from meshc_backends.readback.network_policy.connection import EVERYTHING, ConnectionSet, connections
from meshc_backends.readback.network_policy.interval import difference, intersection, intervals, union
from meshc_backends.readback.network_policy.manifest import cluster_of, yaml_documents
from meshc_backends.readback.network_policy.policy import Direction
from meshc_backends.readback.network_policy.policy_reader import UnreadableError
from meshc_backends.readback.network_policy.reach import Reach

PODS = """
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: red}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web, tier: front}}
spec: {containers: [{ports: [{name: http, containerPort: 8080}, {name: dns, containerPort: 53, protocol: UDP}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: api, namespace: shop, labels: {app: api}}
---
apiVersion: v1
kind: Pod
metadata: {name: spy, namespace: other, labels: {app: web}}
---
"""
WEB, API, SPY = 0, 1, 2
TCP_80 = connections([("TCP", 80, 80)])


def policy(spec: str) -> str:
    return (
        f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p, namespace: shop}}\nspec: {spec}\n"
    )


def reach(*policies: str) -> Reach:
    return Reach(cluster_of(yaml_documents(PODS + "---\n".join(policies))))


def callers_of_web(spec: str) -> dict[str, str]:
    found = reach(policy(spec))
    return {
        name: str(allowed) for name, number in (("api", API), ("spy", SPY)) if (allowed := found.between(number, WEB))
    }


EVERYBODY = {"api": "all connections", "spy": "all connections"}


@pytest.mark.parametrize(
    ("spec", "callers"),
    [
        ("{podSelector: {matchLabels: {app: nobody}}, policyTypes: [Ingress]}", EVERYBODY),
        ("{podSelector: {}, policyTypes: [Ingress]}", {}),
        ("{podSelector: {}, ingress: [{}]}", EVERYBODY),
        ("{podSelector: {}, ingress: [{from: []}]}", EVERYBODY),
        ("{podSelector: {}, ingress: [{ports: [{port: 80}]}]}", {"api": "TCP 80", "spy": "TCP 80"}),
        ("{podSelector: {}, ingress: [{ports: [{protocol: UDP}]}]}", {"api": "UDP 1-65535", "spy": "UDP 1-65535"}),
        ("{podSelector: {}, ingress: [{ports: [{port: 1, endPort: 3}]}]}", {"api": "TCP 1-3", "spy": "TCP 1-3"}),
        ("{podSelector: {}, ingress: [{ports: [{port: http}]}]}", {"api": "TCP 8080", "spy": "TCP 8080"}),
        ("{podSelector: {}, ingress: [{ports: [{port: http, protocol: UDP}]}]}", {}),
        ("{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}", {"api": "all connections"}),
        ("{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}", EVERYBODY),
        (
            "{podSelector: {}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}]}]}",
            {"spy": "all connections"},
        ),
        (
            "{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}, {podSelector: {matchLabels: {app: x}}}]}]}",
            EVERYBODY,
        ),
        (
            "{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: red}}}]}]}",
            {"api": "all connections"},
        ),
        (
            "{podSelector: {}, ingress: [{from: [{namespaceSelector: "
            "{matchLabels: {kubernetes.io/metadata.name: other}}}]}]}",
            {"spy": "all connections"},
        ),
        ("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}", {}),
        ("{podSelector: {matchExpressions: [{key: tier, operator: Exists}]}}", {}),
        ("{podSelector: {matchExpressions: [{key: tier, operator: DoesNotExist}]}}", EVERYBODY),
        ("{podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [front]}]}}", EVERYBODY),
        ("{podSelector: {matchExpressions: [{key: none, operator: NotIn, values: [front]}]}}", {}),
        ("{podSelector: {matchExpressions: [{key: app, operator: In, values: [x, web]}]}}", {}),
        (
            "{podSelector: {matchLabels: {app: web}, matchExpressions: [{key: tier, operator: DoesNotExist}]}}",
            EVERYBODY,
        ),
        ("{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress]}", EVERYBODY),
        ("{podSelector: {matchLabels: {app: api}}, policyTypes: [Egress]}", {"spy": "all connections"}),
        ("{podSelector: {matchLabels: {app: api}}, egress: []}", EVERYBODY),
        (
            "{podSelector: {matchLabels: {app: api}}, egress: [{ports: [{port: http}]}]}",
            {"api": "TCP 8080", "spy": "all connections"},
        ),
    ],
)
def test_who_may_call_web(spec: str, callers: dict[str, str]) -> None:
    assert callers_of_web(spec) == callers


def test_policies_add_up_and_both_ends_must_agree() -> None:
    out = policy("{podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{ports: [{port: 80}]}]}")
    more = policy("{podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{ports: [{port: 443}]}]}")
    into = policy("{podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 1, endPort: 100}]}]}")
    assert str(reach(out, more).between(API, WEB)) == "TCP 80,443"
    assert reach(out, more, into).between(API, WEB) == TCP_80


def test_an_address_block_loses_its_exceptions_and_names_of_ports_lie_inside() -> None:
    block = "{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}"
    found = reach(
        policy(
            "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], "
            f"egress: [{{to: [{{ipBlock: {block}}}], ports: [{{port: 443}}, {{port: http}}]}}]}}"
        )
    )
    parts = dict(found.outside(WEB, Direction.EGRESS))
    inside = networks(["10.0.0.0/8"]) - networks(["10.1.0.0/16"])
    assert parts == {inside: connections([("TCP", 443, 443)]), EVERYWHERE - inside: ConnectionSet()}


def test_admin_policies_come_first_and_the_baseline_last() -> None:
    def admin(kind: str, priority: str, action: str, port: int) -> str:
        return (
            f"apiVersion: policy.networking.k8s.io/v1alpha1\nkind: {kind}\nmetadata: {{name: a}}\nspec: {{{priority}"
            f"subject: {{namespaces: {{}}}}, ingress: [{{action: {action}, from: [{{namespaces: {{}}}}], "
            f"ports: [{{portNumber: {{protocol: TCP, port: {port}}}}}]}}]}}\n"
        )

    deny = admin("AdminNetworkPolicy", "priority: 2, ", "Deny", 80)
    first = admin("AdminNetworkPolicy", "priority: 1, ", "Allow", 80)
    passed = admin("AdminNetworkPolicy", "priority: 1, ", "Pass", 80)
    baseline = admin("BaselineAdminNetworkPolicy", "", "Deny", 80)
    open_ = policy("{podSelector: {}, ingress: [{}]}")
    assert reach(deny).between(API, WEB) == EVERYTHING - TCP_80
    assert reach(deny, open_).between(API, WEB) == EVERYTHING - TCP_80
    assert reach(deny, first).between(API, WEB) == EVERYTHING
    assert reach(deny, passed, baseline).between(API, WEB) == EVERYTHING - TCP_80
    assert reach(deny, passed, baseline, open_).between(API, WEB) == EVERYTHING


@pytest.mark.parametrize(
    "spec",
    [
        "{podSelector: {}, ingresss: []}",
        "{podSelector: {}, policyTypes: [Inbound]}",
        "{podSelector: {matchLabel: {}}}",
        "{podSelector: {matchExpressions: [{key: a, operator: Is, values: [b]}]}}",
        "{podSelector: {matchExpressions: [{key: a, operator: In}]}}",
        "{podSelector: {}, ingress: [{from: [{}]}]}",
        "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: nowhere}}]}]}",
        "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}, podSelector: {}}]}]}",
        "{podSelector: {}, ingress: [{ports: [{port: 0}]}]}",
        "{podSelector: {}, ingress: [{ports: [{port: http, endPort: 80}]}]}",
        "{podSelector: {}, ingress: [{ports: [{protocol: ICMP}]}]}",
        "{podSelector: {}, ingress: {}}",
    ],
)
def test_what_the_reader_does_not_understand_it_does_not_pass_over(spec: str) -> None:
    with pytest.raises(UnreadableError):
        reach(policy(spec))


RANGES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=6)


def numbers(ranges: tuple[tuple[int, int], ...]) -> set[int]:
    return {number for low, high in ranges for number in range(low, high + 1)}


@given(RANGES, RANGES)
def test_ranges_are_sets_and_equal_sets_are_equal_ranges(
    left: list[tuple[int, int]], right: list[tuple[int, int]]
) -> None:
    a, b = intervals(left), intervals(right)
    assert numbers(union(a, b)) == numbers(a) | numbers(b)
    assert numbers(intersection(a, b)) == numbers(a) & numbers(b)
    assert numbers(difference(a, b)) == numbers(a) - numbers(b)
    for result in (a, union(a, b), intersection(a, b), difference(a, b)):
        assert result == intervals((one, one) for one in numbers(result))
