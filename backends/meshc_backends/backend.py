"""What every backend is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

from meshc_backends.artifact import Artifact, Emission
from meshc_backends.placement import Placement
from meshc_backends.workshop import Reader, Workshop
from meshc_compiler.ir.feature import Feature
from meshc_compiler.ir.mesh import MeshIndex
from meshc_lang.record import dataclass, field


@dataclass(frozen=True, kw_only=True)
class EmitContext:
    """What a backend is given besides the mesh.

    `authority` is the directory of the certificate authority, outside the bundle. `now` is the time by which
    certificates are issued (UTC). `previous` returns the content of a file of the bundle that this build replaces, or
    None. `emitted` holds what earlier backends of this build made. `workshop` makes the files of workloads, `reader`
    proves each.
    """

    placement: Placement
    authority: Path
    now: datetime
    previous: Callable[[str], bytes | None]
    emitted: tuple[Artifact, ...] = ()
    workshop: Workshop = field(default_factory=Workshop)
    reader: Reader | None = None


class Backend(Protocol):
    """A target: it turns a mesh into files, and refuses what it cannot say."""

    name: str
    """The word of `--target`, and the folder of the bundle that it fills."""

    carries: frozenset[Feature]
    """What its files do, of all that a program can ask; what is neither here nor in `leaves` is refused."""

    leaves: frozenset[Feature]
    """What is not its to do: the files of other targets of the same build do it, or nothing enforces it at all."""

    def emit(self, index: MeshIndex, context: EmitContext) -> Emission:
        """Return the target's files for the whole mesh. Same mesh and context, same bytes."""
        ...
