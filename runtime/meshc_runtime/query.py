"""Parameters of a query, decoded as forms are (WHATWG URL section 5.1): `+` is a space, escapes are UTF-8."""

from __future__ import annotations

from urllib.parse import unquote_plus


def query_values(query: str, name: str) -> list[str]:
    """The values of all parameters of this name; one without `=` is empty."""
    pairs = (piece.partition("=") for piece in query.removeprefix("?").split("&") if piece)
    return [unquote_plus(value) for found, _, value in pairs if unquote_plus(found) == name]
