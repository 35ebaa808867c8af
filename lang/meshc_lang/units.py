"""Quantities: durations, shares, sizes, rates and ports, from text to exact whole numbers and back.

Nothing here touches binary floats: `0.1%` is exactly 1,000 millionths. The canonical form of a quantity is its largest
unit in which it is a whole number, but never days: `1500ms`, `90s`, `1m`, `24h`, `64KiB`. It is what the compiler
prints for values it has computed; the formatter leaves what people wrote as they wrote it.
"""

from __future__ import annotations

from typing import Final

from meshc_lang.pattern import pattern
from meshc_lang.suggestion import suggest

__all__ = [
    "DURATION_UNITS",
    "PORT_PROTOCOLS",
    "RATE_UNITS",
    "SIZE_UNITS",
    "meant_unit",
    "parse_duration",
    "parse_percent",
    "parse_port",
    "parse_rate",
    "parse_size",
    "print_duration",
    "print_percent",
    "print_rate",
    "print_size",
]

DURATION_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
"""The nanoseconds in each unit of time, smallest first."""

SIZE_UNITS: Final = {"B": 1, "k": 10**3, "M": 10**6, "G": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
"""The bytes in each unit of size."""

RATE_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
"""The seconds in each unit that a rate is given in."""

PORT_PROTOCOLS: Final = ("http", "http2", "grpc", "tcp", "tls")
"""What a port may speak."""

_FULL_SHARE: Final = 1_000_000
_PERCENT: Final = _FULL_SHARE // 100

_QUANTITY = pattern(r"([0-9]{1,18})(?:\.([0-9]{1,9}))?([A-Za-z]+|%)\Z")
_RATE = pattern(r"([0-9]{1,18})/([A-Za-z]+)\Z")
_PORT = pattern(r"([0-9]{1,18})/([A-Za-z0-9]+)\Z")

_ALIASES: Final = {
    "sec": "s",
    "secs": "s",
    "second": "s",
    "seconds": "s",
    "msec": "ms",
    "msecs": "ms",
    "milli": "ms",
    "millis": "ms",
    "millisecond": "ms",
    "milliseconds": "ms",
    "usec": "us",
    "micros": "us",
    "microsecond": "us",
    "microseconds": "us",
    "nsec": "ns",
    "nanos": "ns",
    "nanosecond": "ns",
    "nanoseconds": "ns",
    "min": "m",
    "mins": "m",
    "minute": "m",
    "minutes": "m",
    "hr": "h",
    "hrs": "h",
    "hour": "h",
    "hours": "h",
    "day": "d",
    "days": "d",
    "b": "B",
    "byte": "B",
    "bytes": "B",
    "kb": "k",
    "mb": "M",
    "gb": "G",
    "ki": "KiB",
    "mi": "MiB",
    "gi": "GiB",
    "pct": "%",
    "percent": "%",
}
"""Spellings of units that other tools take, in lower case."""


def parse_duration(text: str) -> int | None:
    """Return the nanoseconds of `250ms` or `1.5s`; None if the text is no duration or not whole nanoseconds."""
    return _scaled(text, DURATION_UNITS)


def print_duration(nanoseconds: int) -> str:
    """Return the canonical text of a duration; the days of a longer one are hours, which are always as long."""
    return _largest_whole(nanoseconds, {unit: size for unit, size in DURATION_UNITS.items() if unit != "d"}, "s")


def parse_percent(text: str) -> int | None:
    """Return the millionths of `20%` or `0.5%`; None if the text is no share or is finer than a millionth."""
    return _scaled(text, {"%": _PERCENT})


def print_percent(millionths: int) -> str:
    """Return the canonical text of a share: `20%`, `99.95%`."""
    whole, rest = divmod(millionths, _PERCENT)
    return f"{whole}.{rest:04}".rstrip("0").rstrip(".") + "%"


def parse_size(text: str) -> int | None:
    """Return the bytes of `64KiB` (1,024 each) or `64k` (1,000 each); None if the text is no whole size."""
    return _scaled(text, SIZE_UNITS)


def print_size(size: int) -> str:
    """Return the canonical text of a number of bytes: the largest whole unit, of two equal ones the binary."""
    return _largest_whole(size, SIZE_UNITS, "B")


def parse_rate(text: str) -> tuple[int, int] | None:
    """Return the amount and the seconds of `500/s`, `30/m` or `10/h`; None if the text is no rate."""
    found = _RATE.match(text)
    if found is None or found[2] not in RATE_UNITS:
        return None
    return int(found[1]), RATE_UNITS[found[2]]


def print_rate(amount: int, seconds: int) -> str:
    """Return the canonical text of a rate; `seconds` is 1, 60 or 3600."""
    for unit, length in RATE_UNITS.items():
        if length == seconds:
            return f"{amount}/{unit}"
    raise ValueError(f"a rate is per second, minute or hour, not per {seconds} seconds")


def parse_port(text: str) -> tuple[int, str] | None:
    """Return the number and protocol of `8080/http`; None if the text is neither. The number's bounds are unchecked."""
    found = _PORT.match(text)
    if found is None or found[2] not in PORT_PROTOCOLS:
        return None
    return int(found[1]), found[2]


def meant_unit(unit: str, units: tuple[str, ...]) -> str | None:
    """Return the one of `units` that a misspelt unit stands for: `sec` is `s`, `HTTP` is `http`; None if unclear."""
    alias = _ALIASES.get(unit.lower())
    if alias in units:
        return alias
    near = suggest(unit, units)
    return near[0] if len(near) == 1 else None


def _scaled(text: str, units: dict[str, int]) -> int | None:
    found = _QUANTITY.match(text)
    if found is None or found[3] not in units:
        return None
    fraction = found[2] or ""
    scaled, rest = divmod(int(found[1] + fraction) * units[found[3]], 10 ** len(fraction))
    return None if rest else scaled


def _largest_whole(amount: int, units: dict[str, int], zero: str) -> str:
    if amount == 0:
        return f"0{zero}"
    unit = max((unit for unit, size in units.items() if amount % size == 0), key=lambda unit: units[unit])
    return f"{amount // units[unit]}{unit}"
