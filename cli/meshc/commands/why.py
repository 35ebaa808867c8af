"""`meshc why`."""

from __future__ import annotations

import sys

import click

from meshc.checking import DEFAULT_PROGRAM
from meshc.options import format_option, overlay_option

STDIN = "-"


@click.command("why")
@click.argument("words", nargs=-1, metavar="[PROGRAM] REQUEST...")
@click.option("--verbose", is_flag=True, help="Show overridden settings too: what more general scopes state.")
@click.option(
    "--flip/--no-flip",
    default=None,
    help="Look for the smallest edit that would turn the verdict. Unasked for requests that are named, not for `-`; "
    "as text, for those that are denied.",
)
@overlay_option
@format_option
def command(words: tuple[str, ...], verbose: bool, flip: bool | None, overlay: str | None, format_: str) -> None:
    """Explain what becomes of a request: the rules that decide, the route, each setting and where it is stated.

    A REQUEST is written as in a test block: 'web -> api GET /v1/orders/42 {x-beta: "1"}'. `-` reads requests from
    standard input, one a line, and answers each as it comes (as JSON one object a line).

    The smallest edit that would turn the verdict changes the fate of the fewest other requests. It is tried out before
    it is shown: the program still compiles, and no assert and no test breaks that held before.

    Exit status: 0 if every request could be explained, allowed or not; 1 if one could not, or the program has errors.
    """
    from meshc.compiling import flip_finder, mesh_or_exit
    from meshc.reporting import Reporting
    from meshc.why import answer_all, answer_stream

    first = next((at for at, word in enumerate(words) if "->" in word or word == STDIN), len(words))
    program, requests = words[:first] or (DEFAULT_PROGRAM,), words[first:]
    if not requests:
        raise click.UsageError("give a request, such as 'web -> api GET /', or `-` for standard input")
    if STDIN in requests and len(requests) > 1:
        raise click.UsageError("`-` stands alone: it is standard input")
    index = mesh_or_exit(program, Reporting(), overlay=overlay, with_failed_checks=True)
    streamed = requests == (STDIN,)
    wanted = not streamed if flip is None else flip
    # Who reads of an allowed request seldom asks how to deny it; programs get all there is.
    finder = flip_finder(program, overlay, of_allowed=bool(flip) or format_ == "json") if wanted else None
    if streamed:
        raise click.exceptions.Exit(answer_stream(index, sys.stdin.buffer, format_, finder, verbose=verbose))
    raise click.exceptions.Exit(answer_all(index, requests, format_, finder, verbose=verbose))
