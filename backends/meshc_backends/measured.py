"""What sidecars count of the requests that come in, and how it is called: the rules of Prometheus go by it."""

from __future__ import annotations

from collections.abc import Iterable

from meshc_compiler.ir.workload import Protocol, Service, ServicePort

NANOSECONDS_A_MILLISECOND = 1_000_000

ENVOY_BUCKETS_MS = (1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000)
"""The bounds, in milliseconds, below which an Envoy counts durations; those of objectives come in addition.

They are Envoy's own from a millisecond to ten minutes: it measures in whole milliseconds.
"""

SIDECAR_BOUNDS_NS = tuple(
    microseconds * 1000
    for microseconds in (
        *(500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000),
        *(1_000_000, 2_500_000, 5_000_000, 10_000_000),
    )
)
"""The bounds of the Python proxy's histogram, in nanoseconds; they are fixed."""

SIDECAR_PROTOCOLS = frozenset({Protocol.HTTP, Protocol.HTTP2, Protocol.GRPC})
"""The protocols of ports whose requests the Python proxy counts: it refuses the others."""


def inbound_stat_prefix(service: Service, port: ServicePort) -> str:
    """Return the prefix of an Envoy's statistics about what comes in for one port; no other service has it."""
    return f"inbound_{service.name}_{port.number}"


def whole_milliseconds(bound_ns: int) -> int:
    """Return the greatest bound that Envoy can count by and that is no laxer than this one; 0 if there is none."""
    return bound_ns // NANOSECONDS_A_MILLISECOND


def envoy_buckets(bounds_ns: Iterable[int]) -> list[int]:
    """Return the bounds, in milliseconds, by which an Envoy counts what takes part in objectives of latency."""
    wanted = {whole_milliseconds(bound) for bound in bounds_ns} - {0}
    return sorted({*ENVOY_BUCKETS_MS, *wanted})
