"""Recording rules and alerts of one objective."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from meshc_backends.prometheus.burn_rate import BurnRate, Urgency, burn_rates, range_text
from meshc_backends.prometheus.measure import Meter, Ratio, failure_ratio, slow_ratio
from meshc_backends.yaml_text import YamlValue
from meshc_compiler.ir.objective import LatencyObjective, Objective
from meshc_lang.record import dataclass
from meshc_lang.source import Span
from meshc_lang.units import print_duration, print_percent

_WHOLE = 1_000_000
_MINUTE_NS = 60_000_000_000

_ALERTS = {Urgency.PAGE: "ErrorBudgetBurnsFast", Urgency.TICKET: "ErrorBudgetBurnsSlowly"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One promise of an objective: what may fail (`budget`, in millionths) of what is measured."""

    word: str
    promised: str
    failing: str
    budget: int
    ratio: Ratio
    origin: Span | None


def latency_word(latency: LatencyObjective) -> str:
    """Return the field that states it: `latency-p99`, `latency-p999`."""
    return f"latency-p{f'{latency.share:06d}'.rstrip('0').ljust(2, '0')}"


def promises(objective: Objective, meters: tuple[Meter, ...]) -> Iterator[Promise]:
    """Yield the promises of an objective, in the order in which they are written."""
    if objective.availability is not None:
        budget = _WHOLE - objective.availability
        yield Promise(
            word="availability",
            promised=f"{print_percent(objective.availability)} of the requests are answered without a 5xx",
            failing="fail",
            budget=budget,
            ratio=failure_ratio(meters),
            origin=objective.availability_origin or objective.origin,
        )
    for latency in objective.latencies:
        bound = print_duration(latency.bound_ns)
        yield Promise(
            word=latency_word(latency),
            promised=f"{print_percent(latency.share)} of the requests take no longer than {bound}",
            failing=f"take longer than {bound}",
            budget=_WHOLE - latency.share,
            ratio=slow_ratio(meters, latency.bound_ns),
            origin=latency.origin or objective.origin,
        )


def group_of(mesh: str, objective: Objective, meters: tuple[Meter, ...]) -> dict[str, YamlValue]:
    """Return the group of rules that watch over one service's objectives."""
    rules: list[YamlValue] = []
    for promise in promises(objective, meters):
        labels = {"mesh": mesh, "service": objective.service, "objective": promise.word}
        rates = burn_rates(objective.window_ns)
        windows = sorted({window for rate in rates for window in (rate.long, rate.short)})
        rules += [
            {"record": _series(window), "expr": promise.ratio(range_text(window)), "labels": labels}
            for window in windows
        ]
        for urgency, name in _ALERTS.items():
            conditions = tuple(_conditions(promise, labels, [rate for rate in rates if rate.urgency is urgency]))
            if conditions:
                rules.append(
                    {
                        "alert": name,
                        "expr": "\nor\n".join(conditions),
                        "labels": {"severity": urgency.value, **labels},
                        "annotations": _annotations(objective, promise),
                    }
                )
    return {"name": f"slo-{objective.service}", "rules": rules}


def _series(window: int) -> str:
    return f"service:slo_error_ratio:rate{range_text(window)}"


def _conditions(promise: Promise, labels: dict[str, str], rates: list[BurnRate]) -> Iterator[str]:
    selector = ",".join(f'{name}="{value}"' for name, value in labels.items())
    for rate in rates:
        threshold = rate.threshold(promise.budget)
        if threshold is not None:
            long, short = (f"{_series(window)}{{{selector}}} > {threshold}" for window in (rate.long, rate.short))
            yield f"(\n  {long}\n  and\n  {short}\n)"


def _annotations(objective: Objective, promise: Promise) -> dict[str, YamlValue]:
    window = _window(objective.window_ns)
    annotations: dict[str, YamlValue] = {
        "summary": f"{objective.service} uses up its error budget too fast ({promise.word} over {window})",
        "description": (
            f"{{{{ $value | humanizePercentage }}}} of the requests {promise.failing}. Promised is that over {window} "
            f"{promise.promised}; {print_percent(promise.budget)} may."
        ),
    }
    if promise.origin is not None:
        annotations["statement"] = _place(promise.origin)
    return annotations


def _window(window_ns: int) -> str:
    minutes, rest = divmod(window_ns, _MINUTE_NS)
    return print_duration(window_ns) if rest else range_text(minutes)


def _place(origin: Span) -> str:
    """Return `file:line`; of a file that is not below the folder in which meshc runs, the name alone."""
    path = PurePosixPath(origin.source.path.replace("\\", "/"))
    inside = not path.is_absolute() and ".." not in path.parts
    return f"{path if inside else path.name}:{origin.first.line}"
