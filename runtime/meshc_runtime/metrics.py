"""Counters, gauges and histograms of the proxy, as Prometheus text (exposition format 0.0.4) and as JSON."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from meshc_runtime.access_log import AccessRecord

_DURATION_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_MAX_DECISIONS = 5000
"""How many decisions have numbers of their own; what comes later is counted under `other`."""
_OTHER = "other"

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One number: the series' name, its labels and its value."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: int | float

    def line(self) -> str:
        """The line of the exposition."""
        pairs = ",".join(f'{label}="{_escape(value)}"' for label, value in self.labels)
        number = f"{self.value:.6f}" if isinstance(self.value, float) else str(self.value)
        return f"{self.name}{{{pairs}}} {number}" if pairs else f"{self.name} {number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A metric as it is now, with all its series."""

    name: str
    explanation: str
    kind: str
    samples: list[Sample]


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


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

    def family(self) -> Family:
        """The metric as it is now."""
        return Family(
            name=self.name,
            explanation=self.explanation,
            kind=self.kind,
            samples=[
                Sample(self.name, tuple(zip(self.labels, values, strict=True)), number)
                for values, number in sorted(self._values.items())
            ],
        )


class _Counted:
    """The numbers of one decision: answers by status, durations by bucket."""

    __slots__ = ("buckets", "codes", "seconds")

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        self.buckets = [0] * (len(_DURATION_BOUNDS) + 1)
        self.seconds = 0.0


class RequestMetrics:
    """Requests and their durations for each edge (who called whom), route and deciding rule.

    The numbers of a decision are made once and found by one look-up. Their number is bounded whatever callers, routes
    and rules there are: those that come late are counted together, the services still apart.
    """

    labels: Labels = ("direction", "caller", "service", "route", "rule")

    def __init__(self, max_decisions: int = _MAX_DECISIONS) -> None:
        self._max_decisions = max_decisions
        self._counted: dict[Labels, _Counted] = {}

    def count(self, record: AccessRecord, seconds: float) -> None:
        """Count a request that has ended."""
        key = (record.direction, record.caller, record.service, record.route, record.rule)
        counted = self._counted.get(key)
        if counted is None:
            counted = self._begin(key)
        codes, status = counted.codes, record.status
        codes[status] = codes.get(status, 0) + 1
        counted.buckets[bisect_left(_DURATION_BOUNDS, seconds)] += 1
        counted.seconds += seconds

    def families(self) -> Iterator[Family]:
        """Both metrics as they are now."""
        requests: list[Sample] = []
        durations: list[Sample] = []
        for key, counted in sorted(self._counted.items()):
            labels = tuple(zip(self.labels, key, strict=True))
            requests += [
                Sample("meshc_requests_total", (*labels, ("code", str(code))), number)
                for code, number in sorted(counted.codes.items())
            ]
            total = 0
            for bound, number in zip((*_DURATION_BOUNDS, None), counted.buckets, strict=True):
                total += number
                limit = ("le", "+Inf" if bound is None else f"{bound:g}")
                durations.append(Sample("meshc_request_duration_seconds_bucket", (*labels, limit), total))
            durations.append(Sample("meshc_request_duration_seconds_sum", labels, counted.seconds))
            durations.append(Sample("meshc_request_duration_seconds_count", labels, total))
        yield Family(
            name="meshc_requests_total",
            explanation="Requests answered, by who called whom, the route taken and the rule that decided.",
            kind="counter",
            samples=requests,
        )
        yield Family(
            name="meshc_request_duration_seconds",
            explanation="Time from a request's head to the end of its response.",
            kind="histogram",
            samples=durations,
        )

    def _begin(self, key: Labels) -> _Counted:
        if len(self._counted) >= self._max_decisions:
            direction, _, service, _, _ = key
            key = (direction, _OTHER, service, _OTHER, _OTHER)
        counted = self._counted.get(key)
        if counted is None:
            counted = self._counted[key] = _Counted()
        return counted


class ProxyMetrics:
    """Every metric of one proxy; label values are the snapshot's, or bounded in number."""

    def __init__(self) -> None:
        self.requests = RequestMetrics()
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
        self.spans = Counter(
            "meshc_spans_total", "Spans taken by the collector, refused or not reached by it, or dropped.", ("outcome",)
        )
        self.dropped_log_lines = Counter(
            "meshc_access_log_dropped_total", "Access log lines dropped because the log is not read fast enough."
        )

    def families(self) -> Iterator[Family]:
        """Every metric as it is now."""
        yield from self.requests.families()
        for counter in vars(self).values():
            if isinstance(counter, Counter):
                yield counter.family()

    def of(self, record: AccessRecord) -> ProxyMetrics:
        """Where a request is counted: here, or where nobody looks if the program has switched its metrics off."""
        return self if record.measured else _UNREAD

    def render(self) -> str:
        """The text that Prometheus scrapes."""
        lines: list[str] = []
        for family in self.families():
            lines.append(f"# HELP {family.name} {family.explanation}")
            lines.append(f"# TYPE {family.name} {family.kind}")
            lines += [sample.line() for sample in family.samples]
        return "\n".join(lines) + "\n"

    def document(self) -> dict[str, Any]:
        """The same as one JSON document."""
        return {
            "version": 1,
            "metrics": [
                {
                    "name": family.name,
                    "help": family.explanation,
                    "type": family.kind,
                    "samples": [
                        {"name": sample.name, "labels": dict(sample.labels), "value": sample.value}
                        for sample in family.samples
                    ],
                }
                for family in self.families()
            ],
        }


_UNREAD = ProxyMetrics()
