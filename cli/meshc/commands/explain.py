"""`meshc explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from meshc.options import format_option

if TYPE_CHECKING:
    from meshc_lang.codes import Code


@click.command("explain")
@click.argument("what", required=False, metavar="[CODE|NAME|FAMILY]")
@click.option("--all", "every", is_flag=True, help="Every page, one after the other.")
@format_option
def command(what: str | None, every: bool, format_: str) -> None:
    """Print the page of a diagnostic: by its code (MSH410) or its name (ambiguous-route).

    A family (MSH4) is listed, and so are all codes if none is named. As JSON the pages are printed in either case.
    """
    import sys

    from meshc.render.explanation import code_list, code_page, codes_document
    from meshc.render.terminal import terminal_of
    from meshc_lang.codes import CODES

    if every and what is not None:
        raise click.UsageError("`--all` stands without a code")
    codes = tuple(CODES.values()) if what is None else _find(what)
    terminal = terminal_of(sys.stdout)
    if format_ == "json":
        text = codes_document(codes)
    elif every or len(codes) == 1:
        text = "\n".join(code_page(code, terminal) for code in sorted(codes, key=lambda code: code.id))
    else:
        text = code_list(terminal, codes)
    click.echo(text, nl=False)


def _find(text: str) -> tuple[Code, ...]:
    from meshc_compiler.finding import one_of
    from meshc_lang.codes import CODES
    from meshc_lang.suggestion import suggest

    by_name = {code.name: code for code in CODES.values()}
    wanted = text.strip().strip("[]`")
    number = wanted.upper().removeprefix("MSH")
    found = CODES.get(f"MSH{number}") or by_name.get(wanted.lower())
    if found is not None:
        return (found,)
    digits = number.rstrip("X")
    family = tuple(code for code in CODES.values() if digits.isdigit() and code.id.startswith(f"MSH{digits}"))
    if family and len(digits) < len("410"):
        return family
    kin = [id_ for id_ in CODES if id_.startswith(f"MSH{digits[:1]}")]
    near = suggest(f"MSH{number}", kin) if digits.isdigit() else suggest(wanted.lower(), by_name)
    meant = f"; did you mean {one_of(near)}?" if near else "; `meshc explain` lists them all"
    raise click.BadParameter(f"there is no diagnostic `{text}`{meant}", param_hint="CODE")
