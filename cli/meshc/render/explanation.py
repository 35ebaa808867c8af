"""The pages of diagnostic codes, in the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator

from meshc.render.json import document
from meshc.render.terminal import Ink, Terminal
from meshc.render.text import INK
from meshc_lang.codes import CODES, FAMILIES, Code

_WIDEST = 100


def code_page(code: Code, terminal: Terminal) -> str:
    """Return what a code means, why it matters, a program that yields it and one that does not."""
    width = min(terminal.width or _WIDEST, _WIDEST)
    head = f"{terminal.paint(code.id, INK[code.severity])} {terminal.paint(code.name, Ink.STRONG)} ({code.severity})"
    parts = [head, *(_wrapped(text, width, terminal) for text in (_sentence(code.summary), code.why))]
    if code.bad:
        parts += [terminal.paint("Yields it:", Ink.STRONG), _program(code.bad, terminal)]
    for name, text in code.files:
        parts += [terminal.paint(f"with {name} beside it:", Ink.STRONG), _program(text, terminal)]
    if code.good:
        parts += [terminal.paint("Put right:", Ink.STRONG), _program(code.good, terminal)]
    return "\n\n".join(parts) + "\n"


def code_list(terminal: Terminal, chosen: Collection[Code] = tuple(CODES.values())) -> str:
    """Return codes by family, one a line."""
    width = max((len(code.name) for code in chosen), default=0)
    lines: list[str] = []
    for title, family in families():
        codes = [code for code in family if code in chosen]
        if codes:
            lines += ["", terminal.paint(title[0].upper() + title[1:], Ink.STRONG)]
            lines += [
                f"  {terminal.paint(code.id, INK[code.severity])} {code.name:<{width}}  {terminal.safe(code.summary)}"
                for code in codes
            ]
    return "\n".join(lines[1:]) + "\n"


def codes_document(chosen: Collection[Code]) -> str:
    """Return codes with all that their pages say as JSON, in the order of their ids."""
    title_of = {code.id: title for title, family in families() for code in family}
    return document(
        codes=[
            {
                "code": code.id,
                "name": code.name,
                "severity": code.severity.value,
                "family": title_of[code.id],
                "summary": code.summary,
                "why": code.why,
                "bad": code.bad or None,
                "good": code.good or None,
                "files": dict(code.files) or None,
            }
            for code in sorted(chosen, key=lambda code: code.id)
        ]
    )


def families() -> Iterator[tuple[str, list[Code]]]:
    """Yield the titles of the families with their codes by id."""
    for module, title in FAMILIES:
        codes = {code.id: code for code in vars(module).values() if isinstance(code, Code)}
        yield title, [codes[id_] for id_ in sorted(codes)]


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _wrapped(text: str, width: int, terminal: Terminal) -> str:
    return "\n".join(map(terminal.safe, textwrap.wrap(text, width)))


def _program(text: str, terminal: Terminal) -> str:
    return "\n".join(f"    {terminal.safe(line)}".rstrip() for line in text.strip("\n").splitlines())
