"""Codes of family 4xx: routes and settings."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

__all__ = ["Code", "Severity"]
