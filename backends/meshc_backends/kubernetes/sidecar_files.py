"""What a sidecar mounts: its configuration as a ConfigMap, its certificate and key as a Secret."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from meshc_backends.artifact import Artifact
from meshc_backends.kubernetes.manifest import Manifest
from meshc_backends.yaml_text import YamlValue
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.workload import Workload

_CONFIGURATIONS = (("envoy.json", "envoy/{}.json"), ("snapshot.json", "sidecar/{}.json"))
_CERTIFICATES = ("cert-chain.pem", "key.pem", "trust-bundle.pem")


def config_maps(index: MeshIndex, emitted: dict[str, Artifact]) -> Iterator[Manifest]:
    """Yield `<workload>-sidecar` for each workload that another target of this build has configured."""
    for workload in index.mesh.workloads:
        data: dict[str, YamlValue] = {}
        for key, path in _CONFIGURATIONS:
            artifact = emitted.get(path.format(workload.name))
            if artifact is None:
                continue
            if artifact.secret:
                raise ValueError(f"{artifact.path} is secret, and a ConfigMap is for everybody to read")
            data[key] = artifact.content.decode("utf-8")
        if data:
            yield _manifest(index, workload, "ConfigMap", "sidecar", {"data": data})


def secrets(index: MeshIndex, emitted: dict[str, Artifact]) -> Iterator[Manifest]:
    """Yield `<workload>-svid` for each workload whose certificate this build has issued or kept."""
    for workload in index.mesh.workloads:
        files = {name: emitted.get(f"certs/{workload.name}/{name}") for name in _CERTIFICATES}
        data: dict[str, YamlValue] = {
            name: base64.b64encode(file.content).decode("ascii") for name, file in files.items() if file is not None
        }
        if len(data) == len(_CERTIFICATES):
            yield _manifest(index, workload, "Secret", "svid", {"type": "Opaque", "data": data})


def _manifest(index: MeshIndex, workload: Workload, kind: str, suffix: str, fields: dict[str, YamlValue]) -> Manifest:
    return Manifest(
        api_version="v1",
        kind=kind,
        name=f"{workload.name}-{suffix}",
        namespace=workload.namespace,
        mesh=index.mesh.name,
        fields=fields,
        about=f"workload `{workload.name}`",
        subject=(workload.name,),
        origin=workload.origin,
    )
