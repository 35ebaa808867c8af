"""The network policies among the files of the target `kubernetes`."""

from __future__ import annotations

from meshc_backends.artifact import Artifact
from meshc_backends.placement import Placement
from meshc_backends.read_back import Meaning, ReadBack
from meshc_backends.readback.network_policy.validation import validate
from meshc_compiler.ir.mesh import MeshIndex
from meshc_lang.diagnostic import Diagnostic

_FILE = "kubernetes/network-policies.yaml"


def prove_policies(
    index: MeshIndex, placement: Placement, artifacts: tuple[Artifact, ...]
) -> tuple[tuple[Diagnostic, ...], ReadBack | None]:
    """Read the network policies back; a mesh that has workloads and no policies is wide open, and told so."""
    content = next((artifact.content for artifact in artifacts if artifact.path == _FILE), b"")
    if not content and not index.mesh.workloads:
        return (), None
    found = validate(index, placement, _FILE, content)
    if found.proof is None:
        return found.diagnostics, None
    proof = ReadBack(
        target="kubernetes",
        files=1,
        meaning=Meaning.SUPERSET,
        connections=found.proof.connections,
        wider=found.proof.wider,
    )
    return (), proof
