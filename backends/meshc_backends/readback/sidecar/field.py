"""Objects of a JSON document, of which every member must be known: what nobody reads is an error, not passed over."""

from __future__ import annotations

import json
from collections.abc import Set
from typing import Any

from meshc_backends.readback.unread import UnreadError


def document(content: bytes) -> Any:
    """Return a JSON document; of two members of one name the last counts, as for the proxy.

    Raises:
        UnreadError: it is none.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadError("the document", f"no JSON ({error})") from None


def members(value: Any, known: Set[str], place: str) -> dict[str, Any]:
    """Return the members of an object.

    Raises:
        UnreadError: it is none, or has a member that is not known.
    """
    if type(value) is not dict:
        raise UnreadError(place, "something that is no object")
    if not value.keys() <= known:
        raise UnreadError(place, f"the field `{min(value.keys() - known)}`")
    return value


def text(fields: dict[str, Any], name: str, place: str) -> str:
    """Return a text."""
    found = fields.get(name)
    if type(found) is not str:
        raise UnreadError(f"{place}.{name}", "something that is no text")
    return found


def number(fields: dict[str, Any], name: str, place: str) -> int:
    """Return a whole number."""
    found = fields.get(name)
    if type(found) is not int:
        raise UnreadError(f"{place}.{name}", "something that is no whole number")
    return found


def elements(fields: dict[str, Any], name: str, place: str) -> list[Any]:
    """Return a list, which may be left out: then it is empty."""
    return required(fields, name, place) if name in fields else []


def required(fields: dict[str, Any], name: str, place: str) -> list[Any]:
    """Return a list."""
    found = fields.get(name)
    if type(found) is not list:
        raise UnreadError(f"{place}.{name}", "something that is no list")
    return found


def texts(fields: dict[str, Any], name: str, place: str) -> frozenset[str]:
    """Return a list of texts as a set."""
    found = required(fields, name, place)
    for one in found:
        if type(one) is not str:
            raise UnreadError(f"{place}.{name}", "something that is no text")
    return frozenset(found)
