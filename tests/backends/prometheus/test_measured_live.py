"""The names that the rules go by are those that sidecars count under."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from meshc_backends.measured import SIDECAR_BOUNDS_NS
from meshc_backends.prometheus.measure import meters
from meshc_backends.prometheus.rules import group_of
from meshc_compiler.ir.mesh import Mesh
from meshc_compiler.ir.objective import LatencyObjective, Objective
from meshc_runtime.access_log import AccessRecord
from meshc_runtime.metrics import ProxyMetrics
from support.envoy_mesh import EnvoyMesh
from support.http_call import call
from support.ir_mesh import DOMAIN, allow, http_port, service, workload

MS = 1_000_000
OBJECTIVE = Objective(
    service="my-api",
    window_ns=30 * 86_400_000 * MS,
    availability=999_000,
    latencies=(LatencyObjective(share=500_000, bound_ns=17 * MS), LatencyObjective(share=990_000, bound_ns=3000 * MS)),
)
MESH = Mesh(
    name="measured",
    trust_domain=DOMAIN,
    workloads=(workload("my-api"), workload("web")),
    services=(service("my-api", http_port(8080, "http"), http_port(8081, "admin")),),
    rules=(allow("web", "my-api"), allow("web", "my-api", port=8081)),
    objectives=(OBJECTIVE,),
)

SELECTOR = re.compile(r"rate\(([a-z_]+)\{([^{}]*)\}\[")
LABEL = re.compile(r'([a-z_]+)(=~|=)"((?:[^"\\]|\\.)*)"')


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvoyMesh]:
    with EnvoyMesh(MESH, tmp_path_factory.mktemp("mesh")) as running:
        yield running


def selectors(sidecar: str) -> set[tuple[str, str]]:
    """Return the metrics and labels that the rules of the objective look at."""
    group = group_of("measured", OBJECTIVE, tuple(meters(MESH.services[0], (sidecar,))))
    return set(SELECTOR.findall(str(group).replace("\\\\", "\\")))


def total(page: str, name: str, labels: str) -> float:
    """Return the sum of the samples that a selector finds on a page of metrics."""
    found = [line for line in page.splitlines() if line.startswith(f"{name}{{") and _selected(line, labels)]
    assert found, f"{name}{{{labels}}} is not counted"
    return sum(float(line.split()[-1]) for line in found)


def _selected(line: str, labels: str) -> bool:
    has = {name: value for name, _, value in LABEL.findall(line)}
    return all(
        re.fullmatch(value.replace("\\\\", "\\"), has.get(name, "")) if operator == "=~" else has.get(name, "") == value
        for name, operator, value in LABEL.findall(labels)
    )


def test_an_envoy_counts_by_the_names_that_the_rules_go_by(mesh: EnvoyMesh) -> None:
    for host in ("my-api", "my-api:8081"):
        assert call(mesh.outbound("web"), "GET", "/", host=host).status == 200
    page = call(mesh.listeners["my-api"].metrics.port, "GET", "/stats/prometheus").body.decode()
    looked_at = selectors("envoy")
    assert len(looked_at) == 5  # answered, failed, counted, and one bucket for each bound
    for name, labels in looked_at:
        counted = total(page, name, labels)
        if 'class="5"' in labels:
            assert counted == 0
        elif name == "envoy_http_downstream_rq_xx":
            assert counted == 2
    assert 'le="17"' in page
    assert 'le="3000"' in page


def test_failures_are_counted_where_the_service_is_called(mesh: EnvoyMesh) -> None:
    before = call(mesh.listeners["my-api"].metrics.port, "GET", "/stats/prometheus").body.decode()
    failing = [("x-echo-status", "503")]
    assert call(mesh.outbound("web"), "GET", "/", host="my-api", headers=failing).status == 503
    after = call(mesh.listeners["my-api"].metrics.port, "GET", "/stats/prometheus").body.decode()
    (failed,) = [(name, labels) for name, labels in selectors("envoy") if 'class="5"' in labels]
    assert total(after, *failed) == total(before, *failed) + 1


def test_the_python_proxy_counts_by_the_names_that_the_rules_go_by() -> None:
    metrics = ProxyMetrics()
    for code in (200, 503):
        metrics.requests.count(
            AccessRecord(direction="inbound", caller="web", service="my-api", rule="a rule", status=code), 0.001
        )
    looked_at = selectors("sidecar")
    assert len(looked_at) == 5
    for name, labels in looked_at:
        assert total(metrics.render(), name, labels) == (1 if 'code=~"5.."' in labels else 2)


def test_the_bounds_of_the_python_proxy_are_those_that_it_shows() -> None:
    metrics = ProxyMetrics()
    metrics.requests.count(AccessRecord(direction="inbound", service="my-api", status=200), 0.001)
    shown = [float(bound) for bound in re.findall(r'le="([0-9.]+)"', metrics.render())]
    assert [round(bound * 1_000_000_000) for bound in shown] == list(SIDECAR_BOUNDS_NS)
