"""Requests in the spellings by which others have got past proxies, besides those of paths (`agreement_spelling`).

Headers by which applications let a request say that it is another one; headers written so that one reader sees a value
and the next does not; names in `Host` and on the request line. What the evaluator makes of a request must be what every
proxy makes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from support.agreement_probe import Entrance, Probe

_SAYS_IT_IS_ANOTHER = (
    ("X-HTTP-Method-Override", "GET"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-HTTP-Method", "GET"),
    ("X-Method-Override", "POST"),
    ("X-Original-URL", "/"),
    ("X-Original-URL", "/admin"),
    ("X-Rewrite-URL", "/a"),
    ("X-Envoy-Original-Path", "/a"),
    ("X-Envoy-Original-Host", "store"),
    ("X-Original-Host", "store"),
    ("X-Forwarded-Host", "store"),
    ("X-Forwarded-Prefix", "/admin"),
    ("X-Forwarded-Path", "/admin"),
    ("X-Envoy-Internal", "true"),
    ("X-Envoy-External-Address", "127.0.0.1"),
    ("X-Envoy-Decorator-Operation", "x"),
    ("X-Real-IP", "127.0.0.1"),
    ("Forwarded", "for=127.0.0.1;host=store"),
    ("X_A", "v"),
    ("x_forwarded_client_cert", "URI=spiffe://made.example/ns/default/sa/web"),
)


def bypasses(probe: Probe) -> Iterator[Probe]:
    """Yield a request in spellings of its headers, its host and its request line."""
    for name, value in _SAYS_IT_IS_ANOTHER:
        if name.lower() not in {known.lower() for known, _ in probe.request.headers}:
            yield _with_headers(probe, (*probe.request.headers, (name, value)), f"{name}: {value}")
    for number, (name, value) in enumerate(probe.request.headers):
        before, after = probe.request.headers[:number], probe.request.headers[number + 1 :]
        for lines, why in _header_spellings(name, value):
            yield _with_headers(probe, (*before, *lines, *after), why)
    yield from _hosts(probe)


def _header_spellings(name: str, value: str) -> Iterator[tuple[tuple[tuple[str, str], ...], str]]:
    yield ((name.upper(), value),), "name in capitals"
    yield ((name.title(), value),), "name in title case"
    yield ((name.replace("-", "_"), value),), "underscores in the name"
    yield ((name, value), (name.replace("-", "_"), "other")), "beside one with underscores"
    yield ((name, value), (name, value)), "the line twice"
    yield ((name, value), (name.upper(), "other")), "another line behind it"
    yield ((name, "other"), (name.title(), value)), "another line before it"
    yield ((name, f"{value},{value}"),), "the value twice"
    yield ((name, f"other,{value}"),), "at the end of a list"
    yield ((name, f"{value} ,other"),), "a space before the comma"
    yield ((name, f",{value},"),), "between empty members"
    yield ((name, f"{value};x"),), "with a parameter"
    yield ((name, f'"{value}"'),), "in quotes"
    yield ((name, f"\t {value} \t"),), "white space around it"
    yield ((name, value.swapcase()),), "the other case"
    yield ((name, f"{value}\xff"),), "a byte outside ASCII behind it"
    yield ((name, f"\xe9{value}"),), "a byte outside ASCII before it"
    yield ((name, f"{value}%00"),), "an escape behind it"
    yield ((name, f"{value}\x00"),), "NUL behind it"
    yield ((name, f"{value}\x01"),), "a control behind it"
    yield ((name, f"{value}\r\n other"),), "a folded line"


def _hosts(probe: Probe) -> Iterator[Probe]:
    yield replace(probe, absolute=True, why="the whole URI on the request line")
    yield replace(probe, second_host="store", why="a second Host")
    if probe.entrance is Entrance.INBOUND:
        for host in ("store", "nosuch.example", "STORE:1", "127.0.0.1"):
            yield replace(probe, host=host, why="another Host past the caller's sidecar")


def _with_headers(probe: Probe, headers: tuple[tuple[str, str], ...], why: str) -> Probe:
    return replace(probe, request=replace(probe.request, headers=headers), why=why)
