"""Write docs/diagnostics/ from the codes: one page each, and an index. Pages of codes that are gone are removed."""

from __future__ import annotations

from pathlib import Path

from meshc_lang.codes import FAMILIES, Code

PAGES = Path(__file__).resolve().parent / "diagnostics"


def page(code: Code) -> str:
    """Return the Markdown page of one code."""
    parts = [f"# {code.id} {code.name}", f"*{code.severity}* — {code.summary}", code.why]
    if code.bad:
        parts += ["Yields it:", f"```mesh\n{code.bad.strip()}\n```"]
    for name, text in code.files:
        language = {"mesh": "mesh", "proto": "proto"}.get(name.rpartition(".")[2], "yaml")
        parts += [f"with `{name}` beside it:", f"```{language}\n{text.strip()}\n```"]
    if code.good:
        parts += ["Put right:", f"```mesh\n{code.good.strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """Return the page that lists every code, family by family."""
    lines = ["# Diagnostics", "", "Made from the code by `make docs`; `meshc explain CODE` prints the same page."]
    for module, title in FAMILIES:
        codes = sorted((value for value in vars(module).values() if isinstance(value, Code)), key=lambda code: code.id)
        if codes:
            lines += [
                "",
                f"## {title[0].upper()}{title[1:]}",
                "",
                "| code | name | severity | says |",
                "|---|---|---|---|",
            ]
            lines += [f"| [{c.id}]({c.id}.md) | {c.name} | {c.severity} | {c.summary} |" for c in codes]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write every page."""
    PAGES.mkdir(exist_ok=True)
    wanted = {
        f"{code.id}.md": page(code)
        for module, _ in FAMILIES
        for code in vars(module).values()
        if isinstance(code, Code)
    }
    wanted["README.md"] = index()
    for stale in PAGES.glob("*.md"):
        if stale.name not in wanted:
            stale.unlink()
    for name, text in wanted.items():
        (PAGES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
