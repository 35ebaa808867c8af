"""`meshc test`."""

from __future__ import annotations

import sys

import click

from meshc.options import format_option, program_argument


@click.command("test")
@program_argument
@format_option
@click.option("--quiet", "-q", is_flag=True, help="Show only the cases that fail.")
def command(program: tuple[str, ...], format_: str, quiet: bool) -> None:
    """Run the test blocks of a program against the meaning of its policy.

    Exit status: 0 if every case is as expected, 1 if one is not or the program has errors.
    """
    from meshc.compiling import mesh_or_exit
    from meshc.render.terminal import terminal_of
    from meshc.render.test_report import test_document, test_text
    from meshc.reporting import Reporting
    from meshc_compiler.examples import run_examples

    index = mesh_or_exit(program, Reporting())
    cases = run_examples(index)
    if format_ == "json":
        click.echo(test_document(index, cases), nl=False)
    else:
        click.echo(test_text(cases, terminal_of(sys.stdout), quiet=quiet), nl=False)
    raise click.exceptions.Exit(0 if all(case.passed for case in cases) else 1)
