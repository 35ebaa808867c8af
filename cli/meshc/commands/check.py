"""`meshc check`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from meshc.options import finding_options, format_option, program_argument

if TYPE_CHECKING:
    from meshc_compiler.ir.mesh import Mesh


@click.command("check")
@program_argument
@format_option
@finding_options
def command(program: tuple[str, ...], format_: str, fail_level: str, strict: bool, max_errors: int) -> None:
    """Find every mistake in a program, and prove its asserts.

    Exit status: 0 clean, 1 findings (errors; with --strict warnings too).
    """
    from meshc.compiling import compile_paths
    from meshc.reporting import Reporting

    reporting = Reporting.of(format_, fail_level, strict, max_errors)
    result = compile_paths(program)
    reporting.tell(result.diagnostics, sys.stdout)
    if reporting.form == "text" and result.index is not None and not result.diagnostics:
        click.echo(_clean(result.index.mesh))
    raise click.exceptions.Exit(reporting.status(result.diagnostics))


def _clean(mesh: Mesh) -> str:
    from meshc.render.text import counted

    parts = [
        counted(len(mesh.services), "service"),
        counted(len(mesh.rules), "rule"),
        counted(len(mesh.assertions), "assert") + " proved",
    ]
    return f"mesh {mesh.name}: " + ", ".join(parts) + "; no findings"
