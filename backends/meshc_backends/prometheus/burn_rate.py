"""How fast an error budget may burn before somebody is told (Google SRE workbook, chapter 5, alerts 6)."""

from __future__ import annotations

from enum import StrEnum

from meshc_lang.record import dataclass

_MINUTE_NS = 60_000_000_000
_REFERENCE_MINUTES = 30 * 24 * 60
"""The workbook's windows are for objectives over thirty days; others are scaled to the objective's own."""

_LEAST_MINUTES = 2
"""A rate needs a few samples, which come every fifteen or thirty seconds."""

_WHOLE = 1_000_000


class Urgency(StrEnum):
    """What becomes of an alert; the value is its label `severity`."""

    PAGE = "page"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRate:
    """A budget that burns `tenths`/10 times as fast as it may, over both windows (in minutes)."""

    urgency: Urgency
    tenths: int
    long: int
    short: int

    def threshold(self, budget: int) -> str | None:
        """Return the share of failing requests above which it is told, of a budget in millionths; None: there is none.

        No more than all requests can fail, so a large budget never burns at a high rate.
        """
        share = self.tenths * budget
        if share >= 10 * _WHOLE:
            return None
        return f"0.{share:07d}".rstrip("0")


_RATES = (
    BurnRate(urgency=Urgency.PAGE, tenths=144, long=60, short=5),
    BurnRate(urgency=Urgency.PAGE, tenths=60, long=6 * 60, short=30),
    BurnRate(urgency=Urgency.TICKET, tenths=30, long=24 * 60, short=2 * 60),
    BurnRate(urgency=Urgency.TICKET, tenths=10, long=3 * 24 * 60, short=6 * 60),
)


def burn_rates(window_ns: int) -> tuple[BurnRate, ...]:
    """Return the rates at which somebody is told, for an objective over a window: the most urgent first.

    Of those that a short window makes alike, the least rate stands: it is told whenever the others would be.
    """
    scaled: dict[tuple[Urgency, int, int], BurnRate] = {}
    for rate in _RATES:
        long, short = _scaled(rate.long, window_ns), _scaled(rate.short, window_ns)
        scaled[rate.urgency, long, short] = BurnRate(urgency=rate.urgency, tenths=rate.tenths, long=long, short=short)
    return tuple(scaled.values())


def _scaled(minutes: int, window_ns: int) -> int:
    whole = -(-minutes * window_ns // (_REFERENCE_MINUTES * _MINUTE_NS))
    return max(_LEAST_MINUTES, whole)


def range_text(minutes: int) -> str:
    """Return a length of time as PromQL writes it: `5m`, `1h`, `2d19h12m`."""
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return "".join(f"{amount}{unit}" for amount, unit in ((day, "d"), (hour, "h"), (minute, "m")) if amount)
