"""The target `prometheus` as a backend."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_backends.artifact import Artifact, Emission, Loss, Reservation
from meshc_backends.backend import EmitContext
from meshc_backends.prometheus.measure import Meter, meters
from meshc_backends.prometheus.rules import group_of, latency_word
from meshc_backends.yaml_text import YamlValue, yaml_documents
from meshc_compiler.ir.feature import Feature
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.objective import LatencyObjective, Objective
from meshc_lang.codes.targets import OBJECTIVE_NOT_MEASURED
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.source import SourceText
from meshc_lang.units import print_duration

_SIDECARS = ("envoy", "sidecar")

_LONGEST_NAME = 63
"""Characters of a label's value in Kubernetes; names of objects may be longer, but need not."""


class PrometheusBackend:
    """Emits recording rules and alerts for each `slo`, as a file of rules and as an object of the Prometheus operator.

    What the rules look at is counted by the sidecars that earlier targets of the same build configure.
    """

    name = "prometheus"
    carries = frozenset({Feature.OBJECTIVE})
    leaves = frozenset(Feature) - carries

    def emit(self, index: MeshIndex, context: EmitContext) -> Emission:
        """Return `rules.yaml` and `prometheus-rule.yaml`; nothing for a program that promises nothing."""
        folders = {artifact.path.split("/", 1)[0] for artifact in context.emitted}
        sidecars = tuple(name for name in _SIDECARS if name in folders)
        groups: list[YamlValue] = []
        diagnostics: list[Diagnostic] = []
        reservations: list[Reservation] = []
        for objective in index.mesh.objectives:
            measured = tuple(meters(index.services[objective.service], sidecars))
            found = tuple(_unmeasured(objective, measured))
            diagnostics += found
            if not found:
                reservations += _narrowed(objective, measured)
                groups.append(group_of(index.mesh.name, objective, measured))
        if diagnostics or not groups:
            return Emission(diagnostics=tuple(diagnostics))
        return Emission(artifacts=tuple(_files(index.mesh.name, groups)), reservations=tuple(reservations))


def _unmeasured(objective: Objective, measured: tuple[Meter, ...]) -> Iterator[Diagnostic]:
    nowhere = SourceText("prometheus", "").span(0, 0)
    if not measured:
        yield Diagnostic(
            code=OBJECTIVE_NOT_MEASURED,
            message=f"the sidecars of this build count no requests of `{objective.service}`",
            primary=objective.origin or nowhere,
            help="build the target `envoy` too: it counts requests of every port of http, http2 and grpc",
            subject=f"prometheus {objective.service}",
        )
        return
    for latency in objective.latencies:
        coarse = [meter.target for meter in measured if meter.durations.below(latency.bound_ns) is None]
        if coarse:
            word, bound = latency_word(latency), print_duration(latency.bound_ns)
            names = " and ".join(f"`{target}`" for target in coarse)
            yield Diagnostic(
                code=OBJECTIVE_NOT_MEASURED,
                message=f"`{word}` of `{objective.service}` is {bound}, less than the sidecars of {names} tell apart",
                primary=latency.origin or objective.origin or nowhere,
                help="promise a millisecond or more",
                subject=f"prometheus {objective.service} {word}",
            )


def _narrowed(objective: Objective, measured: tuple[Meter, ...]) -> Iterator[Reservation]:
    for latency in objective.latencies:
        for meter in measured:
            if reservation := _of_latency(objective, latency, meter):
                yield reservation


def _of_latency(objective: Objective, latency: LatencyObjective, meter: Meter) -> Reservation | None:
    counted = meter.durations.below(latency.bound_ns)
    if counted is None or counted == latency.bound_ns:
        return None
    return Reservation(
        target="prometheus",
        loss=Loss.NARROWED,
        subject=f"`{latency_word(latency)}` of `slo {objective.service}`",
        reason=(
            f"sidecars of `{meter.target}` do not count by {print_duration(latency.bound_ns)}: the alerts hold them to "
            f"{print_duration(counted)}, which is stricter"
        ),
    )


def _files(mesh: str, groups: list[YamlValue]) -> Iterator[Artifact]:
    title = f"Made by meshc from mesh {mesh}: a change by hand is lost with the next build."
    name = _object_name(mesh)
    resource: dict[str, YamlValue] = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": f"{name}-slo",
            "labels": {"app.kubernetes.io/managed-by": "meshc", "app.kubernetes.io/part-of": name},
        },
        "spec": {"groups": groups},
    }
    apply = "Belongs where your Prometheus operator looks for rules: kubectl apply -n NAMESPACE -f prometheus-rule.yaml"
    yield Artifact(path="prometheus/prometheus-rule.yaml", content=yaml_documents([resource], (title, apply)).encode())
    yield Artifact(path="prometheus/rules.yaml", content=yaml_documents([{"groups": groups}], (title,)).encode())


def _object_name(mesh: str) -> str:
    """Return a mesh's name in the alphabet of Kubernetes (RFC 1123), with room for what is put behind it."""
    return mesh.lower().replace("_", "-").strip("-")[: _LONGEST_NAME - len("-slo")].rstrip("-") or "mesh"


PROMETHEUS = PrometheusBackend()
"""The target `prometheus`."""
