"""`meshc build`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meshc.options import finding_options, findings_format_option, overlay_option, program_argument

if TYPE_CHECKING:
    from meshc_backends.build import BuildResult

DEFAULT_TARGETS = "envoy,sidecar,kubernetes,certs,prometheus"


def _targets(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Read `--target a,b --target c`; a word that is no target is a mistake of the command line."""
    del context, parameter
    from meshc_backends.registry import TARGETS
    from meshc_lang.suggestion import suggest

    names = tuple(dict.fromkeys(name.strip() for group in value for name in group.split(",") if name.strip()))
    for name in names:
        if name not in TARGETS:
            near = suggest(name, TARGETS)
            meant = f"; did you mean `{near[0]}`?" if near else ""
            raise click.BadParameter(f"there is no target `{name}`{meant or '.'} Targets: {', '.join(TARGETS)}.")
    if not names:
        raise click.BadParameter(f"name at least one target of: {', '.join(TARGETS)}.")
    return names


@click.command("build")
@program_argument
@overlay_option
@click.option("--out", type=click.Path(path_type=Path), default=Path("build"), show_default=True, help="The bundle.")
@click.option(
    "--target",
    "targets",
    multiple=True,
    default=(DEFAULT_TARGETS,),
    callback=_targets,
    metavar="T[,T...]",
    help=f"What to build.  [default: {DEFAULT_TARGETS}]",
)
@click.option(
    "--authority",
    type=click.Path(path_type=Path),
    default=Path(".meshc/authority"),
    show_default=True,
    help="The certificate authority's directory; its keys stay out of the bundle.",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=Path(".meshc/cache"),
    show_default=True,
    help="Where files are kept for the next build; safe to delete.",
)
@click.option("--no-cache", is_flag=True, help="Make every file anew.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing unless something is wrong.")
@findings_format_option
@finding_options
def command(
    program: tuple[str, ...],
    overlay: str | None,
    out: Path,
    targets: tuple[str, ...],
    authority: Path,
    cache: Path,
    no_cache: bool,
    quiet: bool,
    format_: str,
    fail_level: str,
    strict: bool,
    max_errors: int,
    verbose: bool,
) -> None:
    """Write configurations and certificates for the targets, all of them or none.

    The bundle is exactly this build: what an earlier build into the same directory left there is replaced. With a
    --format for programs the findings are all that is printed.
    """
    from meshc.building import build_program
    from meshc.reporting import Reporting

    reporting = Reporting.of(format_, fail_level, strict, max_errors, verbose)
    result = build_program(program, targets, out, authority, reporting, overlay, None if no_cache else cache)
    if not result.written or reporting.form != "text":
        reporting.tell(result.diagnostics)
    elif not quiet:
        reporting.tell_briefly(result.diagnostics)
        click.echo(_report(out, result), nl=False)
    raise click.exceptions.Exit(0 if result.written else 1)


def _report(out: Path, result: BuildResult) -> str:
    from meshc.render.build_report import build_report
    from meshc.render.terminal import terminal_of

    return build_report(out, result, terminal_of(sys.stdout))
