"""`meshc explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from meshc_lang.codes import Code


@click.command("explain")
@click.argument("code", required=False)
def command(code: str | None) -> None:
    """Print the page of a diagnostic CODE (MSH410, or its name); without one, list them all."""
    import sys

    from meshc.render.explanation import code_list, code_page
    from meshc.render.terminal import terminal_of

    terminal = terminal_of(sys.stdout)
    text = code_list(terminal) if code is None else code_page(_find(code), terminal)
    click.echo(text, nl=False)


def _find(text: str) -> Code:
    from meshc_lang.codes import CODES
    from meshc_lang.suggestion import suggest

    by_name = {code.name: code for code in CODES.values()}
    wanted = text.strip().strip("[]`")
    found = CODES.get(wanted.upper()) or CODES.get(f"MSH{wanted}") or by_name.get(wanted.lower())
    if found is None:
        near = suggest(wanted.upper(), CODES) if wanted.upper().startswith("MSH") else suggest(wanted, by_name)
        meant = f"; did you mean `{near[0]}`?" if near else "; `meshc explain` lists them all"
        raise click.BadParameter(f"there is no diagnostic `{text}`{meant}", param_hint="CODE")
    return found
