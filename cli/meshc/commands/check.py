"""`meshc check`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from meshc.options import (
    finding_options,
    findings_format_option,
    overlay_option,
    program_argument,
    require_watchable,
    watch_option,
)

if TYPE_CHECKING:
    from meshc.reporting import Reporting
    from meshc_compiler.pipeline import CompileResult
    from meshc_compiler.source_reader import SourceReader


@click.command("check")
@program_argument
@overlay_option
@findings_format_option
@finding_options
@click.option("--fix", is_flag=True, help="Apply the fixes that are safe, and tell what remains.")
@click.option("--unsafe", is_flag=True, help="With --fix or --diff: also fixes that may change what the program means.")
@click.option("--diff", is_flag=True, help="Write nothing; print what --fix would change, and fail if anything would.")
@watch_option
def command(
    program: tuple[str, ...],
    overlay: str | None,
    format_: str,
    fail_level: str,
    strict: bool,
    max_errors: int,
    verbose: bool,
    fix: bool,
    unsafe: bool,
    diff: bool,
    watch: bool,
) -> None:
    """Find every mistake in a program, and prove its asserts: by itself, and with each of its overlays.

    Exit status: 0 clean, 1 findings (errors; with --strict warnings too).
    """
    from meshc.checking import tell_check
    from meshc.compiling import compile_every, compile_paths
    from meshc.reporting import Reporting

    if overlay is not None and (fix or diff):
        raise click.UsageError("fixes are made in the program and all its overlays: leave out `--overlay`")
    if unsafe and not (fix or diff):
        raise click.UsageError("`--unsafe` goes with `--fix` or `--diff`")
    if diff and format_ != "text":
        raise click.UsageError("`--diff` prints a patch: it goes with no `--format`")
    if watch:
        require_watchable(format_, *(["--fix"] if fix else []), *(["--diff"] if diff else []))
    reporting = Reporting.of(format_, fail_level, strict, max_errors, verbose, one_line=watch)

    def run(reader: SourceReader | None = None) -> CompileResult:
        return compile_every(program, reader) if overlay is None else compile_paths(program, overlay, reader)

    if watch:
        from meshc.watching import watch_program

        watch_program(program, run, lambda result: tell_check(result, reporting), reporting)
    if fix or diff:
        raise click.exceptions.Exit(_fix(program, reporting, unsafe=unsafe, diff=diff))
    raise click.exceptions.Exit(tell_check(run(), reporting))


def _fix(program: tuple[str, ...], reporting: Reporting, *, unsafe: bool, diff: bool) -> int:
    from meshc.checking import tell_check
    from meshc.fixing import fixed, show_fixes, write_fixes
    from meshc.render.count import counted

    fixing = fixed(program, unsafe=unsafe)
    if diff:
        show_fixes(fixing)
        return 1 if fixing.files else 0
    problems = write_fixes(fixing, reporting)
    if problems:
        reporting.tell(problems + fixing.result.diagnostics, sys.stdout, suppressed=fixing.result.suppressed)
        return 1
    return tell_check(
        fixing.result, reporting, f"{counted(len(fixing.fixed), 'finding')} fixed" if fixing.fixed else ""
    )
