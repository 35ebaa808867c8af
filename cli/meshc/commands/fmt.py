"""`meshc fmt`."""

from __future__ import annotations

import sys

import click

from meshc.options import findings_format_option, program_argument


@click.command("fmt")
@program_argument
@click.option(
    "--check", is_flag=True, help="Write nothing; name the files that are not canonical, and fail if there are."
)
@click.option("--diff", is_flag=True, help="Write nothing; print what would change, and fail if anything would.")
@findings_format_option
def command(program: tuple[str, ...], check: bool, diff: bool, format_: str) -> None:
    """Write programs in their canonical form; comments stay.

    `-` reads standard input and writes standard output. A file with a syntax error is left as it is.
    """
    from meshc.formatting import format_stream, format_tree, uncanonical, write_formatted
    from meshc.reporting import Reporting
    from meshc_lang.diagnostic import has_errors

    if format_ != "text" and (diff or not check):
        raise click.UsageError("`--format` goes with `--check`")
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
    elif format_ != "text":
        findings += tuple(map(uncanonical, changed))
        files = [one.path for one in outcome.files]
        Reporting.of(format_, strict=True).tell(findings, sys.stdout, files=files)
        raise click.exceptions.Exit(1 if findings else 0)
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
