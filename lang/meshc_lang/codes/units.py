"""Codes of family 2xx: types and units."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

__all__ = ["Code", "Severity"]
