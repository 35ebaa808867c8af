"""What is emitted is what a cluster accepts, is complete, and reads as expected."""

from __future__ import annotations

import base64
import ipaddress
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from meshc_backends.artifact import Artifact, Emission, Loss
from meshc_backends.backend import Backend
from meshc_backends.certificates import CERTS
from meshc_backends.kubernetes import KUBERNETES
from support.kubernetes_mesh import configured, documents, emit, mesh_of, service, shop_mesh, workload

GOLDEN = Path(__file__).parent / "golden"
KUBECTL = shutil.which("kubectl")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@pytest.fixture(scope="module")
def emitted() -> Emission:
    emission = emit(shop_mesh(), configured(shop_mesh()))
    assert emission.diagnostics == ()
    return emission


def named(emission: Emission, kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in documents(emission, kind) if each["metadata"]["name"] == name]
    return found


def test_every_file_is_as_it_was_read_and_approved(emitted: Emission, request: pytest.FixtureRequest) -> None:
    files = {artifact.path.removeprefix("kubernetes/"): artifact.content for artifact in emitted.artifacts}
    if request.config.getoption("--update-golden", default=False):
        GOLDEN.mkdir(exist_ok=True)
        for stale in GOLDEN.iterdir():
            stale.unlink()
        for name, content in files.items():
            (GOLDEN / name).write_bytes(content)
    assert sorted(path.name for path in GOLDEN.iterdir()) == sorted(files)
    for name, content in files.items():
        assert content.decode() == (GOLDEN / name).read_text(encoding="utf-8"), name


def test_every_object_passes_the_official_schemas_strictly(emitted: Emission) -> None:
    objects = documents(emitted)
    assert {each["kind"] for each in objects} == {
        "ServiceAccount", "Service", "ConfigMap", "Secret", "NetworkPolicy",
    }  # fmt: skip
    for version in ("1.25.0", kubernetes_validate.latest_version()):
        for each in objects:
            kubernetes_validate.validate(each, version, strict=True)


def test_the_schema_check_would_notice(emitted: Emission) -> None:
    policy = named(emitted, "NetworkPolicy", "api-mesh")
    policy["spec"]["ingres"] = []
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(policy, "1.37.0", strict=True)


def test_names_labels_and_ports_hold_what_schemas_do_not_check(emitted: Emission) -> None:
    seen = set()
    for each in documents(emitted):
        metadata = each["metadata"]
        assert NAME.fullmatch(metadata["name"]), metadata
        assert NAME.fullmatch(metadata["namespace"]), metadata
        assert metadata["labels"] == {
            "app.kubernetes.io/managed-by": "meshc",
            "app.kubernetes.io/part-of": "shop",
        }
        key = (each["kind"], metadata["namespace"], metadata["name"])
        assert key not in seen
        seen.add(key)
        for path, value in leaves(each):
            if path[-2:-1] in {("matchLabels",), ("selector",), ("labels",)}:
                assert LABEL_VALUE.fullmatch(value), (path, value)
            if path[-1] in {"port", "targetPort"}:
                assert isinstance(value, int)
                assert 1 <= value <= 65535


def test_address_blocks_are_networks_and_exceptions_lie_within_them(emitted: Emission) -> None:
    blocks = [
        peer["ipBlock"]
        for policy in documents(emitted, "NetworkPolicy")
        for each in policy["spec"]["egress"]
        for peer in each["to"]
        if "ipBlock" in peer
    ]
    assert blocks
    for block in blocks:
        network = ipaddress.ip_network(block["cidr"], strict=True)
        for text in block.get("except", ()):
            inner = ipaddress.ip_network(text, strict=True)
            assert inner != network
            assert inner.subnet_of(network)  # type: ignore[arg-type]


def test_the_targets_are_backends_named_after_their_folders(emitted: Emission) -> None:
    backends: tuple[Backend, ...] = (CERTS, KUBERNETES)
    assert [backend.name for backend in backends] == ["certs", "kubernetes"]
    assert all(artifact.path.startswith("kubernetes/") for artifact in emitted.artifacts)


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item, path)]
    return [(path, value)]


def test_secrets_hold_the_certificates_and_nothing_else_holds_a_key(emitted: Emission) -> None:
    secret = named(emitted, "Secret", "web-svid")
    assert secret["type"] == "Opaque"
    data = {key: base64.b64decode(value, validate=True) for key, value in secret["data"].items()}
    assert data == {"cert-chain.pem": b"chain of web\n", "key.pem": b"KEY of web\n", "trust-bundle.pem": b"roots\n"}
    assert [artifact.path for artifact in emitted.artifacts if artifact.secret] == ["kubernetes/secrets.yaml"]
    for artifact in emitted.artifacts:
        if not artifact.secret:
            assert b"KEY of" not in artifact.content
            assert base64.b64encode(b"KEY of web\n") not in artifact.content


def test_a_key_never_gets_into_a_config_map() -> None:
    mesh = mesh_of([workload("web")], [])
    with pytest.raises(ValueError, match="everybody"):
        emit(mesh, (Artifact(path="envoy/web.json", content=b"{}", secret=True),))


def test_config_maps_hold_what_the_other_targets_made_to_the_byte(emitted: Emission) -> None:
    data = named(emitted, "ConfigMap", "web-sidecar")["data"]
    assert data == {"envoy.json": '{\n  "node": {"id": "web"}\n}\n', "snapshot.json": '{"workload": "web"}\n'}


def test_what_the_build_did_not_make_is_left_out() -> None:
    shop = shop_mesh()
    only_envoy = tuple(a for a in configured(shop) if a.path.startswith("envoy/"))
    emission = emit(shop, only_envoy)
    assert set(named(emission, "ConfigMap", "web-sidecar")["data"]) == {"envoy.json"}
    bare = emit(shop)
    assert {each["kind"] for each in documents(bare)} == {"ServiceAccount", "Service", "NetworkPolicy"}
    for each in (emission, bare):
        (kustomization,) = [a for a in each.artifacts if a.path == "kubernetes/kustomization.yaml"]
        listed = yaml.safe_load(kustomization.content)["resources"]
        assert listed == sorted(a.path.rpartition("/")[2] for a in each.artifacts if a is not kustomization)


def test_mesh_services_find_the_sidecars_of_all_pods_and_of_each_version(emitted: Emission) -> None:
    for name, selector in (
        ("api-mesh", {"app": "api"}),
        ("api-v1-mesh", {"app": "api", "version": "v1"}),
        ("api-v2-mesh", {"app": "api", "version": "v2"}),
        ("payments-mesh", {"app": "payments", "tier": "pci"}),
    ):
        spec = named(emitted, "Service", name)["spec"]
        assert spec["clusterIP"] == "None"
        assert spec["selector"] == selector
        assert [(port["port"], port["targetPort"], port["protocol"]) for port in spec["ports"]] == [
            (15006, 15006, "TCP")
        ]
    assert [each["metadata"]["name"] for each in documents(emitted, "Service")] == [
        "api-mesh", "api-v1-mesh", "api-v2-mesh", "idle-mesh", "ledger-mesh", "payments-mesh", "web-mesh",
    ]  # fmt: skip


def test_service_accounts_mount_no_token_and_leave_default_alone(emitted: Emission) -> None:
    accounts = documents(emitted, "ServiceAccount")
    assert [(a["metadata"]["namespace"], a["metadata"]["name"]) for a in accounts] == [
        ("default", "api"), ("default", "idle"), ("default", "payments"), ("edge", "web"), ("ingress", "ingress"),
    ]  # fmt: skip
    assert all(account["automountServiceAccountToken"] is False for account in accounts)


def test_workloads_may_share_a_service_account() -> None:
    shared = [workload(name, service_account="shop") for name in ("a", "b")]
    emission = emit(mesh_of(shared, [service(each) for each in shared]))
    assert emission.diagnostics == ()
    assert len(documents(emission, "ServiceAccount")) == 1


def test_no_namespace_is_taken_over(emitted: Emission) -> None:
    assert documents(emitted, "Namespace") == []
    (kustomization,) = [a for a in emitted.artifacts if a.path == "kubernetes/kustomization.yaml"]
    assert "default, edge, ingress" in kustomization.content.decode()
    assert set(yaml.safe_load(kustomization.content)) == {"apiVersion", "kind", "resources"}


def test_what_network_policies_cannot_say_is_on_record(emitted: Emission) -> None:
    found = {(each.loss, each.subject): each.reason for each in emitted.reservations}
    assert set(found) == {
        (Loss.NARROWED, "api"),
        (Loss.NARROWED, "ledger"),
        (Loss.NARROWED, "payments"),
        (Loss.NARROWED, "stripe"),
        (Loss.NARROWED, "vault"),
        (Loss.REFUSED, "spiffe://partner.example/ns/x/sa/auditor -> ledger"),
    }
    assert "1 allow" in found[Loss.NARROWED, "api"]
    assert "1 deny" in found[Loss.NARROWED, "ledger"]
    assert "which of its ports" in found[Loss.NARROWED, "payments"]
    assert "vault.corp" in found[Loss.NARROWED, "vault"]
    assert "10.1.2.3" not in found[Loss.NARROWED, "vault"]


def test_the_same_mesh_gives_the_same_bytes(emitted: Emission) -> None:
    assert emit(shop_mesh(), configured(shop_mesh())) == emitted


def test_a_mesh_without_workloads_gives_no_files() -> None:
    assert emit(mesh_of([], [])) == Emission()


@pytest.mark.skipif(KUBECTL is None, reason="there is no kubectl on this machine")
def test_kubectl_builds_the_kustomization_as_it_is(emitted: Emission, tmp_path: Path) -> None:
    for artifact in emitted.artifacts:
        path = tmp_path / artifact.path
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(artifact.content)
    done = subprocess.run(
        [str(KUBECTL), "kustomize", str(tmp_path / "kubernetes")], capture_output=True, check=False, encoding="utf-8"
    )
    assert (done.returncode, done.stderr) == (0, "")

    def by_key(objects: list[dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
        return {(o["kind"], o["metadata"]["namespace"], o["metadata"]["name"]): o for o in objects}

    assert by_key(list(yaml.safe_load_all(done.stdout))) == by_key(documents(emitted))
