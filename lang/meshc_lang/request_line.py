"""Reads the plain shapes of a request with one regular expression: batches hold them by the hundred thousand.

What it reads, it reads as the grammar does; everything else, mistakes included, it leaves to the parser.
"""

from __future__ import annotations

from meshc_lang.pattern import pattern
from meshc_lang.request import Request
from meshc_lang.source import SourceText, Span

__all__ = ["read_plain_request"]

_NAME = r"[A-Za-z_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_QUOTED = r'"[^"\\\x00-\x1f\x7f]*"'
_ENTRY = rf"(?:{_NAME}|{_QUOTED}): ?{_QUOTED}"
_MAP = rf"\{{(?:{_ENTRY}(?:, {_ENTRY})*)?\}}"

_PLAIN = pattern(
    rf"(?P<caller>{_NAME}|{_QUOTED}) -> (?P<callee>{_NAME})(?:\.(?P<port>{_NAME}))? "
    r"(?:(?P<tcp>tcp)|(?:rpc (?P<rpc>[A-Za-z_][A-Za-z0-9_.]*(?<!\.)/[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?:(?P<method>[A-Z][A-Z0-9_-]*) )?(?P<target>/[^ \t\r\n]*))"
    rf"(?: (?P<headers>{_MAP}))?(?: claims (?P<claims>{_MAP}))?)\Z"
)
_PAIR = pattern(rf"({_NAME}|{_QUOTED}): ?({_QUOTED})")


def read_plain_request(text: str) -> Request | None:
    """Return the request, if the text is one in a plain shape; None says nothing about the text."""
    found = _PLAIN.match(text)
    if found is None or found["caller"] == "any" or found["callee"] == "any" or ".." in (found["rpc"] or ""):
        return None
    if found["callee"] == "ingress" and found["port"]:
        return None
    span = Span(SourceText("<request>", text), 0, len(text))
    protocol, method, path, query = "http", found["method"] or "GET", "/", ""
    if found["tcp"]:
        protocol = "tcp"
    elif found["rpc"]:
        protocol, method, path = "rpc", "POST", f"/{found['rpc']}"
    else:
        path, _, query = found["target"].partition("?")
    return Request(
        caller=found["caller"].strip('"'),
        callee=found["callee"],
        port=found["port"],
        protocol=protocol,
        method=method,
        path=path,
        query=query,
        headers=_pairs(found["headers"]),
        claims=_pairs(found["claims"]),
        span=span,
    )


def _pairs(text: str | None) -> tuple[tuple[str, str], ...]:
    if not text:
        return ()
    return tuple((key.strip('"'), value[1:-1]) for key, value in _PAIR.findall(text))
