"""Services come out of manifests as they run; what can't be carried over is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshc_compiler.finding import Findings
from meshc_compiler.importing.fact import FoundService
from meshc_compiler.importing.kubernetes import assemble
from meshc_compiler.importing.manifest import read_manifest
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.source import SourceText

SHARED = Path(__file__).resolve().parents[3] / "shared" / "corpus"


def found_in(*texts: str) -> tuple[dict[str, FoundService], tuple[Diagnostic, ...]]:
    findings = Findings()
    sources = [SourceText(f"{number}.yaml", text) for number, text in enumerate(texts)]
    manifests = [manifest for source in sources if (manifest := read_manifest(source, findings)) is not None]
    return {service.name: service for service in assemble(manifests, findings)}, findings.all()


def in_corpus(directory: str) -> tuple[dict[str, FoundService], tuple[Diagnostic, ...]]:
    root = SHARED / directory
    if not root.exists():
        pytest.skip("the shared corpus is not beside this checkout")
    paths = sorted(path for path in root.rglob("*") if path.suffix in (".yaml", ".yml")) if root.is_dir() else [root]
    return found_in(*(path.read_text(encoding="utf-8") for path in paths))


def ports(service: FoundService) -> list[str]:
    """Return the ports as `name:number/protocol>target`; `?` behind those of which nothing tells the protocol."""
    return [
        (f"{port.name}:" if port.name else "")
        + f"{port.number}/{port.protocol}"
        + (f">{port.target}" if port.target else "")
        + ("?" if port.guessed else "")
        for port in service.ports
    ]


def messages(found: tuple[Diagnostic, ...]) -> list[str]:
    return [f"{one.code.id} {one.message}" for one in found]


def pod(labels: str, spec: str = "containers: []") -> str:
    return f"template: {{metadata: {{labels: {labels}}}, spec: {{{spec}}}}}"


def deployment(name: str, labels: str, spec: str = "containers: []", more: str = "") -> str:
    return f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec: {{{more}{pod(labels, spec)}}}\n"


def service(name: str, selector: str, ports: str, more: str = "") -> str:
    return (
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n"
        f"spec: {{{more}selector: {selector}, ports: {ports}}}\n"
    )


# ---- applications that nobody here wrote

BOUTIQUE = {
    "adservice": ["9555/grpc"],
    "cartservice": ["7070/grpc"],
    "checkoutservice": ["5050/grpc"],
    "currencyservice": ["7000/grpc"],
    "emailservice": ["5000/grpc>8080"],
    "frontend": ["80/http>8080"],
    "loadgenerator": [],
    "paymentservice": ["50051/grpc"],
    "productcatalogservice": ["3550/grpc"],
    "recommendationservice": ["8080/grpc"],
    "redis-cart": ["6379/tcp"],
    "shippingservice": ["50051/grpc"],
}


def test_the_online_boutique_has_its_eleven_services_and_a_caller() -> None:
    services, told = in_corpus("online-boutique/kubernetes-manifests")
    assert {name: ports(service) for name, service in services.items()} == BOUTIQUE
    assert {name for name, service in services.items() if service.account is None} == {"redis-cart"}
    assert [(str(probe.kind), probe.port, probe.path) for probe in services["frontend"].probes] == [
        ("readiness", 8080, "/_healthz"),
        ("liveness", 8080, "/_healthz"),
    ]
    assert (
        messages(told)
        == [
            "MSH129 the Service `frontend-external` is left out: its pods are those of `frontend`",
            "MSH129 a kustomization is not applied: `components` changes what the files beside it say",
        ][: len(told)]
    )


def test_the_release_of_the_boutique_says_the_same() -> None:
    services, _ = in_corpus("online-boutique/release/kubernetes-manifests.yaml")
    assert {name: ports(service) for name, service in services.items()} == BOUTIQUE


def test_bookinfo_has_versions_and_accounts() -> None:
    services, told = in_corpus("bookinfo/samples/bookinfo/platform/kube/bookinfo.yaml")
    assert {name: ports(service) for name, service in services.items()} == {
        name: ["9080/http"] for name in ("details", "productpage", "ratings", "reviews")
    }
    assert services["reviews"].versions == ("v1", "v2", "v3")
    assert services["reviews"].replicas == 3
    assert services["reviews"].account == "bookinfo-reviews"
    assert told == ()


def test_emojivoto_names_its_ports() -> None:
    services, _ = in_corpus("emojivoto/kustomize/deployment")
    assert {name: (one.namespace, one.account, ports(one)) for name, one in services.items()} == {
        "emoji-svc": ("emojivoto", "emoji", ["grpc:8080/grpc", "prom:8801/tcp?"]),
        "vote-bot": ("emojivoto", None, []),
        "voting-svc": ("emojivoto", "voting", ["grpc:8080/grpc", "prom:8801/tcp?"]),
        "web-svc": ("emojivoto", "web", ["80/http>8080"]),
    }


def test_sock_shop_has_fourteen_services_some_of_which_say_nothing_of_their_protocol() -> None:
    services, told = in_corpus("sock-shop/deploy/kubernetes/manifests")
    assert len(services) == 14
    assert ports(services["front-end"]) == ["80/http>8079"], "its probes speak HTTP"
    assert ports(services["carts-db"]) == ["27017/tcp"], "its container's port is called mongo"
    assert ports(services["orders"]) == ["80/tcp?"]
    assert told == ()


def test_the_hotel_reservation_parses_and_its_udp_ports_are_told() -> None:
    services, told = in_corpus("deathstarbench/hotelReservation")
    assert len(services) == 19
    assert [one for one in messages(told) if "UDP" not in one] == []
    assert len(told) == 4


def test_variants_side_by_side_contradict_each_other() -> None:
    services, told = in_corpus("bookinfo/samples/bookinfo/platform/kube")
    assert services["reviews"].versions == ("v1", "v2", "v3")
    assert "MSH128 the Deployment `details-v1` is described twice, and not alike" in messages(told)


def test_a_helm_chart_is_refused_as_a_template() -> None:
    services, told = in_corpus("online-boutique/helm-chart")
    assert services == {}
    assert {one.code.id for one in told} == {"MSH126"}
    assert "helm template" in told[0].help


@pytest.mark.parametrize("name", ["bookinfo", "online-boutique", "sock-shop", "emojivoto", "deathstarbench"])
def test_every_manifest_of_the_corpus_is_yaml_or_a_template(name: str) -> None:
    _, told = in_corpus(name)
    assert all("template" in one.message for one in told if one.code.id == "MSH126")


# ---- what manifests say


def test_kinds_and_lists() -> None:
    items = "\n".join(
        f"- {{kind: {kind}, metadata: {{name: {kind.lower()}}}, spec: {{{pod('{app: x}')}}}}}"
        for kind in ("StatefulSet", "DaemonSet", "ReplicaSet", "Job")
    )
    items += f"\n- {{kind: CronJob, metadata: {{name: cronjob}}, spec: {{jobTemplate: {{spec: {{{pod('{a: b}')}}}}}}}}}"
    items += "\n- {kind: Pod, metadata: {name: pod, labels: {app: y}}, spec: {containers: []}}"
    services, told = found_in(f"kind: List\napiVersion: v1\nitems:\n{items}\n---\n---\nkind: ConfigMap\n")
    assert sorted(services) == ["cronjob", "daemonset", "job", "pod", "replicaset", "statefulset"]
    assert services["pod"].selector == (("app", "y"),)
    assert told == ()


def test_protocols_are_stated_by_fields_and_names_and_hinted_by_pods() -> None:
    listed = """[{name: web, port: 1, appProtocol: kubernetes.io/h2c}, {name: grpc-web-x, port: 2},
      {name: https, port: 3}, {name: x, port: 4, targetPort: api}, {name: y, port: 5}, {name: z, port: 6},
      {name: dns, port: 7, protocol: UDP},
      {name: odd, port: 8, appProtocol: example.com/odd}, {name: w, port: 9, targetPort: gone}]"""
    containers = """containers: [{ports: [{name: api, containerPort: 44}, {name: grpc, containerPort: 5}],
      livenessProbe: {grpc: {port: 44}}, readinessProbe: {httpGet: {port: 6, path: ok}}}]"""
    services, told = found_in(service("s", "{a: b}", listed), deployment("d", "{a: b}", containers))
    assert ports(services["s"]) == [
        "web:1/http2",
        "grpc-web-x:2/http",
        "https:3/tls",
        "x:4/grpc>44",
        "y:5/grpc",
        "z:6/http",
        "odd:8/tcp",
        "w:9/tcp?",
    ]
    assert [(probe.port, probe.path) for probe in services["s"].probes] == [(6, "/ok")]
    assert messages(told) == [
        "MSH129 the port 7 of `s` is left out: a mesh carries TCP, and this is UDP",
        "MSH129 `appProtocol: example.com/odd` of `s` is not known here, and taken as `tcp`",
        "MSH129 no container behind `s` has a port named `gone`",
    ]


def test_services_that_run_nothing_of_ours_are_told() -> None:
    _, told = found_in(
        "kind: Service\nmetadata: {name: db}\nspec: {type: ExternalName, externalName: db.example.com}\n---\n"
        "kind: Service\nmetadata: {name: bare}\nspec: {ports: [{port: 80}]}\n---\n"
        "kind: Service\nmetadata: {name: my.api}\nspec: {selector: {a: b}}\n---\n"
        "kind: Service\nmetadata: {generateName: x-}\n---\nvalues: {a: 1}\n---\n- 1\n"
    )
    assert messages(told) == [
        "MSH129 this `Service` is left out: its name is only generated in the cluster",
        "MSH129 this is no Kubernetes object (it has no `kind`), so it is left out",
        "MSH129 this is no Kubernetes object (it has no `kind`), so it is left out",
        "MSH129 the Service `bare` is left out: it selects no pods",
        "MSH129 the Service `db` is left out: it is another name for a host outside",
        "MSH129 the Service `my.api` is left out: a name in the mesh is a host's label, and `my.api` is none",
    ]
    assert 'hosts: ["db.example.com"]' in next(one.help for one in told if "`db`" in one.message)


def test_versions_need_their_label_and_several_accounts_are_told() -> None:
    front = service("api", "{app: api}", "[{name: http, port: 80}]")
    one = deployment("api-1", "{app: api, app.kubernetes.io/version: 1.0.0}", "serviceAccountName: a, containers: []")
    two = deployment("api-2", "{app: api, app.kubernetes.io/version: 2.0.0}", "serviceAccountName: b, containers: []")
    services, told = found_in(front, one, two)
    assert services["api"].versions == ()
    assert services["api"].account == "a"
    assert messages(told) == [
        "MSH129 the pods of `api` run under several accounts: `a` and `b`",
        "MSH129 the versions of `api` cannot be told apart: its pods have no label `version`",
    ]


def test_labels_are_those_that_all_pods_share_and_the_services_own() -> None:
    front = service("api", "{app: api}", "[{port: 80}]").replace("{name: api}", "{name: api, labels: {pci: 'true'}}")
    services, _ = found_in(
        front,
        deployment("one", "{app: api, version: v1, team: x}"),
        deployment("two", "{app: api, version: v2, team: x}"),
    )
    assert services["api"].labels == (("app", "api"), ("pci", "true"), ("team", "x"))


def test_the_same_object_twice_is_one_and_other_images_do_not_matter() -> None:
    front = service("api", "{app: api}", "[{name: http, port: 80}]")
    behind = deployment("api", "{app: api}", "containers: [{image: a}]")
    services, told = found_in(front, front, behind, behind.replace("image: a", "image: b"))
    assert list(services) == ["api"]
    assert told == ()
    _, told = found_in(front, front.replace("80", "81"), behind)
    assert messages(told) == ["MSH128 the Service `api` is described twice, and not alike"]
    assert told[0].related[0].span.source.path == "0.yaml"


def test_a_name_in_two_namespaces_is_a_contradiction() -> None:
    front = service("api", "{app: api}", "[{name: http, port: 80}]")
    _, told = found_in(front, front.replace("{name: api}", "{name: api, namespace: other}"))
    assert messages(told) == ["MSH128 `api` is found twice, in the namespaces `default` and `other`"]


def test_patches_and_kustomizations_are_told_when_they_change_something() -> None:
    findings = Findings()
    quiet = SourceText("k/kustomization.yaml", "resources: [a.yaml]\n")
    assert read_manifest(quiet, findings) is not None
    assert findings.all() == ()
    read_manifest(SourceText("k/kustomization.yml", "resources: [a.yaml]\nnamePrefix: x-\n"), findings)
    read_manifest(SourceText("k/patch.yaml", "kind: Deployment\nmetadata: {name: a}\nspec: {replicas: 2}\n"), findings)
    assert messages(findings.all()) == [
        "MSH129 a kustomization is not applied: `namePrefix` changes what the files beside it say",
        "MSH129 the `Deployment` `a` is left out: it describes no pods, so it may be a patch of another",
    ]
