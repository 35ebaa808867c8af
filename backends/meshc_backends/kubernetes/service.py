"""ServiceAccounts, and the headless Services by which sidecars find each other."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_backends.kubernetes.manifest import Manifest
from meshc_backends.placement import Placement, mesh_service_name
from meshc_backends.yaml_text import YamlValue
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.workload import Service, Workload

VERSION_LABEL = "version"
"""The label of pods by which routes tell a service's versions apart."""

_NOT_OURS = "default"
"""The service account that each namespace has anyway: managing it would change every other pod of the namespace."""


def service_accounts(index: MeshIndex) -> Iterator[Manifest]:
    """Yield one ServiceAccount for each that a workload runs under; workloads may share one."""
    seen: set[tuple[str, str]] = set()
    for workload in index.mesh.workloads:
        account = (workload.namespace, workload.service_account)
        if account in seen or workload.service_account == _NOT_OURS:
            continue
        seen.add(account)
        yield Manifest(
            api_version="v1",
            kind="ServiceAccount",
            name=workload.service_account,
            namespace=workload.namespace,
            mesh=index.mesh.name,
            # Neither sidecar nor mesh uses the token: identity is in the certificate. A pod that talks to the API
            # server says so in its own spec, which overrides this.
            fields={"automountServiceAccountToken": False},
            about=f"workload `{workload.name}`",
            subject=(workload.name,),
            origin=workload.origin,
        )


def mesh_services(index: MeshIndex, placement: Placement) -> Iterator[Manifest]:
    """Yield the headless Services of each service: one for all its pods, and one for each version."""
    for service in index.mesh.services:
        workload = index.workloads[service.workload]
        port = placement.listeners(workload).inbound.port
        for version in (None, *service.versions):
            yield _mesh_service(index, service, workload, version, port)


def _mesh_service(index: MeshIndex, service: Service, workload: Workload, version: str | None, port: int) -> Manifest:
    selector = dict(workload.selector)
    if version is not None:
        selector[VERSION_LABEL] = version
    sidecar: dict[str, YamlValue] = {"name": "mesh", "port": port, "targetPort": port, "protocol": "TCP"}
    about = f"service `{service.name}`" if version is None else f"version `{version}` of service `{service.name}`"
    return Manifest(
        api_version="v1",
        kind="Service",
        name=mesh_service_name(service.host, version),
        namespace=service.namespace,
        mesh=index.mesh.name,
        fields={
            # Headless: its name resolves to the pods themselves, among which the caller's sidecar balances.
            "spec": {"type": "ClusterIP", "clusterIP": "None", "selector": selector, "ports": [sidecar]},
        },
        about=about,
        subject=(service.name,) if version is None else (service.name, version),
        origin=service.origin,
    )
