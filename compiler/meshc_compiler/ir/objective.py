"""What a service promises: service-level objectives, from which alerts and dashboards come."""

from __future__ import annotations

from meshc_lang.record import dataclass, field
from meshc_lang.source import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyObjective:
    """So many of the requests (`share`, in millionths: p99 is 990,000) are answered within `bound_ns` nanoseconds."""

    share: int
    bound_ns: int
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """The objectives of one service over a sliding window.

    `availability` (millionths) is the share of requests that are answered without a 5xx. `latencies` are sorted by
    share. Objectives are measured, not enforced: no call fares otherwise because of them.
    """

    service: str
    window_ns: int
    availability: int | None = None
    latencies: tuple[LatencyObjective, ...] = ()
    availability_origin: Span | None = field(default=None, compare=False, repr=False)
    origin: Span | None = field(default=None, compare=False, repr=False)
