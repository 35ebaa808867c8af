"""A build that makes anew the files of a few workloads, in a bundle of which everything else stays as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from meshc_backends.artifact import Artifact
from meshc_backends.artifact_cache import ArtifactCache
from meshc_backends.backend import EmitContext
from meshc_backends.build import BuildInput, BuildResult
from meshc_backends.bundle import building_in, read_bundle, renew_bundle, stamps_of
from meshc_backends.feature_refusal import refusals, unwatched
from meshc_backends.manifest import FileEntry, Manifest
from meshc_backends.program_record import RECORD_NAME
from meshc_backends.read_back import ReadBack
from meshc_backends.registry import Target, plan
from meshc_backends.workshop import Workshop
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.record_lines import exchanged
from meshc_lang.record import dataclass

__all__ = ["RENEWABLE", "Part", "Stamps", "renew", "stamps"]

RENEWABLE = frozenset({"envoy", "sidecar"})
"""Targets of which each file is a function of one workload's slice, and nothing else."""

Stamps = Mapping[str, list[int]]
"""How everything in a bundle lay there when it was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What an edit reaches: a mesh that tells all about some callees, and the workloads whose files may change."""

    index: MeshIndex
    callees: frozenset[str]
    workloads: frozenset[str]


def stamps(out: Path) -> dict[str, list[int]] | None:
    """Return how everything in a bundle lies there; None where it cannot be read."""
    try:
        return stamps_of(out)
    except OSError:
        return None


def renew(
    targets: tuple[str, ...], out: Path, known: Stamps, part: Part | None, source: BuildInput, cache: ArtifactCache
) -> BuildResult | None:
    """Bring a bundle up to date with an edit; without a `part` it is up to date. None where all must be built.

    `known` is how the bundle lay there when the last build of the program as it was before had written it.
    """
    chosen, added = plan(targets)
    try:
        with building_in(out):
            if stamps_of(out) != known:
                return None
            bundle, problems = read_bundle(out)
            if bundle is None or problems or bundle.manifest.compiler != source.compiler:
                return None
            old = bundle.manifest
            changed = {} if part is None else _changed(out, old, chosen, part, source, cache)
            if changed is None:
                return None
            manifest = _with(old, changed)
            if changed:
                renew_bundle(out, manifest, changed)
    except OSError:
        return None  # what is in the way is told by the build that makes everything
    return BuildResult(
        written=True,
        diagnostics=(),
        targets=manifest.targets,
        added=added,
        proofs=tuple(
            ReadBack(target=one.target, files=one.files, meaning=one.meaning) for one in manifest.proved.read_back
        ),
        files=len(manifest.files),
        changed=len(changed),
    )


def _changed(
    out: Path, old: Manifest, chosen: tuple[Target, ...], part: Part, source: BuildInput, cache: ArtifactCache
) -> dict[str, bytes] | None:
    """Return the files that are to have other bytes; None where the rest of the bundle is not sure to stay."""
    refused, kept_back = refusals(part.index.mesh, chosen)
    if refused or kept_back or unwatched(part.index.mesh, chosen):
        return None
    if not part.workloads <= part.index.workloads.keys() | part.index.externals.keys():
        return None
    record = exchanged((out / RECORD_NAME).read_text("ascii"), part.index.mesh, part.callees)
    if record is None:
        return None
    made = [Artifact(path=RECORD_NAME, content=record.encode("ascii"))]
    workshop = Workshop(cache, 1, part.workloads)
    for target in chosen:
        context = EmitContext(
            placement=source.placement,
            authority=source.authority,
            now=source.now,
            previous=lambda _: None,
            workshop=workshop,
            reader=target.load_reader(),
        )
        emission = target.load().emit(part.index, context)
        if emission.diagnostics or emission.reservations:
            return None
        made += emission.artifacts
    digests = {entry.path: entry.sha256 for entry in old.files}
    if any(one.path not in digests or one.secret for one in made):
        return None
    if len(made) != 1 + len(chosen) * len(part.workloads & part.index.workloads.keys()):
        return None
    return {one.path: one.content for one in made if hashlib.sha256(one.content).hexdigest() != digests[one.path]}


def _with(old: Manifest, changed: Mapping[str, bytes]) -> Manifest:
    """Return the manifest of a bundle with other bytes in some files."""
    files = tuple(
        entry
        if (content := changed.get(entry.path)) is None
        else FileEntry(path=entry.path, sha256=hashlib.sha256(content).hexdigest(), size=len(content), mode=entry.mode)
        for entry in old.files
    )
    record = next((entry.sha256 for entry in files if entry.path == RECORD_NAME), None)
    if record is None:
        raise OSError(f"{RECORD_NAME} is missing")
    return old.model_copy(update={"files": files, "program": f"sha256:{record}"})
