"""The group of verbs: each is imported when it is used, so that `meshc --help` answers at once."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Sequence

import click

from meshc.commands import VERBS

CLEAN, FINDINGS, USAGE, INTERNAL, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 130, 141
"""Exit status: nothing to say, findings, a command line that cannot be meant, a bug of ours, Ctrl-C, reader gone."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Verbs(click.Group):
    """The verbs of the table in `commands`; only the one that is called is imported."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb; a reader that went away ends it quietly (click would call that a finding: status 1)."""
        try:
            status = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            _forget_output()
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
    _tolerate_odd_text()
    try:
        status = cli.main(args=arguments, prog_name="meshc", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except OSError as error:
        if error.errno not in _NO_ROOM:
            return _internal_error(error)
        _forget_output()
        click.echo(f"meshc: this could not be written: {(error.strerror or '').lower()}", err=True)
        return INTERNAL
    except Exception as error:  # the last net: whatever comes here is a bug of ours
        return _internal_error(error)
    return status if isinstance(status, int) else CLEAN


def run() -> None:
    """Run the command as a process, and end it."""
    status = main()
    import atexit
    import threading

    if threading.active_count() > 1:
        sys.exit(status)
    # What Python does at an end, but for taking its modules apart one by one: that takes a tenth of a short check.
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        status = status or BROKEN_PIPE
    os._exit(status)


def _version(context: click.Context, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from meshc.version import compiler_version

        click.echo(f"meshc {compiler_version()}")
        context.exit()


def _tolerate_odd_text() -> None:
    """A name that the terminal's encoding lacks must not end a command."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _forget_output() -> None:
    """The reader went away (`meshc … | head`): nothing more can be said, not even at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _internal_error(error: Exception) -> int:
    import tempfile
    import traceback

    if os.environ.get("MESHC_DEBUG"):
        traceback.print_exception(error)
        return INTERNAL
    first = f"meshc: internal error: {type(error).__name__}: {error}".splitlines()[0]
    try:
        with tempfile.NamedTemporaryFile("w", prefix="meshc-", suffix=".txt", delete=False) as file:
            traceback.print_exception(error, file=file)
        where = f"the traceback is in {file.name}"
    except OSError:
        where = "MESHC_DEBUG=1 shows the traceback"
    click.echo(f"{first}\nThis is a bug in meshc, not in your program; {where}.", err=True)
    return INTERNAL
