"""What is measured of an objective, as PromQL: server-side, by the sidecars of the service itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from meshc_backends.measured import (
    NANOSECONDS_A_MILLISECOND,
    SIDECAR_BOUNDS_NS,
    SIDECAR_PROTOCOLS,
    inbound_stat_prefix,
    whole_milliseconds,
)
from meshc_compiler.ir.workload import Service
from meshc_lang.record import dataclass

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """A histogram's name, and below which bounds it counts.

    `below` returns the greatest bound in nanoseconds that is no laxer than a given one, None if there is none; a bound
    is written as `nanoseconds / unit_ns`.
    """

    name: str
    labels: str
    unit_ns: int
    below: Callable[[int], int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What one kind of sidecar counts of a service's requests: selectors of answered ones and of answers 5xx."""

    target: str
    answered: str
    failed: str
    durations: Histogram


def meters(service: Service, sidecars: Iterable[str]) -> Iterator[Meter]:
    """Yield what each kind of sidecar (by its target's name) counts of a service; nothing if it counts none."""
    for sidecar in sidecars:
        if sidecar == "envoy":
            yield _envoy(service)
        elif any(port.protocol in SIDECAR_PROTOCOLS for port in service.ports):
            yield _python_proxy(service)


def _envoy(service: Service) -> Meter:
    ports = [port for port in service.ports if port.protocol.is_http]
    prefixes = [inbound_stat_prefix(service, port) for port in ports]
    name = "envoy_http_conn_manager_prefix"
    label = f'{name}="{prefixes[0]}"' if len(prefixes) == 1 else f'{name}=~"{"|".join(prefixes)}"'
    return Meter(
        target="envoy",
        answered=f"envoy_http_downstream_rq_xx{{{label}}}",
        failed=f'envoy_http_downstream_rq_xx{{{label},envoy_response_code_class="5"}}',
        durations=Histogram(
            name="envoy_http_downstream_rq_time",
            labels=label,
            unit_ns=NANOSECONDS_A_MILLISECOND,
            below=lambda bound: whole_milliseconds(bound) * NANOSECONDS_A_MILLISECOND or None,
        ),
    )


def _python_proxy(service: Service) -> Meter:
    label = f'direction="inbound",service="{service.name}"'
    return Meter(
        target="sidecar",
        # A request whose caller went away before the answer has the code 0: it was not answered.
        answered=f'meshc_requests_total{{{label},code=~"[1-5].."}}',
        failed=f'meshc_requests_total{{{label},code=~"5.."}}',
        durations=Histogram(
            name="meshc_request_duration_seconds",
            labels=label,
            unit_ns=_NANOSECONDS,
            below=lambda bound: max((one for one in SIDECAR_BOUNDS_NS if one <= bound), default=None),
        ),
    )


Ratio = Callable[[str], str]
"""A share of requests over a range (`5m`), as PromQL."""


def failure_ratio(meters: Iterable[Meter]) -> Ratio:
    """Return the share of answers that are 5xx."""
    failed = [meter.failed for meter in meters]
    answered = [meter.answered for meter in meters]

    def ratio(window: str) -> str:
        # A counter of failures that has not yet counted any is not there: then there were none.
        total = _total(answered, window)
        return f"(\n  {_total(failed, window)}\n  or\n  0 * {total}\n)\n/\n{total}"

    return ratio


def slow_ratio(meters: Iterable[Meter], bound_ns: int) -> Ratio:
    """Return the share of requests that take longer than a bound which every meter counts by, or a stricter one."""
    histograms = [meter.durations for meter in meters]
    fast = [f"{one.name}_bucket{{{one.labels},{_le(one, one.below(bound_ns) or 0)}}}" for one in histograms]
    counted = [f"{one.name}_count{{{one.labels}}}" for one in histograms]

    def ratio(window: str) -> str:
        total = _total(counted, window)
        return f"(\n  {total}\n  -\n  {_total(fast, window)}\n)\n/\n{total}"

    return ratio


def _total(selectors: Iterable[str], window: str) -> str:
    return f"sum({' or '.join(f'rate({selector}[{window}])' for selector in selectors)})"


def _le(histogram: Histogram, bound_ns: int) -> str:
    whole, rest = divmod(bound_ns, histogram.unit_ns)
    if rest:
        digits = len(str(histogram.unit_ns)) - 1
        return f'le="{whole}.{f"{rest:0{digits}d}".rstrip("0")}"'
    # Prometheus 3 stores `1.0` for the `1` that is exposed, Prometheus 2 stores it as it came.
    return f'le=~"{whole}(\\\\.0)?"'
