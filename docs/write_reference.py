"""Write docs/reference.md: every statement, word, field and unit, from the tables that the compiler itself goes by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from meshc_backends.registry import BACKENDS
from meshc_compiler.ir.feature import Feature
from meshc_compiler.reference.field import FIELDS, WORDS_OF_FIELDS
from meshc_lang.parser import grammar_text
from meshc_lang.reference import IN_OVERLAYS, STATEMENTS, WORDS, Entry
from meshc_lang.units import DURATION_UNITS, PORT_PROTOCOLS, RATE_UNITS, SIZE_UNITS

PAGE = Path(__file__).resolve().parent / "reference.md"

_BLOCKS = {
    "mesh": "`mesh NAME { … }`",
    "mesh.certificates": "`certificates { … }` of the mesh",
    "mesh.ingress": "`ingress { … }` of the mesh",
    "service": "`service NAME { … }`",
    "service.health": "`health { … }` of a service",
    "external": "`external NAME { … }`",
    "external.tls": "`tls { … }` of an external",
    "jwt": "`jwt NAME { … }`",
    "settings": "Settings: `defaults mesh { … }`, `defaults SERVICE { … }`, `edge A -> B { … }`, a route's rule",
    "settings.retry": "`retry { … }`",
    "settings.breaker": "`breaker { … }`",
    "settings.balance": "`balance { … }`",
    "settings.telemetry": "`telemetry { … }`",
    "fault": "`fault NAME on A -> B { … }`",
    "slo": "`slo SERVICE { … }`",
}
"""The blocks of the reference, in its order, with their titles."""


def reference() -> str:
    """Return the page."""
    if missing := FIELDS.keys() - _BLOCKS.keys():
        raise ValueError(f"no title for the blocks {sorted(missing)}")
    parts = [
        "# Reference",
        "Made from the compiler's own tables by `make docs`. [The guide](language.md) teaches the language; what each "
        "part means exactly, with examples that are run, stands in [the specification](../tests/spec).",
        "## Statements",
        *_statements(STATEMENTS),
        "In an `overlay` stand any of these but `edition`, `import`, `mesh`, `template` and `overlay`, and besides:",
        _table(("item", "means"), ((_code(entry.form), entry.text) for entry in IN_OVERLAYS.values())),
        "## Words",
        _table(("word", "as in", "means"), ((_code(word), _code(e.form), e.text) for word, e in WORDS.items())),
        "## Fields",
        *(text for kind, title in _BLOCKS.items() for text in (f"### {title}", _fields(kind))),
        "## Quantities",
        _table(
            ("what", "units", "for example"),
            (
                ("a length of time", _listed(DURATION_UNITS), "`250ms`, `1.5s`, `25ms..250ms`"),
                ("a share", "`%`", "`20%`, `99.95%`"),
                ("a rate", _listed(f"/{unit}" for unit in RATE_UNITS), "`500/s`"),
                ("a number of bytes", _listed(SIZE_UNITS), "`64KiB`"),
                ("a port", _listed(f"/{protocol}" for protocol in PORT_PROTOCOLS), "`8080/http`"),
            ),
        ),
        "## What each target carries",
        "A build for a target refuses what it does not carry, with code [MSH870](diagnostics/MSH870.md); nothing "
        "is dropped. `–` says that the target has nothing to do with it.",
        _table(("what", *(_code(target.name) for target in BACKENDS)), _features()),
        "## Grammar",
        "The grammar that the parser is made of, in the notation of Lark: LALR(1), without conflicts.",
        f"```lark\n{grammar_text().strip()}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _statements(entries: Mapping[str, Entry]) -> Iterable[str]:
    for word, entry in entries.items():
        yield f"### {word}"
        yield f"{_code(entry.form)}: {entry.text[0].lower()}{entry.text[1:]}"
        yield f"```mesh\n{entry.example or entry.form}\n```"


def _fields(kind: str) -> str:
    rows = []
    for key, entry in FIELDS[kind].items():
        words = WORDS_OF_FIELDS.get(f"{kind}.{key}", ())
        rows.append((_code(key), _code(entry.form), entry.text + (f" Words: {_listed(words)}." if words else "")))
    return _table(("field", "as in", "means"), rows)


def _features() -> Iterable[tuple[str, ...]]:
    backends = [target.load() for target in BACKENDS]
    for feature in Feature:
        cells = [
            "yes" if feature in backend.carries else "–" if feature in backend.leaves else "no" for backend in backends
        ]
        yield (feature.value, *cells)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _code(text: str) -> str:
    return f"`{text}`"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
