"""The group of verbs: each is imported when it is used, so that `meshc --help` answers at once."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from meshc.commands import VERBS
from meshc.outcome import BROKEN_PIPE, CLEAN, INTERRUPTED, USAGE, forget_output, outcome_of


class Verbs(click.Group):
    """The verbs of the table in `commands`; only the one that is called is imported."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb; a reader that went away ends it quietly (click would call that a finding: status 1)."""
        try:
            status = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            forget_output()
            ctx.exit(BROKEN_PIPE)
        return status

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs that exist, in the order of a day's work."""
        del ctx
        return [verb.name for verb in VERBS if not verb.hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb."""
        del ctx
        verb = next((verb for verb in VERBS if verb.name == cmd_name), None)
        if verb is None:
            return None
        command = getattr(importlib.import_module(f"meshc.commands.{verb.module}"), "command", None)
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which one may have been meant."""
        if args and not args[0].startswith("-") and args[0] not in {verb.name for verb in VERBS}:
            from meshc_lang.suggestion import suggest

            near = suggest(args[0], self.list_commands(ctx))
            meant = f"; did you mean `{near[0]}`?" if near else "; see `meshc --help`"
            raise click.UsageError(f"there is no verb `{args[0]}`{meant}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the table without importing a verb."""
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl([(verb.name, verb.summary) for verb in VERBS if not verb.hidden])


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 clean, 1 findings, 2 usage, 3 internal error. NO_COLOR is respected.",
    subcommand_metavar="VERB ...",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=lambda c, _, v: _version(c, v))
def cli() -> None:
    """Compile service-mesh policy: a few .mesh files in, enforced sidecars out.

    PROGRAM is a directory (every .mesh file below it) or files; the working directory if left out.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; no exception leaves it."""
    return outcome_of(lambda: _status_of(arguments))


def _status_of(arguments: Sequence[str] | None) -> int:
    try:
        status = cli.main(args=arguments, prog_name="meshc", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return USAGE
    except click.Abort:
        return INTERRUPTED
    return status if isinstance(status, int) else CLEAN


def _version(context: click.Context, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from meshc.version import compiler_version

        click.echo(f"meshc {compiler_version()}")
        context.exit()
