"""`meshc test`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from meshc.options import findings_format_option, overlay_option, program_argument, require_watchable, watch_option

if TYPE_CHECKING:
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
@click.option("--cover", is_flag=True, help="Show which classes of requests no case is about.")
@click.option(
    "--cover-min",
    "least_cover",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Fail where fewer classes are exercised; with it goes --cover.",
)
@click.option("--fill", "fills", is_flag=True, help="Write the cases that are missing into the program.")
@click.option("--into", metavar="FILE", help="With --fill: the file to write into, instead of coverage.test.mesh.")
@click.option("--diff", is_flag=True, help="With --fill: show what would be written, and write nothing.")
@click.option("--mutate", "mutates", is_flag=True, help="Change each sentence a little, and show what nothing notices.")
@click.option(
    "--mutate-min",
    "least_mutate",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Fail where fewer of the changes are noticed; with it goes --mutate.",
)
@click.option("--mutants", type=click.IntRange(min=1), metavar="N", help="With --mutate: try at most N changes.")
@watch_option
def command(
    program: tuple[str, ...],
    overlay: str | None,
    format_: str,
    quiet: bool,
    chosen: tuple[str, ...],
    cover: bool,
    least_cover: float | None,
    fills: bool,
    into: str | None,
    diff: bool,
    mutates: bool,
    least_mutate: float | None,
    mutants: int | None,
    watch: bool,
) -> None:
    """Run the test blocks of a program against the meaning of its policy.

    Exit status: 0 if every case is as expected and enough is covered and noticed, 1 if
    not or if the program has errors, 2 if
    --filter leaves no case.
    """
    from meshc.compiling import compile_paths
    from meshc.reporting import Reporting
    from meshc.testing import Wanted, test_program

    mutates = mutates or least_mutate is not None
    if mutants is not None and not mutates:
        raise click.UsageError("`--mutants` goes with `--mutate`")
    if mutates and chosen:
        raise click.UsageError("`--mutate` and `--filter` do not go together: any test may notice a change")
    if watch:
        require_watchable(format_, *(("--fill",) if fills else ()))
    if not fills and (diff or into is not None):
        raise click.UsageError(f"`{'--diff' if diff else '--into'}` goes with `--fill`")
    if fills and (chosen or overlay is not None):
        other = "--filter" if chosen else "--overlay"
        raise click.UsageError(f"`--fill` and `{other}` do not go together: tests are written for the whole program")
    if fills and format_ != "text":
        raise click.UsageError("`--fill` goes with `--format text` alone")
    reporting = Reporting.of(format_, one_line=watch)
    wanted = Wanted(
        quiet=quiet,
        chosen=chosen,
        cover=cover or least_cover is not None,
        least_cover=least_cover,
        fill=fills,
        into=into,
        diff=diff,
        mutate=mutates,
        least_mutate=least_mutate,
        mutants=mutants,
    )

    def run(reader: SourceReader | None = None) -> CompileResult:
        return compile_paths(program, overlay, reader)

    if watch:
        from meshc.watching import watch_program

        watch_program(program, run, lambda result: test_program(program, result, reporting, wanted), reporting)
    raise click.exceptions.Exit(test_program(program, run(), reporting, wanted))
