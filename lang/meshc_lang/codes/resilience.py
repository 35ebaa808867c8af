"""Codes of family 5xx: timeouts and retries."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

__all__ = ["Code", "Severity"]
