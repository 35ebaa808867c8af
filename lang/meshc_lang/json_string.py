"""Strings as JSON writes them; its module is imported only for a text with something to escape, which few have."""

from __future__ import annotations

__all__ = ["json_ascii", "json_text"]


def json_text(text: str) -> str:
    """Return a text as a JSON string (RFC 8259 §7) that keeps what is not ASCII."""
    if _is_plain(text):
        return f'"{text}"'
    import json

    return json.dumps(text, ensure_ascii=False)


def json_ascii(text: str) -> str:
    """Return a text as a JSON string in which all that is not ASCII is escaped."""
    if text.isascii() and _is_plain(text):
        return f'"{text}"'
    import json

    return json.dumps(text)


def _is_plain(text: str) -> bool:
    return text.isprintable() and '"' not in text and "\\" not in text
