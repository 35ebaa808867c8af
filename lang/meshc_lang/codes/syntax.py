"""Codes of family 0xx: text that is not a program."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

__all__ = ["Code", "Severity"]


def _error(id: str, name: str, summary: str, why: str, bad: str, good: str) -> Code:
    return Code(id=id, name=name, severity=Severity.ERROR, summary=summary, why=why, bad=bad, good=good)


BAD_ESCAPE = _error("MSH007", "bad-escape", "", "", "", "")
BAD_REQUEST = _error("MSH014", "bad-request", "", "", "", "")
TOO_FINE = _error("MSH015", "too-fine", "", "", "", "")
TOO_DEEP = _error("MSH016", "too-deep", "", "", "", "")
UNEXPECTED = _error("MSH003", "unexpected-text", "", "", "", "")
