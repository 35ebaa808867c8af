"""Codes of family 3xx: who may call whom, and what must hold."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

__all__ = ["Code", "Severity"]
