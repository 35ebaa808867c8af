"""Arguments and options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from meshc.checking import DEFAULT_PROGRAM
from meshc.render import FORMS

F = TypeVar("F", bound=Callable[..., Any])

WATCHABLE = ("text", "json")
"""The formats in which one run after the other can be told; JSON is a line for each."""


def program_argument(function: F) -> F:
    """Add PROGRAM: directories and files, the working directory if there are none."""
    return click.argument("program", nargs=-1, metavar="[PROGRAM]...", callback=_or_here)(function)


def overlay_option(function: F) -> F:
    """Add `--overlay NAME`."""
    return click.option("--overlay", metavar="NAME", help="Take the program as this overlay of its own has it.")(
        function
    )


def format_option(function: F) -> F:
    """Add `--format text|json`."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Text for people, or JSON for programs.",
    )(function)


def findings_format_option(function: F) -> F:
    """Add `--format` for verbs that tell findings."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(FORMS),
        default="text",
        show_default=True,
        help="Text for people; SARIF, workflow commands of GitHub, JUnit or GitLab's code quality for CI servers.",
    )(function)


def finding_options(function: F) -> F:
    """Add what says how many findings are shown and which of them fail the command."""
    function = click.option("--verbose", "-v", is_flag=True, help="Show all of each finding, however long.")(function)
    function = click.option(
        "--max-errors",
        type=click.IntRange(min=0),
        default=50,
        show_default=True,
        help="Show so many findings at most; 0 shows all.",
    )(function)
    function = click.option(
        "--fail-level",
        type=click.Choice(["error", "warning", "info"]),
        default="error",
        show_default=True,
        help="The least severity at which the command fails.",
    )(function)
    return click.option("--strict", is_flag=True, help="Fail on warnings too: short for --fail-level warning.")(
        function
    )


def watch_option(function: F) -> F:
    """Add `--watch`."""
    return click.option(
        "--watch", is_flag=True, help="Run again whenever a file of the program changes, until Ctrl-C."
    )(function)


def require_watchable(format_: str, *others: str) -> None:
    """Refuse what does not go with `--watch`: a format that is one document for one run, and the options named."""
    if format_ not in WATCHABLE:
        raise click.UsageError(f"`--watch` goes with `--format {'` or `'.join(WATCHABLE)}`, not `{format_}`")
    for other in others:
        raise click.UsageError(f"`--watch` and `{other}` do not go together")


def _or_here(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    del context, parameter
    return value or (DEFAULT_PROGRAM,)
