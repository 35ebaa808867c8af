"""The compiler's version."""

from __future__ import annotations


def compiler_version() -> str:
    """Return the version of the installed package; `0+unknown` where meshc runs from bare files."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("meshc")
    except PackageNotFoundError:
        return "0+unknown"
