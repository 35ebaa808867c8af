"""Counters, gauges and histograms of the proxy, and their Prometheus text (exposition format 0.0.4)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

_DURATION_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Labels = tuple[str, ...]


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _series(name: str, names: Labels, values: Labels, extra: str = "") -> str:
    pairs = [f'{label}="{_escape(value)}"' for label, value in zip(names, values, strict=True)]
    if extra:
        pairs.append(extra)
    return f"{name}{{{','.join(pairs)}}}" if pairs else name


class Counter:
    """A number for each combination of labels; a gauge when `kind` says so."""

    def __init__(self, name: str, explanation: str, labels: Labels = (), kind: str = "counter") -> None:
        self.name = name
        self.explanation = explanation
        self.labels = labels
        self.kind = kind
        self._values: dict[Labels, int] = {} if labels else {(): 0}

    def add(self, values: Labels = (), amount: int = 1) -> None:
        """Add to the number of these label values."""
        self._values[values] = self._values.get(values, 0) + amount

    def value(self, values: Labels = ()) -> int:
        """The number of these label values."""
        return self._values.get(values, 0)

    def lines(self) -> Iterator[str]:
        """The exposition of this metric."""
        yield f"# HELP {self.name} {self.explanation}"
        yield f"# TYPE {self.name} {self.kind}"
        for values, number in sorted(self._values.items()):
            yield f"{_series(self.name, self.labels, values)} {number}"


class Histogram:
    """Durations in seconds, counted below fixed bounds, for each combination of labels."""

    def __init__(self, name: str, explanation: str, labels: Labels) -> None:
        self.name = name
        self.explanation = explanation
        self.labels = labels
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, values: Labels, seconds: float) -> None:
        """Count one duration."""
        counts = self._counts.get(values)
        if counts is None:
            counts = self._counts[values] = [0] * (len(_DURATION_BOUNDS) + 1)
            self._sums[values] = 0.0
        counts[bisect_left(_DURATION_BOUNDS, seconds)] += 1
        self._sums[values] += seconds

    def lines(self) -> Iterator[str]:
        """The exposition of this metric."""
        yield f"# HELP {self.name} {self.explanation}"
        yield f"# TYPE {self.name} histogram"
        for values, counts in sorted(self._counts.items()):
            total = 0
            for bound, count in zip((*_DURATION_BOUNDS, None), counts, strict=True):
                total += count
                limit = 'le="+Inf"' if bound is None else f'le="{bound:g}"'
                yield f"{_series(self.name + '_bucket', self.labels, values, limit)} {total}"
            yield f"{_series(self.name + '_sum', self.labels, values)} {self._sums[values]:.6f}"
            yield f"{_series(self.name + '_count', self.labels, values)} {total}"


class ProxyMetrics:
    """Every metric of one proxy; label values come from the snapshot, so that their number is bounded."""

    def __init__(self) -> None:
        self.requests = Counter(
            "meshc_requests_total",
            "Requests answered, by the rule that decided.",
            ("direction", "service", "route", "rule", "code"),
        )
        self.duration = Histogram(
            "meshc_request_duration_seconds",
            "Time from a request's head to the end of its response.",
            ("direction", "service"),
        )
        self.denied = Counter(
            "meshc_denied_total", "Requests refused by authorisation.", ("direction", "service", "rule")
        )
        self.limited = Counter("meshc_rate_limited_total", "Requests over a limit.", ("service", "limit"))
        self.malformed = Counter(
            "meshc_malformed_total", "Requests refused before they were understood.", ("direction", "code")
        )
        self.retries = Counter(
            "meshc_retries_total",
            "Retries started, and retries wanted but not allowed.",
            ("service", "route", "outcome"),
        )
        self.upstream_failures = Counter(
            "meshc_upstream_failures_total", "Tries that ended without a response.", ("cluster", "failure")
        )
        self.connections = Counter("meshc_connections_total", "Connections accepted.", ("direction",))
        self.open_connections = Counter("meshc_connections_open", "Connections open now.", ("direction",), kind="gauge")
        self.refused_connections = Counter(
            "meshc_connections_refused_total",
            "Connections closed before a request: handshakes that failed, ports not carried.",
            ("direction", "reason"),
        )
        self.tcp_connections = Counter(
            "meshc_tcp_connections_total",
            "Connections to ports that are not HTTP: carried, denied, or failed.",
            ("direction", "service", "rule", "outcome"),
        )
        self.dropped_log_lines = Counter(
            "meshc_access_log_dropped_total", "Access log lines dropped because the log is not read fast enough."
        )

    def render(self) -> str:
        """The text that Prometheus scrapes."""
        metrics = (
            self.requests,
            self.duration,
            self.denied,
            self.limited,
            self.malformed,
            self.retries,
            self.upstream_failures,
            self.connections,
            self.open_connections,
            self.refused_connections,
            self.tcp_connections,
            self.dropped_log_lines,
        )
        return "\n".join(line for metric in metrics for line in metric.lines()) + "\n"
