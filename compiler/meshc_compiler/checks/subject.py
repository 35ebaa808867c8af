"""What a check looks at: the mesh, its look-ups, and where its rules were written."""

from __future__ import annotations

from meshc_compiler.ir.mesh import Mesh, MeshIndex
from meshc_compiler.lower.program import LoweredProgram


class CheckSubject:
    """A lowered program under examination."""

    def __init__(self, lowered: LoweredProgram, index: MeshIndex) -> None:
        self.lowered = lowered
        self.index = index

    @property
    def mesh(self) -> Mesh:
        """The mesh."""
        return self.lowered.mesh
