"""Every single change of a snapshot, and what the real proxy decides with one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from meshc_runtime.condition import Headers
from meshc_runtime.policy import Policy, compile_policy
from meshc_runtime.route import UnknownHost
from meshc_runtime.snapshot import parse_snapshot

Change = Callable[[Any], None]
Probe = tuple[str, str, Headers]
"""Method, path and headers."""

_OTHERS = {
    "allow": "deny", "deny": "allow", "GET": "PATCH", "1.2": "1.3", "1.3": "1.2", "/**": "/x/**", "http": "tcp",
    "template": "regex", "header-present": "header-equals", "all": "any", "any": "all",
}  # fmt: skip
"""What stands in place of a word that only has a few others."""


def changes(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[str, Change]]:
    """Yield every change that takes a member away, puts another value into a leaf, or turns two neighbours round."""
    entries = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for key, inner in entries:
        here = (*path, key)
        name = ".".join(map(str, here))
        yield f"without {name}", _taken_away(path, key)
        if isinstance(inner, dict | list):
            yield from changes(inner, here)
            if isinstance(inner, list):
                for number in range(len(inner) - 1):
                    yield f"{name}: {number} and {number + 1} turned round", _turned_round(here, number)
                if inner and isinstance(inner[0], str):
                    yield f"{name} = null", _put(path, key, None)
        else:
            yield f"{name} = {_other(inner)!r}", _put(path, key, _other(inner))


def changed(document: Any, change: Change) -> bytes:
    """Return a document's text with a change in it."""
    other = copy.deepcopy(document)
    change(other)
    return json.dumps(other).encode()


class RealProxy:
    """The proxy's own loader and rules, without sockets."""

    def __init__(self, content: bytes) -> None:
        """Load a snapshot; raises SnapshotError if the proxy refuses it."""
        self.snapshot = parse_snapshot(content)
        self.policy: Policy = compile_policy(self.snapshot, lambda: 0.0)

    def admits(self, port: int, caller: str, method: str, path: str, headers: Headers) -> bool | None:
        """Tell whether a call to one of the workload's ports is allowed; None where there is no such port."""
        for inbound in self.policy.inbound.values():
            if inbound.port.number == port and inbound.port.protocol == "http":
                return inbound.authorizer.decide(caller, method, path, headers).allowed
        return None

    def route(self, host: str, port: int | None, method: str, path: str, headers: Headers) -> Any:
        """Return what becomes of a call of the workload: a refusal, or shares of clusters and the route's settings."""
        found = self.policy.hosts.find(host, port)
        if isinstance(found, UnknownHost):
            return found.value
        if found.service.protocol != "http":
            return 503
        if found.authorizer is not None:
            own = self.snapshot.workload.spiffe_id
            if not found.authorizer.decide(own, method, path, headers).allowed:
                return 403
        route = found.routes.select(method, path, headers)
        if route is None:
            return 503
        stated = next(one for one in found.service.routes if one.id == route.id)
        total = sum(one.weight for one in stated.destinations)
        shares = sorted((one.cluster, one.weight / total) for one in stated.destinations if one.weight)
        retry = None if stated.retry is None else stated.retry.model_copy(update={"on": tuple(sorted(stated.retry.on))})
        return shares, stated.timeout_ms, retry

    def decisions(self, callers: list[str], asked: list[Probe]) -> dict[Any, Any]:
        """Return what becomes of every request, by every caller at every port, and on the way out to every host."""
        found: dict[Any, Any] = {}
        for number, (method, path, headers) in enumerate(asked):
            for inbound in self.snapshot.inbound:
                for caller in callers:
                    decided = self.admits(inbound.number, caller, method, path, headers)
                    found[number, inbound.number, caller] = decided
            for outbound in self.snapshot.outbound:
                for port in (outbound.port, None):
                    host = min(outbound.hosts)
                    found[number, host, port] = self.route(host, port, method, path, headers)
        return found


def probes(document: Any) -> list[Probe]:
    """Return requests near the words of a snapshot: methods, paths made of its segments, headers with its values."""
    texts = set(_texts(document))
    segments = sorted({part for text in texts if text.startswith("/") for part in text.split("/") if part.isalnum()})[
        :6
    ]
    paths = ["/", *(f"/{one}" for one in segments), *(f"/{a}/{b}" for a, b in product(segments, ("7", "x/y", "zz")))]
    paths += [f"/{a}/{b}" for a, b in product(segments, segments)] + ["/7", "/a1", "/files/a.txt"]
    values = [value.encode() for value in ("v", "w", "yes", "1") if value in texts]
    some: list[Headers] = [{}]
    some += [
        {name: (value,)} for name in ("x-a", "x-b", "x-c", "x-csrf") if name in texts for value in (*values, b"zz")
    ]
    return [(method, path, headers) for method in ("GET", "POST", "PURGE") for path in paths for headers in some]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _taken_away(path: tuple[Any, ...], key: Any) -> Change:
    def change(document: Any) -> None:
        del _at(document, path)[key]

    return change


def _put(path: tuple[Any, ...], key: Any, value: Any) -> Change:
    def change(document: Any) -> None:
        _at(document, path)[key] = value

    return change


def _turned_round(path: tuple[Any, ...], number: int) -> Change:
    def change(document: Any) -> None:
        some = _at(document, path)
        some[number], some[number + 1] = some[number + 1], some[number]

    return change


def _at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def _other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return value / 2
        case None:
            return 7
        case _:
            return _OTHERS.get(value, f"{value}x")
