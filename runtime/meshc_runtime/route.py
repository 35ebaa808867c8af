"""Routing at the caller's side: a Host to a service, a request to the first route that matches it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Generic, TypeVar

from meshc_runtime.condition import Headers, compile_condition
from meshc_runtime.request_index import Entry, Matcher, RequestIndex
from meshc_runtime.snapshot import MeshHosts, Route

T = TypeVar("T")


class UnknownHost(Enum):
    """Why no service answers to a Host: the mesh has no grant for it, or it is outside and not declared."""

    NOT_GRANTED = 403
    NOT_DECLARED = 404


class HostTable(Generic[T]):
    """Every Host this workload may call; names are lower-case, ports numbers or null when Host has none."""

    def __init__(self, mesh: MeshHosts) -> None:
        self._found: dict[tuple[str, int | None], T] = {}
        self._suffixes = mesh.suffixes
        self._namespaces = frozenset(mesh.namespaces)

    def add(self, hosts: Iterable[str], port: int, *, default: bool, service: T) -> None:
        """Let a service answer to these hosts with its port, and without one if it is the default."""
        for host in hosts:
            self._found[(host, port)] = service
            if default:
                self._found[(host, None)] = service

    def find(self, host: str, port: int | None) -> T | UnknownHost:
        """The service for a Host, or why there is none."""
        service = self._found.get((host, port))
        if service is not None:
            return service
        return UnknownHost.NOT_GRANTED if self._in_mesh(host) else UnknownHost.NOT_DECLARED

    def _in_mesh(self, host: str) -> bool:
        if host.startswith("["):
            return False
        label, dot, rest = host.partition(".")
        if not dot:
            return True
        return host.endswith(self._suffixes) or (label != "" and rest in self._namespaces)


class RouteTable(Generic[T]):
    """The routes of one service in the compiler's order, each with what the proxy built for it."""

    def __init__(self, routes: Iterable[tuple[Route, T]]) -> None:
        """Compile the routes.

        Raises:
            ValueError: a template or regular expression that cannot be compiled.
        """
        self._index: RequestIndex[T] = RequestIndex(
            Matcher(
                methods=route.methods,
                path=route.path,
                entry=Entry(
                    order=order,
                    group="route",
                    condition=None if route.condition is None else compile_condition(route.condition),
                    value=target,
                ),
            )
            for order, (route, target) in enumerate(routes)
        )

    def select(self, method: str, path: str, headers: Headers) -> T | None:
        """What the first matching route leads to; null when none matches."""
        best: Entry[T] | None = None
        for entry in self._index.candidates(method, path):
            if best is not None and best.order < entry.order:
                continue
            if entry.condition is None or entry.condition(headers):
                best = entry
        return None if best is None else best.value
