"""Where the files of workloads are made: from the cache or anew, in as many processes as there are processors.

A workload's file is a function of its slice and of where things listen. So one that was made of an equal slice by the
same code, and proved, is the same file; and which process makes it does not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from meshc_backends.artifact import Artifact, Emission
from meshc_backends.artifact_cache import ArtifactCache
from meshc_backends.placement import KubernetesPlacement, Placement
from meshc_backends.workers import work_on
from meshc_compiler.ir.fingerprint import Fingerprints
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.slice import WorkloadSlice, slice_of
from meshc_compiler.ir.workload import Workload
from meshc_lang.diagnostic import Diagnostic, has_errors

__all__ = ["Maker", "Reader", "Workshop"]

Maker: TypeAlias = Callable[[WorkloadSlice, Placement], Emission]
"""What a target makes of one workload."""

Reader: TypeAlias = Callable[[MeshIndex, WorkloadSlice, Placement, Artifact], tuple[Diagnostic, ...]]
"""What reads a workload's file back, and tells where it does not mean what the program says."""


_UNKNOWN = "-" * 64
"""Stands for a fingerprint that nobody asked for."""


class Workshop:
    """Makes what the targets of one build say of each workload of its mesh.

    `cache` keeps what was made, `processes` is how many work at once. With `only` nothing is made of other workloads.
    """

    def __init__(
        self, cache: ArtifactCache | None = None, processes: int = 1, only: frozenset[str] | None = None
    ) -> None:
        self._cache = cache
        self._only = only
        self._processes = processes
        self._fingerprints = Fingerprints()
        self._known: dict[str, str] = {}

    def make(
        self, target: str, index: MeshIndex, placement: Placement, maker: Maker, reader: Reader | None = None
    ) -> tuple[Emission, ...]:
        """Return what the target makes of each workload of the mesh, in the order of the workloads.

        `reader` proves each file that is made anew; only what nothing was found in is kept for the next build.
        """
        # Where things listen is told to the cache by the name of the placement; others than this one have tables.
        cached = self._cache if type(placement) is KubernetesPlacement else None
        known = self._known  # fingerprints of slices: the targets of one build are made of the same mesh

        def one(workload: Workload) -> Emission:
            path = f"{target}/{workload.name}.json"
            slice_ = key = None
            if cached is not None:
                if workload.name not in known:
                    slice_ = slice_of(index, workload)
                    known[workload.name] = self._fingerprints.of(slice_)
                key = cached.key(target, path, "kubernetes", str(reader is not None), known[workload.name])
                content = cached.get(key)
                if content is not None:
                    return Emission(artifacts=(Artifact(path=path, content=content),))
            slice_ = slice_ or slice_of(index, workload)
            emission = maker(slice_, placement)
            if reader is not None and not has_errors(emission.diagnostics):
                found = tuple(one for file in emission.artifacts for one in reader(index, slice_, placement, file))
                if found:
                    return Emission(
                        artifacts=emission.artifacts,
                        diagnostics=emission.diagnostics + found,
                        reservations=emission.reservations,
                    )
            if cached is not None and key is not None and _is_plain(emission, path):
                cached.put(key, emission.artifacts[0].content)
            return emission

        def remote(workload: Workload) -> bytes | None:
            emission = one(workload)
            path = f"{target}/{workload.name}.json"
            if not _is_plain(emission, path):
                return None
            return known.get(workload.name, _UNKNOWN).encode() + emission.artifacts[0].content

        workloads = index.mesh.workloads
        if self._only is not None:
            workloads = tuple(workload for workload in workloads if workload.name in self._only)
        if self._processes < 2:
            return tuple(one(workload) for workload in workloads)
        # What comes with a finding or a reservation is made again here: few files do, and only bytes come from workers.
        emissions: list[Emission] = []
        results = work_on(workloads, remote, self._processes)
        for number, workload in enumerate(workloads):
            made, results[number] = results[number], None  # what is made of a great mesh is not to be held twice
            if made is None:
                emissions.append(one(workload))
                continue
            fingerprint, content = made[: len(_UNKNOWN)].decode(), made[len(_UNKNOWN) :]
            if fingerprint != _UNKNOWN:
                known[workload.name] = fingerprint
            emissions.append(Emission(artifacts=(Artifact(path=f"{target}/{workload.name}.json", content=content),)))
        return tuple(emissions)


def _is_plain(emission: Emission, path: str) -> bool:
    """Tell whether an emission is one public file at a path, and nothing else."""
    return (
        len(emission.artifacts) == 1
        and emission.artifacts[0].path == path
        and not emission.artifacts[0].secret
        and not emission.diagnostics
        and not emission.reservations
    )
