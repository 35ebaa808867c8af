"""Bootstraps proved equal to the program: workload by workload, from the slice and the bytes of the file alone."""

from __future__ import annotations

from meshc_backends.artifact import Artifact
from meshc_backends.placement import Placement
from meshc_backends.readback.envoy.bootstrap import read_bootstrap
from meshc_backends.readback.proof import Proof, findings, prove
from meshc_backends.readback.terms import ENVOY
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.slice import WorkloadSlice
from meshc_lang.diagnostic import Diagnostic


def prove_bootstrap(slice_: WorkloadSlice, placement: Placement, path: str, content: bytes) -> Proof:
    """Read a bootstrap back and compare it with the slice: a pure function of slice, placement and bytes."""
    return prove(slice_, placement, path, content, read_bootstrap, ENVOY)


def differences(
    index: MeshIndex, slice_: WorkloadSlice, placement: Placement, artifact: Artifact
) -> tuple[Diagnostic, ...]:
    """Return where a workload's bootstrap does not mean what the program says, as findings."""
    return findings(prove_bootstrap(slice_, placement, artifact.path, artifact.content), slice_, index)
