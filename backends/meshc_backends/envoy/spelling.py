"""Spellings of a path that Envoy lets through but nobody should forward: answered with 400 before any rule is asked."""

from __future__ import annotations

REFUSED_SPELLINGS: tuple[tuple[str, str], ...] = (("dot segment with parameters", "(?:.*/)?(?:\\.|%2[Ee]){1,2};.*"),)
"""Name and expression (RE2, on the whole path without its query) of each."""
