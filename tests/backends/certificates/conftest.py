"""A small mesh, and builds of its certificates into a directory of the test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from meshc_backends.artifact import Artifact, Emission
from meshc_backends.backend import EmitContext
from meshc_backends.certificates import CertificatesBackend
from meshc_backends.placement import KubernetesPlacement
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.mesh import Mesh, MeshIndex
from meshc_compiler.ir.workload import Workload

Build = Callable[..., Emission]


def workload(name: str, trust_domain: str, namespace: str = "default") -> Workload:
    return Workload(
        name=name,
        namespace=namespace,
        service_account=name,
        spiffe_id=SpiffeId.of_workload(trust_domain, namespace, name),
        selector=(("app", name),),
    )


def mesh(*names: str, trust_domain: str = "shop.example", namespace: str = "default") -> MeshIndex:
    workloads = tuple(workload(name, trust_domain, namespace) for name in sorted(names))
    return MeshIndex(Mesh(name="shop", trust_domain=trust_domain, workloads=workloads, services=()))


@pytest.fixture
def now() -> datetime:
    """The real time, so that verifiers with their own clock agree."""
    return datetime.now(UTC)


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    return tmp_path / "state" / "authority"


@pytest.fixture
def build(authority: Path) -> Build:
    """Emit certificates; `previous` is the emission of the build before."""

    def emit(
        index: MeshIndex,
        when: datetime,
        previous: tuple[Artifact, ...] = (),
        backend: CertificatesBackend | None = None,
    ) -> Emission:
        files = {artifact.path: artifact.content for artifact in previous}
        context = EmitContext(placement=KubernetesPlacement(), authority=authority, now=when, previous=files.get)
        return (backend or CertificatesBackend(wait=lambda seconds: None)).emit(index, context)

    return emit


@pytest.fixture
def shop() -> MeshIndex:
    return mesh("api", "web")


@pytest.fixture
def mesh_of() -> Callable[..., MeshIndex]:
    return mesh


@pytest.fixture
def write() -> Callable[[Emission, Path], Path]:
    """Write an emission's files below a directory and return the directory."""

    def write_to(emission: Emission, directory: Path) -> Path:
        for artifact in emission.artifacts:
            path = directory / artifact.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(artifact.content)
        return directory

    return write_to
