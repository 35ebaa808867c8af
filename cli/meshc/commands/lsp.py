"""`meshc lsp`."""

from __future__ import annotations

import click


@click.command("lsp")
@click.option("--stdio", is_flag=True, help="Speak over standard input and output; there is no other way.")
def command(stdio: bool) -> None:
    """Serve an editor: diagnostics, completion, navigation and the rest, by the Language Server Protocol.

    Editors start this; docs/editors.md tells how.
    """
    from importlib.util import find_spec

    del stdio
    if find_spec("pygls") is None:
        raise click.UsageError("the language server needs pygls: `pip install 'meshc[lsp]'`")
    from meshc.lsp.server import serve

    raise click.exceptions.Exit(0 if serve() else 1)
