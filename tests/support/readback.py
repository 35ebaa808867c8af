"""Files of the Envoy backend, spoilt on purpose or not, and what their reader finds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from meshc_backends.artifact import Artifact
from meshc_backends.carried import NotCarriedError
from meshc_backends.envoy.backend import emit_workload
from meshc_backends.placement import KubernetesPlacement
from meshc_backends.readback.envoy.proof import differences
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.slice import slice_of
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_lang.diagnostic import Diagnostic
from support.corpus import CORPUS, case_files

PLACEMENT = KubernetesPlacement()
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

Spoil = Callable[[Any], Any]
"""A change of a bootstrap in place; what it returns does not count."""


def index_of(text: str) -> MeshIndex:
    """Return the mesh of a program of one file."""
    index = compile_program(("p.mesh",), MemoryReader({"p.mesh": text})).index
    assert index is not None
    return index


def bootstrap(index: MeshIndex, workload: str) -> Any:
    """Return what Envoy's backend writes for a workload, as JSON values."""
    emission = emit_workload(slice_of(index, index.workloads[workload]), PLACEMENT)
    assert not emission.diagnostics
    return json.loads(emission.artifacts[0].content)


def found(index: MeshIndex, workload: str, spoil: Spoil | None = None) -> tuple[Diagnostic, ...]:
    """Return what the reader finds in a workload's file after it was spoilt."""
    document = bootstrap(index, workload)
    if spoil is not None:
        spoil(document)
    return read(index, workload, document)


def read(index: MeshIndex, workload: str, document: Any) -> tuple[Diagnostic, ...]:
    """Return what the reader finds in a file."""
    slice_ = slice_of(index, index.workloads[workload])
    artifact = Artifact(path=f"envoy/{workload}.json", content=json.dumps(document).encode())
    return differences(index, slice_, PLACEMENT, artifact)


def everything_at_hand() -> Iterator[tuple[str, MeshIndex]]:
    """Yield the examples and the programs of the corpus that compile."""
    for folder in sorted((*EXAMPLES.iterdir(), *CORPUS.iterdir())):
        files = case_files(folder)
        main = ("program.mesh",) if "program.mesh" in files else tuple(n for n in files if n.endswith(".mesh"))
        index = compile_program(main, MemoryReader(files)).index
        if index is not None:
            yield folder.name, index


def carried(index: MeshIndex) -> Iterator[str]:
    """Yield the workloads whose files Envoy's backend writes, without those that hold what it refuses."""
    for workload in index.mesh.workloads:
        try:
            emission = emit_workload(slice_of(index, workload), PLACEMENT)
        except NotCarriedError:
            continue
        if emission.artifacts:
            yield workload.name
