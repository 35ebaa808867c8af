"""The target `kubernetes` as a backend."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_backends.artifact import Artifact, Emission
from meshc_backends.backend import EmitContext
from meshc_backends.kubernetes.admission import findings
from meshc_backends.kubernetes.connection import connections, reservations
from meshc_backends.kubernetes.manifest import Manifest
from meshc_backends.kubernetes.network_policy import network_policies
from meshc_backends.kubernetes.service import mesh_services, service_accounts
from meshc_backends.kubernetes.sidecar_files import config_maps, secrets
from meshc_backends.yaml_text import YamlValue, yaml_documents
from meshc_compiler.ir.feature import Feature
from meshc_compiler.ir.mesh import MeshIndex
from meshc_lang.diagnostic import has_errors

_SECRETS = "secrets.yaml"

_COMMENTS = {
    "service-accounts.yaml": (
        "One for each workload; no token is mounted, for identity is in the certificate. A pod that talks to the",
        "API server sets `automountServiceAccountToken: true` in its own spec.",
    ),
    "services.yaml": ("Headless: by these names sidecars find each other's pods. Workloads use their own names.",),
    "config-maps.yaml": ("What a sidecar reads at its start.",),
    _SECRETS: ("PRIVATE KEYS. Keep this file out of version control.",),
    "network-policies.yaml": (
        "Connections that the program allows, and no others. Probes come from the pod's own node and pass anyway.",
        "Metrics (15090) are closed: policies add up, so add one that lets your Prometheus in.",
        "Names are looked up in kube-system (k8s-app: kube-dns), by workloads that call somebody.",
    ),
}


class KubernetesBackend:
    """Emits what a cluster needs beside the workloads themselves: `kubectl apply -k kubernetes` applies it.

    Configurations and certificates are those that earlier targets of the same build made. Namespaces are not emitted:
    deleting what was applied would delete them, and with them everything that they hold.
    """

    name = "kubernetes"
    carries: frozenset[Feature] = frozenset()
    leaves = frozenset(Feature)
    # Whatever becomes of a call, its sidecars do it; network policies only say who may connect to whom.

    def emit(self, index: MeshIndex, context: EmitContext) -> Emission:
        """Return a file for each kind, and the kustomization that lists them."""
        files = {file: sorted(found, key=lambda manifest: manifest.key) for file, found in _kinds(index, context)}
        diagnostics = findings(index.mesh, [manifest for found in files.values() for manifest in found])
        if has_errors(diagnostics):
            return Emission(diagnostics=diagnostics)
        files = {file: found for file, found in files.items() if found}
        title = f"Made by meshc from mesh {index.mesh.name}: a change by hand is lost with the next build."
        artifacts = [
            Artifact(
                path=f"kubernetes/{file}",
                content=yaml_documents([manifest.document() for manifest in found], (title, *_COMMENTS[file])).encode(),
                secret=file == _SECRETS,
            )
            for file, found in files.items()
        ]
        if files:
            artifacts.append(
                Artifact(path="kubernetes/kustomization.yaml", content=_kustomization(title, index, files))
            )
        return Emission(
            artifacts=tuple(sorted(artifacts, key=lambda artifact: artifact.path)),
            diagnostics=diagnostics,
            reservations=tuple(reservations(index, self.name)),
        )


def _kinds(index: MeshIndex, context: EmitContext) -> Iterator[tuple[str, Iterator[Manifest]]]:
    emitted = {artifact.path: artifact for artifact in context.emitted}
    yield "service-accounts.yaml", service_accounts(index)
    yield "services.yaml", mesh_services(index, context.placement)
    yield "config-maps.yaml", config_maps(index, emitted)
    yield _SECRETS, secrets(index, emitted)
    yield "network-policies.yaml", network_policies(index, context.placement, connections(index))


def _kustomization(title: str, index: MeshIndex, files: dict[str, list[Manifest]]) -> bytes:
    namespaces = sorted({workload.namespace for workload in index.mesh.workloads})
    document: dict[str, YamlValue] = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(files),
    }
    comment = (
        title,
        "Namespaces are not part of it, so that `kubectl delete -k` cannot take one away. These must be there:",
        f"  {', '.join(namespaces)}",
    )
    return yaml_documents([document], comment).encode()


KUBERNETES = KubernetesBackend()
"""The target `kubernetes`."""
