"""The build: a mesh through the backends that were asked for, into one bundle, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from meshc_backends.artifact import Artifact, Emission, Reservation
from meshc_backends.artifact_cache import open_cache
from meshc_backends.backend import EmitContext
from meshc_backends.bundle import Bundle, building_in, read_bundle, replaceable, write_bundle
from meshc_backends.feature_refusal import refusals, unwatched
from meshc_backends.finding import finding, reason_of
from meshc_backends.manifest import manifest_of
from meshc_backends.placement import KubernetesPlacement, Placement
from meshc_backends.program_record import RECORD_NAME
from meshc_backends.read_back import Meaning, ReadBack
from meshc_backends.registry import Target, plan
from meshc_backends.workshop import Workshop
from meshc_compiler.ir.mesh import MeshIndex
from meshc_lang.codes.targets import OUTPUT_HOLDS_AUTHORITY, OUTPUT_UNWRITABLE
from meshc_lang.diagnostic import Diagnostic, has_errors
from meshc_lang.record import dataclass

__all__ = ["BuildInput", "BuildResult", "build", "emit", "read_bundle"]


@dataclass(frozen=True, kw_only=True)
class BuildInput:
    """What a build is made of besides the mesh: nothing else flows into its bytes.

    `program` is the digest of the mesh (hexadecimal SHA-256), `compiler` the version, `tests` how many cases of
    test blocks passed and failed. `authority` is the directory of the certificate authority; `now` is in UTC. `record`
    is the canonical text of the mesh, of which `program` is the digest: it is kept in the bundle, so that a later
    program can be compared with what was built. Empty, nothing is kept.

    Neither `cache` (a directory, see `artifact_cache`) nor the number of `processes` changes a byte.
    """

    program: str
    compiler: str
    tests: tuple[int, int]
    authority: Path
    now: datetime
    record: bytes = b""
    placement: Placement = KubernetesPlacement()
    cache: Path | None = None
    processes: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """What became of a build. `written` is False if there was an error; then nothing on disk has changed.

    `added` are targets that others needed. `files` counts all files but the manifest; `changed` and `removed` those
    that differ from the bundle that was there before. `overlay` is the one that was applied.
    """

    written: bool
    diagnostics: tuple[Diagnostic, ...]
    targets: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    proofs: tuple[ReadBack, ...] = ()
    tests: tuple[int, int] = (0, 0)
    files: int = 0
    changed: int = 0
    removed: int = 0
    dropped_targets: tuple[str, ...] = ()
    overlay: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitted:
    """What all targets of a build made, found, could not say, and what was proved of their files."""

    artifacts: tuple[Artifact, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    proofs: tuple[ReadBack, ...] = ()


def build(
    index: MeshIndex,
    targets: Iterable[str],
    out: Path,
    source: BuildInput,
    stops: Callable[[tuple[Diagnostic, ...]], bool] = has_errors,
) -> BuildResult:
    """Emit the targets and put the bundle at `out`, in the place of the one that is there.

    The bundle is exactly this build: targets of an earlier build that were not asked for now are gone from it
    (`dropped_targets` names them), since files of two builds side by side would not be one policy. `stops` says which
    findings of the targets, besides errors, keep the bundle from being written.
    """
    chosen, added = plan(targets)
    out = Path(os.path.abspath(out)) if out.name in {"", ".."} else out  # noqa: PTH100 - links are not followed
    try:
        with building_in(out):
            return _build(index, chosen, added, out, source, stops)
    except OSError as error:
        place = f"`{error.filename}`: " if error.filename and str(error.filename) != str(out) else ""
        message = f"the bundle cannot be written to `{out}`: {place}{reason_of(error)}"
        return BuildResult(written=False, diagnostics=(finding(OUTPUT_UNWRITABLE, out, message),))


def emit(index: MeshIndex, chosen: tuple[Target, ...], source: BuildInput, old: Bundle | None) -> Emitted:
    """Run the backends in order; each sees what those before it made. Stops after the first that finds an error.

    Nothing is emitted if one of them does not carry what the program asks for. What is emitted is read back.
    """
    refused, kept_back = refusals(index.mesh, chosen)
    if refused:
        return Emitted(diagnostics=refused, reservations=kept_back)
    artifacts: list[Artifact] = []
    diagnostics: list[Diagnostic] = [*unwatched(index.mesh, chosen)]
    reservations: list[Reservation] = []
    proofs: list[ReadBack] = []
    cache = None if source.cache is None else open_cache(source.cache, source.now.timestamp())
    workshop = Workshop(cache, source.processes)
    for target in chosen:
        context = EmitContext(
            placement=source.placement,
            authority=source.authority,
            now=source.now,
            previous=old.content if old is not None else lambda _: None,
            emitted=tuple(artifacts),
            workshop=workshop,
            reader=target.load_reader(),
        )
        emission = target.load().emit(index, context)
        artifacts += emission.artifacts
        diagnostics += emission.diagnostics
        reservations += emission.reservations
        if has_errors(diagnostics):
            break
        found, proof = _read_back(index, target, source.placement, context, emission)
        diagnostics += found
        proofs += proof
        if has_errors(found):
            break
    if cache is not None:
        cache.tidy()
        cache.close()
    return Emitted(
        artifacts=tuple(artifacts),
        diagnostics=tuple(diagnostics),
        reservations=tuple(reservations),
        proofs=tuple(proofs),
    )


def _read_back(
    index: MeshIndex, target: Target, placement: Placement, context: EmitContext, emission: Emission
) -> tuple[tuple[Diagnostic, ...], tuple[ReadBack, ...]]:
    """Return what was found in, or proved of, files without errors; the workshop has read back those of workloads."""
    if context.reader is not None:
        return (), (ReadBack(target=target.name, files=len(emission.artifacts), meaning=Meaning.EQUAL),)
    if (read := target.load_whole_reader()) is None:
        return (), ()
    found, proof = read(index, placement, emission.artifacts)
    return found, () if proof is None else (proof,)


def _build(
    index: MeshIndex,
    chosen: tuple[Target, ...],
    added: tuple[str, ...],
    out: Path,
    source: BuildInput,
    stops: Callable[[tuple[Diagnostic, ...]], bool],
) -> BuildResult:
    needs_authority = any(target.name == "certs" for target in chosen)
    if needs_authority and source.authority.resolve().is_relative_to(out.resolve()):
        message = f"the certificate authority `{source.authority}` lies inside the output directory `{out}`"
        help_ = "name another directory with `--authority`, or another output with `--out`"
        return BuildResult(written=False, diagnostics=(finding(OUTPUT_HOLDS_AUTHORITY, out, message, help_),))
    old, problems = replaceable(out)
    if has_errors(problems):
        return BuildResult(written=False, diagnostics=problems)
    emitted = emit(index, chosen, source, old)
    artifacts, diagnostics, reservations = emitted.artifacts, emitted.diagnostics, emitted.reservations
    names = tuple(target.name for target in chosen)
    if has_errors(diagnostics) or stops(diagnostics):
        return BuildResult(
            written=False, diagnostics=diagnostics, targets=names, added=added, reservations=reservations
        )
    if source.record:
        artifacts = (*artifacts, Artifact(path=RECORD_NAME, content=source.record))
    _require_own_paths(artifacts)
    manifest = manifest_of(
        index.mesh,
        program=source.program,
        compiler=source.compiler,
        targets=names,
        artifacts=artifacts,
        reservations=reservations,
        tests=source.tests,
        proofs=emitted.proofs,
    )
    same = frozenset(artifact.path for artifact in artifacts if old is not None and old.holds(artifact))
    write_bundle(out, artifacts, manifest, same)
    after = {artifact.path for artifact in artifacts}
    return BuildResult(
        written=True,
        diagnostics=diagnostics,
        targets=names,
        added=added,
        reservations=reservations,
        proofs=emitted.proofs,
        tests=source.tests,
        files=len(after),
        changed=len(artifacts) - len(same),
        removed=len(old.digests.keys() - after) if old is not None else 0,
        dropped_targets=tuple(name for name in (old.manifest.targets if old is not None else ()) if name not in names),
    )


def _require_own_paths(artifacts: tuple[Artifact, ...]) -> None:
    seen: set[str] = set()
    for artifact in artifacts:
        if artifact.path in seen:
            raise ValueError(f"two backends write `{artifact.path}`")
        seen.add(artifact.path)
