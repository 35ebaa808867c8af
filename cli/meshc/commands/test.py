"""`meshc test`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from meshc.options import findings_format_option, overlay_option, program_argument, require_watchable, watch_option

if TYPE_CHECKING:
    from meshc.reporting import Reporting
    from meshc_compiler.pipeline import CompileResult
    from meshc_compiler.source_reader import SourceReader


@click.command("test")
@program_argument
@overlay_option
@findings_format_option
@click.option("--quiet", "-q", is_flag=True, help="Show only the cases that fail.")
@click.option(
    "--filter",
    "-k",
    "chosen",
    multiple=True,
    metavar="TEXT",
    help="Run only cases with TEXT in their test's name or request, or at FILE:LINE; may be given again.",
)
@watch_option
def command(
    program: tuple[str, ...],
    overlay: str | None,
    format_: str,
    quiet: bool,
    chosen: tuple[str, ...],
    watch: bool,
) -> None:
    """Run the test blocks of a program against the meaning of its policy.

    Exit status: 0 if every case is as expected, 1 if one is not or the program has errors, 2 if --filter leaves none.
    """
    from meshc.compiling import compile_paths
    from meshc.reporting import Reporting

    if watch:
        require_watchable(format_)
    reporting = Reporting.of(format_, one_line=watch)

    def run(reader: SourceReader | None = None) -> CompileResult:
        return compile_paths(program, overlay, reader)

    if watch:
        from meshc.watching import watch_program

        watch_program(program, run, lambda result: _test(result, reporting, quiet, chosen), reporting)
    raise click.exceptions.Exit(_test(run(), reporting, quiet, chosen))


def _test(result: CompileResult, reporting: Reporting, quiet: bool, chosen: tuple[str, ...]) -> int:
    """Run the cases of a program, tell what came of them, and return the exit status."""
    from meshc.render.terminal import terminal_of
    from meshc.render.test_report import test_document, test_findings, test_text
    from meshc_compiler.examples import run_examples

    index = result.index
    if index is None or not result.buildable:
        reporting.tell_result(result)
        return 1
    cases = run_examples(index, chosen)
    if chosen and not cases:
        words = " or ".join(f"`{word}`" for word in chosen)
        click.echo(f"meshc test: no case of {len(index.mesh.examples):,} has {words} in its name or request", err=True)
        return 2
    match reporting.form:
        case "text":
            told = test_text(cases, terminal_of(sys.stdout), quiet=quiet)
        case "json":
            told = test_document(index, cases, one_line=reporting.one_line)
        case "junit":
            from meshc.render.junit import junit_of_cases

            told = junit_of_cases(cases)
        case _:
            told = reporting.document(test_findings(cases))
    click.echo(told, nl=False)
    return 0 if all(case.passed for case in cases) else 1
