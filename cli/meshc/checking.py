"""A check as it is asked for most: of a program, without an option. It has no use for what reads command lines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from meshc.outcome import BROKEN_PIPE, forget_output

if TYPE_CHECKING:
    from meshc.reporting import Reporting
    from meshc_compiler.pipeline import CompileResult

DEFAULT_PROGRAM = "."
"""The program that is meant where none is named."""


def plain_check(arguments: Sequence[str]) -> tuple[str, ...] | None:
    """Return the paths of a command line that asks to check a program, None where it has an option or another verb."""
    if not arguments or arguments[0] != "check" or any(word.startswith("-") for word in arguments):
        return None
    return tuple(arguments[1:]) or (DEFAULT_PROGRAM,)


def check_plainly(paths: tuple[str, ...]) -> int:
    """Do as `meshc check PATHS` does; a reader that went away ends it quietly."""
    from meshc.compiling import compile_every
    from meshc.reporting import Reporting

    try:
        status = tell_check(compile_every(paths), Reporting())
        sys.stdout.flush()
    except BrokenPipeError:
        forget_output()
        return BROKEN_PIPE
    return status


def tell_check(result: CompileResult, reporting: Reporting, *notes: str) -> int:
    """Print what a check found, and return the exit status."""
    silent = len(result.suppressed)
    note = ", ".join(filter(None, (*notes, f"{silent:,} suppressed" if silent else "")))
    reporting.tell_result(result, sys.stdout, note)
    if reporting.form == "text" and result.index is not None and not result.diagnostics:
        sys.stdout.write(_clean(result) + (f" ({note})" if note else "") + "\n")
    return reporting.status(result.diagnostics)


def _clean(result: CompileResult) -> str:
    from meshc.render.count import counted

    mesh = result.mesh
    if mesh is None:
        return ""
    parts = [
        counted(len(mesh.services), "service"),
        counted(len(mesh.rules), "rule"),
        counted(len(mesh.assertions), "assert") + " proved",
    ]
    if result.overlays:
        parts.append(counted(len(result.overlays), "overlay"))
    name = mesh.name if mesh.overlay is None else f"{mesh.name}, overlay {mesh.overlay}"
    return f"mesh {name}: " + ", ".join(parts) + "; no findings"
