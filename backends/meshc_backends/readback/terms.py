"""What a target does where the program leaves something open (docs/targets.md): its own terms, stated once more."""

from __future__ import annotations

from meshc_backends.readback.paths import Escapes
from meshc_compiler.ir.workload import Protocol
from meshc_lang.record import dataclass

SECOND_NS = 1_000_000_000
HTTP = frozenset({Protocol.HTTP, Protocol.HTTP2, Protocol.GRPC})
EVERY_PROTOCOL = frozenset(Protocol)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTerms:
    """A target's own terms; times in nanoseconds, None where the target sets no bound.

    `escapes` is how it sees percent escapes. `protocols` are those of the ports that it carries, `protocols_outside`
    those of externals. `protocols_offered` are the names by TLS of what its listeners speak (RFC 7301).
    `never_forwarded` are the methods that it answers with 405 wherever they are allowed.
    """

    name: str
    escapes: Escapes
    protocols: frozenset[Protocol]
    protocols_outside: frozenset[Protocol]
    protocols_offered: tuple[str, ...]
    never_forwarded: frozenset[str]
    hears_plaintext: bool
    connect_timeout_ns: int | None
    mesh_idle_ns: int
    application_idle_ns: int
    external_idle_ns: int
    connection_idle_ns: int
    pause_ns: tuple[int, int]
    least_pause_ns: int
    retry_budget_minimum: int
    rewrites_host: bool = True
    """Whether externals see their own name in `Host`, and not what the workload wrote there."""
    refuses_underscores: bool = True
    """Whether header names with `_` are refused where nothing asks for one."""
    tells_upgrades: bool = False
    """Whether its files say which calls may open WebSockets, and of which the caller's own deadline counts."""
    shows_pages: bool = False
    """Whether readiness and metrics have listeners of their own."""
    tells_strangers: bool = False
    """Whether names of the mesh that a workload may not call are told from names that nobody has: 403, not 404."""


ENVOY = TargetTerms(
    name="envoy",
    escapes=Escapes.EITHER,
    protocols=EVERY_PROTOCOL,
    protocols_outside=HTTP,
    protocols_offered=("h2", "http/1.1"),
    # Envoy matches no route by path for CONNECT: it is answered with 404 and never forwarded.
    never_forwarded=frozenset({"TRACE"}),
    hears_plaintext=False,
    connect_timeout_ns=5 * SECOND_NS,
    mesh_idle_ns=900 * SECOND_NS,
    application_idle_ns=SECOND_NS,
    external_idle_ns=30 * SECOND_NS,
    connection_idle_ns=3600 * SECOND_NS,
    pause_ns=(25_000_000, 250_000_000),
    least_pause_ns=1_000_000,
    retry_budget_minimum=3,
    tells_upgrades=True,
    shows_pages=True,
    tells_strangers=True,
)
"""Envoy as a bundle sets it up."""

SIDECAR = TargetTerms(
    name="sidecar",
    escapes=Escapes.UPPER,
    protocols=EVERY_PROTOCOL,
    protocols_outside=HTTP,
    protocols_offered=("h2", "http/1.1"),
    # CONNECT does not get as far as any rule: it is answered with 405 while its head is read.
    never_forwarded=frozenset({"TRACE"}),
    hears_plaintext=False,
    connect_timeout_ns=5 * SECOND_NS,
    mesh_idle_ns=60 * SECOND_NS,
    application_idle_ns=60 * SECOND_NS,
    external_idle_ns=60 * SECOND_NS,
    connection_idle_ns=3600 * SECOND_NS,
    pause_ns=(25_000_000, 250_000_000),
    least_pause_ns=1_000_000,
    retry_budget_minimum=3,
    rewrites_host=False,
)
"""Our Python proxy."""
