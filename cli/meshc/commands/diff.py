"""`meshc diff`."""

from __future__ import annotations

import sys

import click

from meshc.options import overlay_option

KINDS = ("opened", "closed", "rerouted", "settings", "identity", "undecided")
FORMS = ("text", "json", "markdown", "github")
ANY = "any"


def _kinds(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> frozenset[str]:
    """Read `--fail-on a,b --fail-on c`."""
    del context, parameter
    names = [name.strip() for group in value for name in group.split(",") if name.strip()]
    for name in names:
        if name not in (*KINDS, ANY):
            from meshc_lang.suggestion import suggest

            near = suggest(name, (*KINDS, ANY))
            meant = f"; did you mean `{near[0]}`?" if near else "."
            raise click.BadParameter(f"there is no kind of change `{name}`{meant} Kinds: {', '.join((*KINDS, ANY))}.")
    if value and not names:
        raise click.BadParameter(f"name at least one kind of: {', '.join((*KINDS, ANY))}.")
    # What could not be decided may be of any kind: it is never taken for no change.
    return frozenset(KINDS if ANY in names else (*names, "undecided")) if names else frozenset()


@click.command("diff")
@click.argument("old")
@click.argument("new")
@overlay_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMS),
    default="text",
    show_default=True,
    help="Text for people, JSON for programs, Markdown for a comment, workflow commands of GitHub.",
)
@click.option(
    "--fail-on",
    multiple=True,
    callback=_kinds,
    metavar="KIND[,KIND...]",
    help=f"End with 1 if there is such a change: {', '.join(KINDS)}, or {ANY}.",
)
def command(old: str, new: str, overlay: str | None, format_: str, fail_on: frozenset[str]) -> None:
    """Tell what NEW does to requests that OLD does not, and the other way round: exactly, whatever was moved.

    OLD and NEW are directories or files, revisions (git:REV:PATH, as git:main:policy), or builds (a directory that
    meshc build wrote). Each change is a class of requests with one that shows it.

    Exit status: 0, or 1 if there is a change that --fail-on names or a side does not compile.
    """
    from meshc.render.changes import render_changes
    from meshc.versions import compared
    from meshc_compiler.diff.program_diff import diff_programs

    before, after = compared(old, new, overlay)
    changes = diff_programs(before, after)
    sys.stdout.write(render_changes(changes, format_, old, new))
    raise click.exceptions.Exit(1 if any(change.kind.value in fail_on for change in changes) else 0)
