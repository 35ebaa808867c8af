"""Requests as people write them: `web -> api GET /v1/orders/42?full=1 {x-beta: "1"}`, `… rpc a.B/C`, `… tcp`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_REQUEST = re.compile(
    r"(?P<caller>\S+)\s*->\s*(?P<callee>[A-Za-z0-9_-]+)(?:[.:](?P<port>[A-Za-z0-9_-]+))?\s+"
    r"(?:(?P<tcp>tcp)|rpc\s+(?P<rpc>\S+)|(?P<method>[A-Z][A-Z-]*)\s+(?P<target>/\S*))"
    r"\s*(?:\{(?P<headers>.*)\})?\s*"
)
_HEADER = re.compile(r'\s*(?P<name>[A-Za-z0-9!#$%&\'*+.^_`|~-]+)\s*:\s*(?P<value>"(?:[^"\\]|\\.)*")\s*(?:,|\Z)')


class QuestionError(Exception):
    """A text that is no request, or not one that this proxy can be asked about; the message is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request somebody asks about; `port` is a number or a name, null where none is said."""

    caller: str
    callee: str
    port: str | None
    opaque: bool
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]


def parse_question(text: str) -> Question:
    """Read a request.

    Raises:
        QuestionError: it is none.
    """
    match = _REQUEST.fullmatch(text.strip())
    if match is None:
        raise QuestionError('not a request, such as `web -> api GET /v1/orders {x-beta: "1"}`')
    return Question(
        caller=match["caller"],
        callee=match["callee"],
        port=match["port"],
        opaque=match["tcp"] is not None,
        method=match["method"] or ("POST" if match["rpc"] else ""),
        target=match["target"] or ("/" + match["rpc"].lstrip("/") if match["rpc"] else "/"),
        headers=tuple(_headers(match["headers"] or "")),
    )


def _headers(text: str) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    at = 0
    while text[at:].strip():
        match = _HEADER.match(text, at)
        if match is None:
            raise QuestionError('not headers, such as `{x-beta: "1", x-user: "u"}`')
        try:
            value = str(json.loads(match["value"]))
        except ValueError:
            raise QuestionError(f"the value of `{match['name']}` is no text") from None
        if any(ord(character) < 32 or ord(character) > 126 for character in value):
            raise QuestionError(f"the value of `{match['name']}` is none that a header can have")
        headers.append((match["name"].lower(), value))
        at = match.end()
    return headers
