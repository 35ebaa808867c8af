"""`meshc test`."""

from __future__ import annotations

import sys

import click

from meshc.options import findings_format_option, program_argument


@click.command("test")
@program_argument
@findings_format_option
@click.option("--quiet", "-q", is_flag=True, help="Show only the cases that fail.")
def command(program: tuple[str, ...], format_: str, quiet: bool) -> None:
    """Run the test blocks of a program against the meaning of its policy.

    Exit status: 0 if every case is as expected, 1 if one is not or the program has errors.
    """
    from meshc.compiling import mesh_or_exit
    from meshc.render.terminal import terminal_of
    from meshc.render.test_report import test_document, test_findings, test_text
    from meshc.reporting import Reporting
    from meshc_compiler.examples import run_examples

    reporting = Reporting.of(format_, "error", strict=False, max_errors=50)
    index = mesh_or_exit(program, reporting)
    cases = run_examples(index)
    match reporting.form:
        case "text":
            told = test_text(cases, terminal_of(sys.stdout), quiet=quiet)
        case "json":
            told = test_document(index, cases)
        case "junit":
            from meshc.render.junit import junit_of_cases

            told = junit_of_cases(cases)
        case _:
            told = reporting.document(test_findings(cases))
    click.echo(told, nl=False)
    raise click.exceptions.Exit(0 if all(case.passed for case in cases) else 1)
