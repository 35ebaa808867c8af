"""Codes of family 0xx: text that is not a program."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

__all__ = ["Code", "Severity"]
