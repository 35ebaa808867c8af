"""`meshc who-can`."""

from __future__ import annotations

import click

from meshc.options import overlay_option


@click.command("who-can")
@click.argument("words", nargs=-1, required=True, metavar="[PROGRAM]... SERVICE [MATCHER]...")
@click.option("--via", is_flag=True, help="Show every chain of calls through others, with a request for each call.")
@overlay_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "dot"]),
    default="text",
    show_default=True,
    help="Text for people, JSON for programs, or a graph of the calls for Graphviz.",
)
def command(words: tuple[str, ...], via: bool, overlay: str | None, format_: str) -> None:
    """Tell who can call a service or external, with which requests: directly, or through others call by call.

    SERVICE may name a port, as `api.admin`. A MATCHER asks about some requests only, written as in an allow:
    'GET /v1/orders/**', 'rpc pay.v1.Payments/Charge'. Each class of requests comes with the sentence that opens it,
    what denies take of it, and a request that passes.

    Exit status: 0 if the question could be answered, whoever can call; 1 if not, or the program has errors.
    """
    from meshc.who_can import answer

    raise click.exceptions.Exit(answer(words, format_, overlay=overlay, via=via))
