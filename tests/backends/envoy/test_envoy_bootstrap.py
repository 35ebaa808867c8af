"""Whole bootstraps: their text, that Envoy accepts them, and what must hold of every one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from meshc_backends.artifact import Emission, Loss
from meshc_backends.backend import EmitContext
from meshc_backends.envoy.backend import ENVOY, emit_workload
from meshc_backends.placement import Address, KubernetesPlacement, Listeners, Placement
from meshc_compiler.ir.mesh import INGRESS, Mesh, MeshIndex
from meshc_compiler.ir.slice import slice_of
from meshc_compiler.ir.workload import External, Protocol, ServicePort, Workload
from meshc_lang.codes.targets import ENVOY_PROTOCOL
from support.authority import TestAuthority
from support.envoy_process import validate

GOLDEN = Path(__file__).parent / "golden"


class PlacementWithFiles(KubernetesPlacement):
    """A cluster's addresses with certificates that exist, for Envoy reads them when it validates."""

    def __init__(self, directory: Path, trust_domain: str) -> None:
        self._issued = TestAuthority(directory, trust_domain).issue("any", f"spiffe://{trust_domain}/any")

    def certificates(self, workload: Workload) -> str:
        return str(self._issued.directory)

    def external_roots(self) -> str:
        return str(self._issued.bundle)


def emit(mesh: Mesh, placement: Placement | None = None) -> Emission:
    context = EmitContext(
        placement=placement or KubernetesPlacement(),
        authority=Path("unused"),
        now=datetime(2026, 1, 1, tzinfo=UTC),
        previous=lambda _: None,
    )
    return ENVOY.emit(MeshIndex(mesh), context)


def bootstraps(emission: Emission) -> dict[str, dict[str, Any]]:
    return {Path(artifact.path).stem: json.loads(artifact.content) for artifact in emission.artifacts}


def everything(value: Any) -> Iterator[dict[str, Any]]:
    """Every message inside a bootstrap."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from everything(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from everything(inner)


def test_golden(shop: Mesh, update_golden: bool) -> None:
    """Read the difference that `--update-golden` makes before it is committed."""
    emitted = {Path(artifact.path).name: artifact.content for artifact in emit(shop).artifacts}
    emitted = {name: emitted[name] for name in ("api.json", "ingress.json", "web.json")}
    if update_golden:
        GOLDEN.mkdir(exist_ok=True)
        for stale in GOLDEN.iterdir():
            stale.unlink()
        for name, content in emitted.items():
            (GOLDEN / name).write_bytes(content)
    assert sorted(path.name for path in GOLDEN.iterdir()) == sorted(emitted)
    for name, content in emitted.items():
        assert content.decode() == (GOLDEN / name).read_text(), name


def test_one_file_a_workload(shop: Mesh) -> None:
    paths = [artifact.path for artifact in emit(shop).artifacts]
    assert paths == [f"envoy/{workload.name}.json" for workload in shop.workloads]


def test_same_mesh_same_bytes(shop: Mesh) -> None:
    assert emit(shop).artifacts == emit(shop).artifacts


def test_envoy_accepts_every_bootstrap(shop: Mesh, tmp_path: Path) -> None:
    placement = PlacementWithFiles(tmp_path, shop.trust_domain)
    for artifact in emit(shop, placement).artifacts:
        config = tmp_path / Path(artifact.path).name
        config.write_bytes(artifact.content)
        assert validate(config) == "", artifact.path


def test_a_wrong_bootstrap_is_noticed(shop: Mesh, tmp_path: Path) -> None:
    placement = PlacementWithFiles(tmp_path, shop.trust_domain)
    artifact = emit(shop, placement).artifacts[0]
    config = tmp_path / "wrong.json"
    config.write_bytes(artifact.content.replace(b'"require_client_certificate"', b'"require_client_certificates"'))
    assert "require_client_certificates" in validate(config)


def test_other_workloads_do_not_matter(shop: Mesh) -> None:
    """A bootstrap is a function of the workload's slice."""
    index = MeshIndex(shop)
    web = index.workloads["web"]
    alone = emit_workload(slice_of(index, web), KubernetesPlacement()).artifacts[0]
    assert alone in emit(shop).artifacts


def test_an_external_that_is_not_http_is_refused_aloud(shop: Mesh) -> None:
    port = ServicePort(name=None, number=5432, protocol=Protocol.TCP)
    far = External(name="warehouse", hosts=("db.example",), port=port)
    emission = emit(replace(shop, externals=(*shop.externals, far)))
    [finding] = emission.diagnostics
    assert finding.code is ENVOY_PROTOCOL
    assert "`warehouse`" in finding.message
    [reservation] = emission.reservations
    assert (reservation.target, reservation.loss) == ("envoy", Loss.REFUSED)
    assert all("5432" not in json.dumps(bootstrap) for bootstrap in bootstraps(emission).values())


def test_a_tcp_callee_has_a_listener_beside_each_workload_that_calls_it(shop: Mesh) -> None:
    emission = emit(shop)
    assert emission.diagnostics == ()
    assert emission.reservations == ()
    beside = {
        name: [
            listener["address"]["socket_address"]
            for listener in bootstrap["static_resources"]["listeners"]
            if listener["name"] == "outbound store:6379"
        ]
        for name, bootstrap in bootstraps(emission).items()
    }
    callers = {name for name, addresses in beside.items() if addresses}
    assert callers == {"api"}
    assert beside["api"] == [{"address": "127.0.0.1", "port_value": 6379}]


def test_no_way_in_where_nothing_is_served(shop: Mesh) -> None:
    listeners = bootstraps(emit(shop))[INGRESS]["static_resources"]["listeners"]
    assert [listener["name"] for listener in listeners] == ["outbound", "readiness", "metrics"]


class TestEveryBootstrap:
    """What no bootstrap may lack, whatever the program."""

    @pytest.fixture
    def all_of_them(self, shop: Mesh) -> dict[str, dict[str, Any]]:
        return bootstraps(emit(shop))

    def test_paths_are_brought_into_one_spelling(self, all_of_them: dict[str, dict[str, Any]]) -> None:
        managers = [message for message in everything(all_of_them) if "forward_client_cert_details" in message]
        assert len(managers) == len(all_of_them) + 5
        for manager in managers:
            assert manager["normalize_path"] is True
            assert manager["merge_slashes"] is True
            assert manager["path_with_escaped_slashes_action"] == "REJECT_REQUEST"

    def test_paths_are_never_compared_with_their_query(self, all_of_them: dict[str, dict[str, Any]]) -> None:
        assert [message for message in everything(all_of_them) if message.get("name") == ":path"] == []

    def test_inbound_decides_before_it_routes(self, all_of_them: dict[str, dict[str, Any]]) -> None:
        for name, bootstrap in all_of_them.items():
            for listener in bootstrap["static_resources"]["listeners"]:
                if listener["name"] == "inbound":
                    for chain in listener["filter_chains"]:
                        tls = chain["transport_socket"]["typed_config"]
                        assert tls["require_client_certificate"] is True
                        assert tls["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"]
                        one_identity, *decide = chain["filters"]
                        assert one_identity["name"] == "one_identity"
                        if name == "store":
                            assert [part["name"] for part in decide] == ["deny", "allow", "tcp"]
                            continue
                        [http] = decide
                        filters = [part["name"] for part in http["typed_config"]["http_filters"]]
                        assert filters in (["deny", "allow", "router"], ["deny", "allow", "limit", "router"]), name

    def test_only_refusals_go_past_the_rules_inbound(self, all_of_them: dict[str, dict[str, Any]]) -> None:
        for name, bootstrap in all_of_them.items():
            for listener in bootstrap["static_resources"]["listeners"]:
                if listener["name"] == "inbound" and name != "store":  # whose connections have no routes
                    off = [message for message in everything(listener) if "typed_per_filter_config" in message]
                    assert off
                    for message in off:
                        filters = {400: {"deny", "allow", "limit"}, 405: {"limit"}}[
                            message["direct_response"]["status"]
                        ]
                        assert set(message["typed_per_filter_config"]) <= filters

    def test_outbound_denies_unless_a_host_says_otherwise(self, all_of_them: dict[str, dict[str, Any]]) -> None:
        for bootstrap in all_of_them.values():
            [outbound] = [item for item in bootstrap["static_resources"]["listeners"] if item["name"] == "outbound"]
            [manager] = [message for message in everything(outbound) if "http_filters" in message]
            allow = next(part for part in manager["http_filters"] if part["name"] == "allow")
            assert allow["typed_config"]["rules"] == {"action": "ALLOW", "policies": {}}
            for host in manager["route_config"]["virtual_hosts"]:
                assert set(host["typed_per_filter_config"]) == {"deny", "allow"}

    def test_nothing_is_left_to_defaults_that_would_cut_calls(self, all_of_them: dict[str, dict[str, Any]]) -> None:
        for bootstrap in all_of_them.values():
            for cluster in bootstrap["static_resources"]["clusters"]:
                [bounds] = cluster["circuit_breakers"]["thresholds"]
                assert bounds["max_requests"] == bounds["max_connections"] == 2**32 - 1
                assert ("max_retries" in bounds) != ("retry_budget" in bounds)
                assert cluster["connect_timeout"]
                assert "outlier_detection" not in cluster
        for message in everything(all_of_them):
            if "cluster" in message and not {"prefix_rewrite", "id", "callee"} & message.keys():
                assert "idle_timeout" in message if "stat_prefix" in message else "timeout" in message

    def test_callees_must_be_who_they_are(self, all_of_them: dict[str, dict[str, Any]]) -> None:
        clusters = all_of_them["api"]["static_resources"]["clusters"]
        for cluster in clusters:
            if cluster["name"] in {"admin", "weather/weather.example", "weather/sky.example"}:
                assert "transport_socket" not in cluster
            elif not cluster["name"].startswith("application:"):
                context = cluster["transport_socket"]["typed_config"]["common_tls_context"]["validation_context"]
                [name] = context["match_typed_subject_alt_names"]
                assert set(name["matcher"]) == {"exact"}

    def test_only_the_gateway_listens_for_calls_beyond_loopback(self, all_of_them: dict[str, dict[str, Any]]) -> None:
        assert Listeners().outbound == Address("127.0.0.1", 15001)
        for name, bootstrap in all_of_them.items():
            assert bootstrap["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"
            [outbound] = [item for item in bootstrap["static_resources"]["listeners"] if item["name"] == "outbound"]
            host = outbound["address"]["socket_address"]["address"]
            assert host == ("0.0.0.0" if name == INGRESS else "127.0.0.1")
