"""Codes of family 0xx (from 080): programs that cannot be read."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

__all__ = ["Code", "Severity"]
