"""Findings about files and folders that a build writes: they have no line to point at."""

from __future__ import annotations

from pathlib import Path

from meshc_lang.codes import Code
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.source import SourceText


def finding(code: Code, path: Path, message: str, help_: str = "") -> Diagnostic:
    """Return a finding about a path as a whole."""
    return Diagnostic(code=code, message=message, primary=SourceText(str(path), "").span(0, 0), help=help_)


def reason_of(error: OSError) -> str:
    """Return the operating system's reason in lower case: `permission denied`."""
    return (error.strerror or type(error).__name__).lower()
