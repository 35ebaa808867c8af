"""Meshes from the text of a program, for tests of what comes after the compiler."""

from __future__ import annotations

from meshc_compiler.ir.mesh import Mesh
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program


def mesh_of_text(text: str) -> Mesh:
    """Return what a program means, which must be without errors."""
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": text}))
    if result.mesh is None:
        raise AssertionError([f"{one.primary}: {one.message}" for one in result.diagnostics])
    return result.mesh
