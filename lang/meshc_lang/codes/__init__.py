"""Every diagnostic code, once: one module a family, and the whole table (`CODES`, `FAMILIES`) when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshc_lang.codes.code import Code, Severity

if TYPE_CHECKING:
    from meshc_lang.codes.table import CODES, FAMILIES

__all__ = ["CODES", "FAMILIES", "Code", "Severity"]


def __getattr__(name: str) -> Any:
    """Import the table: a check needs the codes of a few families, and those by their modules."""
    if name not in {"CODES", "FAMILIES"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from meshc_lang.codes import table

    return getattr(table, name)
