"""`meshc fmt`."""

from __future__ import annotations

import sys

import click

from meshc.options import program_argument


@click.command("fmt")
@program_argument
@click.option(
    "--check", is_flag=True, help="Write nothing; name the files that are not canonical, and fail if there are."
)
@click.option("--diff", is_flag=True, help="Write nothing; print what would change, and fail if anything would.")
def command(program: tuple[str, ...], check: bool, diff: bool) -> None:
    """Write programs in their canonical form; comments stay.

    `-` reads standard input and writes standard output. A file with a syntax error is left as it is.
    """
    from meshc.formatting import format_stream, format_tree, write_formatted
    from meshc.reporting import Reporting
    from meshc_lang.diagnostic import has_errors

    if "-" in program:
        if len(program) > 1:
            raise click.UsageError("`-` stands alone: it is standard input")
        outcome = format_stream(sys.stdin.buffer.read())
    else:
        outcome = format_tree(program)
    findings = outcome.diagnostics
    changed = outcome.changed
    if diff:
        from meshc.render.difference import difference
        from meshc.render.terminal import terminal_of

        terminal = terminal_of(sys.stdout)
        for one in changed:
            click.echo(difference(one.path, one.before, one.after, terminal), nl=False)
    elif check:
        for one in changed:
            click.echo(f"not canonical: {one.path}")
    elif "-" in program:
        for one in outcome.files:
            click.echo(one.after, nl=False)
    else:
        written, problems = write_formatted(changed)
        findings += problems
        for path in written:
            click.echo(f"formatted {path}")
    Reporting().tell(findings)
    raise click.exceptions.Exit(1 if has_errors(findings) or ((check or diff) and changed) else 0)
