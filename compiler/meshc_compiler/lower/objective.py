"""`slo SERVICE { … }`: what a service promises."""

from __future__ import annotations

from itertools import pairwise

from meshc_compiler.finding import Findings
from meshc_compiler.ir.objective import LatencyObjective, Objective
from meshc_compiler.ir.route import WHOLE
from meshc_compiler.lower.field import Fields
from meshc_compiler.resolve.peer import Landscape
from meshc_compiler.resolve.symbol import SymbolKind, SymbolTable
from meshc_lang.codes import names, resilience, routing, units
from meshc_lang.diagnostic import Label
from meshc_lang.record import dataclass
from meshc_lang.source import Span
from meshc_lang.tree.statement import SloDecl
from meshc_lang.units import print_duration

PERCENTILES = {
    "latency-p50": 500_000,
    "latency-p90": 900_000,
    "latency-p95": 950_000,
    "latency-p99": 990_000,
    "latency-p999": 999_000,
}
"""The shares, in millionths, of which a latency can be promised."""

DEFAULT_WINDOW_NS = 30 * 86_400_000_000_000
"""Thirty days, where the program does not say otherwise."""

_LEAST_WINDOW_NS, _MOST_WINDOW_NS = 3_600_000_000_000, 366 * 86_400_000_000_000
"""In less than an hour too little happens to speak of shares; of more than a year nobody keeps the samples."""


@dataclass(frozen=True, slots=True)
class _Value:
    """A value and where it is stated."""

    value: int
    span: Span


class ObjectiveBook:
    """The objectives of a program by service; statements about one service add up."""

    def __init__(self, symbols: SymbolTable, landscape: Landscape, findings: Findings) -> None:
        self._symbols = symbols
        self._landscape = landscape
        self._findings = findings
        self._stated: dict[str, dict[str, _Value]] = {}
        self._first: dict[str, SloDecl] = {}

    def objectives(self) -> tuple[Objective, ...]:
        """Return the objectives by service, after telling of those that cannot hold together."""
        return tuple(self._objective(service) for service in sorted(self._stated))

    def add(self, statement: SloDecl) -> None:
        """Note what a statement promises."""
        name = statement.service
        fields = Fields(statement.body, f"`slo {name}`", "slo", self._findings)
        values = {
            "availability": self._availability(fields),
            "window": self._window(fields),
            **{key: fields.time(key) for key in PERCENTILES},
        }
        symbol = self._symbols.resolve(name.text, name.span, (SymbolKind.SERVICE,), self._findings)
        if not any(fields.get(key) is not None for key in ("availability", *PERCENTILES)):
            message = f"`slo {name}` promises nothing"
            help_line = "add an `availability: 99.9%` or a `latency-p99: 300ms`"
            self._findings.add(names.MISSING_FIELD, message, name.span, help=help_line)
            return
        if symbol is None or symbol.name in self._landscape.broken:
            return
        if not any(port.protocol.is_http for port in self._landscape.ports(symbol.name)):
            message = f"objectives count requests, and no port of `{name}` shows them"
            self._findings.add(units.PROTOCOL_MISMATCH, message, name.span)
            return
        self._first.setdefault(symbol.name, statement)
        stated = self._stated.setdefault(symbol.name, {})
        for key, value in values.items():
            if value is None:
                continue
            known = stated.setdefault(key, _Value(value, fields.span(key)))
            if known.value != value:
                self._findings.add(
                    routing.CONFLICTING_SETTINGS,
                    f"`slo {name}` has two values of `{key}`",
                    fields.span(key),
                    label="and another here",
                    related=(Label(known.span, "one here …"),),
                    help="keep one of them",
                    subject=f"slo {name}",
                )

    def _availability(self, fields: Fields) -> int | None:
        share = fields.share("availability")
        if share != WHOLE:
            return share
        message = "an availability of 100% leaves no room for a single error"
        span = fields.span("availability")
        self._findings.add(resilience.NO_ERROR_BUDGET, message, span, help="promise less, for example `99.9%`")
        return None

    def _window(self, fields: Fields) -> int | None:
        window = fields.time("window")
        if window is None or _LEAST_WINDOW_NS <= window <= _MOST_WINDOW_NS:
            return window
        self._findings.add(units.OUT_OF_RANGE, "a `window` is from an hour to a year", fields.span("window"))
        return None

    def _objective(self, service: str) -> Objective:
        stated = self._stated[service]
        latencies = [(key, stated[key]) for key in PERCENTILES if key in stated]
        for (slower, above), (faster, below) in pairwise(latencies):
            if above.value > below.value:
                message = (
                    f"`{faster}` promises {print_duration(below.value)} to more requests than `{slower}` promises "
                    f"{print_duration(above.value)}, so `{slower}` says nothing"
                )
                self._findings.add(
                    resilience.UNORDERED_LATENCIES,
                    message,
                    below.span,
                    related=(Label(above.span, f"`{slower}` is promised here"),),
                    subject=f"slo {service}",
                )
        availability = stated.get("availability")
        window = stated.get("window")
        return Objective(
            service=service,
            window_ns=DEFAULT_WINDOW_NS if window is None else window.value,
            availability=None if availability is None else availability.value,
            latencies=tuple(
                LatencyObjective(share=PERCENTILES[key], bound_ns=one.value, origin=one.span) for key, one in latencies
            ),
            availability_origin=None if availability is None else availability.span,
            origin=self._first[service].span,
        )
