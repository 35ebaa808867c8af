"""Every diagnostic code, once: one module a family, `CODES` the whole table by id."""

from __future__ import annotations

from meshc_lang.codes import (
    authorization,
    coverage,
    expansion,
    identities,
    names,
    overlays,
    reading,
    resilience,
    routing,
    settings,
    style,
    syntax,
    targets,
    units,
    validation,
)
from meshc_lang.codes.code import Code

__all__ = ["CODES", "FAMILIES"]

FAMILIES = (
    (reading, "reading input"),
    (syntax, "syntax"),
    (names, "names"),
    (expansion, "values by name, and templates"),
    (units, "types and units"),
    (settings, "settings"),
    (authorization, "authorisation"),
    (routing, "routing"),
    (coverage, "what tests leave out"),
    (resilience, "resilience"),
    (identities, "identity and TLS"),
    (overlays, "overlays"),
    (targets, "what a target cannot express"),
    (validation, "files that do not mean what the program says"),
    (style, "style, suppressions and examples"),
)
"""The modules of codes with their titles, in the order of the documentation."""

CODES: dict[str, Code] = {
    code.id: code for module, _ in FAMILIES for code in vars(module).values() if isinstance(code, Code)
}
"""Every code by its id."""
