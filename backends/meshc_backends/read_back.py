"""What was proved of a target's files by reading them back, for the manifest."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

from meshc_backends.artifact import Artifact
from meshc_backends.placement import Placement
from meshc_compiler.ir.mesh import MeshIndex
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.record import dataclass


class Meaning(StrEnum):
    """How what the files do compares with what the program says."""

    EQUAL = "equal"
    """Every request is decided, routed and treated as the program says."""
    SUPERSET = "superset"
    """Everything that the program allows is let through; more is, of which another layer refuses the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """The proof of one target's files. `connections` counts the pairs of workloads that may connect, and no others may.

    `wider` holds, by service, the rules of which the files show no more than who connects to whom.
    """

    target: str
    files: int
    meaning: Meaning
    connections: int | None = None
    wider: tuple[tuple[str, tuple[str, ...]], ...] = ()


WholeReader: TypeAlias = Callable[
    [MeshIndex, Placement, tuple[Artifact, ...]], tuple[tuple[Diagnostic, ...], ReadBack | None]
]
"""What reads a target's files back all together: findings, or the proof; None where there is nothing to prove."""
