"""What the API server would refuse is found before anything is written."""

from __future__ import annotations

import pytest

from meshc_backends.artifact import Artifact, Emission
from meshc_lang.source import SourceText
from support.kubernetes_mesh import documents, emit, mesh_of, service, workload


def codes(emission: Emission) -> list[str]:
    return [diagnostic.code.id for diagnostic in emission.diagnostics]


def refused(emission: Emission, code: str) -> str:
    """The message of the only finding; nothing is emitted beside it, and it says what to do."""
    assert codes(emission) == [code]
    assert emission.artifacts == ()
    assert emission.diagnostics[0].help
    return emission.diagnostics[0].message


@pytest.mark.parametrize(
    "name", ["Web", "web_front", "9web", "web-", "-web", "w" * 59, "wéb", "web.front", "web front"]
)
def test_a_name_that_kubernetes_does_not_accept_is_reported_once(name: str) -> None:
    bad = workload(name, selector=(("app", "web"),))
    assert f"`{name}" in refused(emit(mesh_of([bad], [service(bad, versions=("v1", "v2"))])), "MSH850")


def test_the_longest_names_that_fit_are_accepted() -> None:
    fine = workload("w" * 58, selector=(("app", "w" * 63),))
    assert codes(emit(mesh_of([fine], [service(fine)]))) == []
    versioned = workload("w" * 55)
    assert codes(emit(mesh_of([versioned], [service(versioned, versions=("v1",))]))) == []
    assert codes(emit(mesh_of([versioned], [service(versioned, versions=("v-10",))]))) == ["MSH850"]


@pytest.mark.parametrize("version", ["V1", "v1.2", "v_1", "2026-"])
def test_a_version_becomes_part_of_a_name(version: str) -> None:
    web = workload("web")
    message = refused(emit(mesh_of([web], [service(web, versions=("v1", version))])), "MSH850")
    assert f"version `{version}` of service `web`" in message


@pytest.mark.parametrize("namespace", ["Edge", "a.b", "x" * 64, ""])
def test_namespaces_are_checked(namespace: str) -> None:
    web = workload("web", namespace)
    assert "as namespace" in refused(emit(mesh_of([web], [service(web)])), "MSH850")


@pytest.mark.parametrize(
    "label", [("app", "a b"), ("app", "x" * 64), ("app", "-a"), ("", "a"), ("a/b/c", "a"), ("x" * 64, "a"), ("-a", "a")]
)
def test_selectors_are_checked(label: tuple[str, str]) -> None:
    web = workload("web", selector=(label,))
    refused(emit(mesh_of([web], [service(web)])), "MSH850")


def test_usual_selectors_are_accepted() -> None:
    web = workload("web", selector=(("app.kubernetes.io/name", "Web_1.x"), ("empty", "")))
    assert codes(emit(mesh_of([web], [service(web)]))) == []


def test_the_mesh_name_is_a_label() -> None:
    web = workload("web")
    assert "mesh" in refused(emit(mesh_of([web], [service(web)], name="my mesh")), "MSH850")


def test_a_version_and_a_service_may_not_need_the_same_object() -> None:
    api, twin = workload("api"), workload("api-v1")
    message = refused(emit(mesh_of([api, twin], [service(api, versions=("v1",)), service(twin)])), "MSH851")
    assert "`api-v1-mesh`" in message
    assert "version `v1` of service `api`" in message
    elsewhere = workload("api-v1", "edge")
    assert codes(emit(mesh_of([api, elsewhere], [service(api, versions=("v1",)), service(elsewhere)]))) == []


def test_an_empty_selector_is_every_pod_and_refused() -> None:
    web = workload("web", selector=())
    assert "every pod" in refused(emit(mesh_of([web], [service(web)])), "MSH852")


def test_pods_of_two_workloads_are_refused() -> None:
    web, twin = workload("web"), workload("twin", selector=(("app", "web"),))
    assert "same selector" in refused(emit(mesh_of([web, twin], [service(web), service(twin)])), "MSH852")
    narrow = workload("narrow", selector=(("app", "web"), ("tier", "x")))
    message = refused(emit(mesh_of([web, narrow], [service(web), service(narrow)])), "MSH852")
    assert message.startswith("workload `narrow`")
    other_first = workload("narrow", selector=(("a", "x"), ("app", "web")))
    refused(emit(mesh_of([web, other_first], [service(web), service(other_first)])), "MSH852")
    apart = workload("twin", "edge", selector=(("app", "web"),))
    assert codes(emit(mesh_of([web, apart], [service(web), service(apart)]))) == []


def test_a_config_map_over_one_mebibyte_is_refused() -> None:
    web = workload("web")
    files = (
        Artifact(path="envoy/web.json", content=b"x" * (1024 * 1024 - 10)),
        Artifact(path="sidecar/web.json", content=b"y" * 11),
    )
    assert "1048577 bytes" in refused(emit(mesh_of([web], [service(web)]), files), "MSH853")


def test_one_that_a_plain_apply_cannot_take_is_warned_of() -> None:
    web = workload("web")
    mesh = mesh_of([web], [service(web)])
    large = emit(mesh, (Artifact(path="envoy/web.json", content=b"x" * 300_000),))
    assert codes(large) == ["MSH854"]
    assert "--server-side" in large.diagnostics[0].help
    assert documents(large, "ConfigMap")
    # The annotation holds JSON, in which each of these takes six bytes.
    assert codes(emit(mesh, (Artifact(path="envoy/web.json", content=b"<" * 60_000),))) == ["MSH854"]
    assert codes(emit(mesh, (Artifact(path="envoy/web.json", content=b"x" * 250_000),))) == []


def test_a_finding_points_at_the_service() -> None:
    source = SourceText("shop.mesh", "service Web {}\n")
    web = workload("Web", selector=(("app", "web"),), origin=source.span(8, 11))
    emission = emit(mesh_of([web], []))
    assert str(emission.diagnostics[0].primary) == "shop.mesh:1:9"
