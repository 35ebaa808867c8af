"""`meshc check`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from meshc.options import finding_options, findings_format_option, program_argument

if TYPE_CHECKING:
    from meshc_compiler.ir.mesh import Mesh


@click.command("check")
@program_argument
@findings_format_option
@finding_options
def command(
    program: tuple[str, ...], format_: str, fail_level: str, strict: bool, max_errors: int, verbose: bool
) -> None:
    """Find every mistake in a program, and prove its asserts.

    Exit status: 0 clean, 1 findings (errors; with --strict warnings too).
    """
    from meshc.compiling import compile_paths
    from meshc.reporting import Reporting

    reporting = Reporting.of(format_, fail_level, strict, max_errors, verbose)
    result = compile_paths(program)
    silent = len(result.suppressed)
    note = f"{silent:,} suppressed" if silent else ""
    reporting.tell_result(result, sys.stdout, note)
    if reporting.form == "text" and result.index is not None and not result.diagnostics:
        click.echo(_clean(result.index.mesh) + (f" ({note})" if note else ""))
    raise click.exceptions.Exit(reporting.status(result.diagnostics))


def _clean(mesh: Mesh) -> str:
    from meshc.render.text import counted

    parts = [
        counted(len(mesh.services), "service"),
        counted(len(mesh.rules), "rule"),
        counted(len(mesh.assertions), "assert") + " proved",
    ]
    return f"mesh {mesh.name}: " + ", ".join(parts) + "; no findings"
