"""Quantities are exact, and print in one canonical form that reads back."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshc_lang.units import (
    DURATION_UNITS,
    PORT_PROTOCOLS,
    RATE_UNITS,
    SIZE_UNITS,
    meant_unit,
    parse_duration,
    parse_percent,
    parse_port,
    parse_rate,
    parse_size,
    print_duration,
    print_percent,
    print_rate,
    print_size,
)

amounts = st.integers(0, 10**17)


@given(amounts)
def test_durations_read_back(nanoseconds: int) -> None:
    assert parse_duration(print_duration(nanoseconds)) == nanoseconds


@given(amounts)
def test_shares_read_back(millionths: int) -> None:
    assert parse_percent(print_percent(millionths)) == millionths


@given(amounts)
def test_sizes_read_back(size: int) -> None:
    assert parse_size(print_size(size)) == size


@given(amounts, st.sampled_from(sorted(RATE_UNITS.values())))
def test_rates_read_back(amount: int, seconds: int) -> None:
    assert parse_rate(print_rate(amount, seconds)) == (amount, seconds)


@given(st.integers(0, 10**9), st.integers(0, 10**9 - 1), st.integers(1, 9), st.sampled_from(sorted(DURATION_UNITS)))
def test_fractions_are_exact_or_refused(whole: int, fraction: int, digits: int, unit: str) -> None:
    written = f"{whole}.{str(fraction).zfill(9)[:digits]}"
    exact = Decimal(written) * DURATION_UNITS[unit]
    parsed = parse_duration(written + unit)
    assert parsed == (int(exact) if exact == exact.to_integral_value() else None)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500_000_000, "1500ms"),
        (2_000_000_000, "2s"),
        (90_000_000_000, "90s"),
        (60_000_000_000, "1m"),
        (86_400_000_000_000, "24h"),
    ],
)
def test_the_canonical_duration_is_whole_in_its_largest_unit_but_days(nanoseconds: int, text: str) -> None:
    assert print_duration(nanoseconds) == text


@pytest.mark.parametrize(
    ("millionths", "text"), [(0, "0%"), (200_000, "20%"), (999_500, "99.95%"), (1, "0.0001%"), (1_000_000, "100%")]
)
def test_canonical_shares(millionths: int, text: str) -> None:
    assert print_percent(millionths) == text
    assert parse_percent(text) == millionths


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0B"), (1000, "1k"), (1024, "1KiB"), (1025, "1025B"), (65536, "64KiB"), (3 * 10**9, "3G")]
)
def test_canonical_sizes(size: int, text: str) -> None:
    assert print_size(size) == text


@pytest.mark.parametrize(
    "text", ["", "5", "5sec", "s", "-1s", "1 s", "1.s", ".5s", "5S", "٣s", "1.5ns", "9" * 19 + "s"]
)
def test_what_is_no_duration(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize("text", ["20", "%", "0.00001%", "20%%", "1e2%"])
def test_what_is_no_share(text: str) -> None:
    assert parse_percent(text) is None


@pytest.mark.parametrize("text", ["1.5B", "64kib", "1KB", "k"])
def test_what_is_no_size(text: str) -> None:
    assert parse_size(text) is None


def test_sizes_of_a_thousand_and_of_1024_differ() -> None:
    assert parse_size("1k") == 1000
    assert parse_size("1KiB") == 1024
    assert parse_size("1.5KiB") == 1536


def test_ports_and_rates() -> None:
    assert parse_port("8080/http") == (8080, "http")
    assert parse_port("443/tls") == (443, "tls")
    assert parse_port("8080/https") is None
    assert parse_port("8080") is None
    assert parse_rate("500/s") == (500, 1)
    assert parse_rate("30/m") == (30, 60)
    assert parse_rate("500/d") is None
    with pytest.raises(ValueError, match="per second"):
        print_rate(5, 7)


@pytest.mark.parametrize(
    ("unit", "meant"),
    [("sec", "s"), ("Seconds", "s"), ("msec", "ms"), ("mins", "m"), ("KB", "k"), ("Kib", "KiB"), ("pct", "%")],
)  # fmt: skip
def test_what_a_misspelt_unit_means(unit: str, meant: str | None) -> None:
    assert meant_unit(unit, (*DURATION_UNITS, *SIZE_UNITS, "%")) == meant


def test_a_misspelt_protocol_means_the_nearest_but_https_none() -> None:
    assert meant_unit("htp", PORT_PROTOCOLS) == "http"
    assert meant_unit("gprc", PORT_PROTOCOLS) == "grpc"
    assert meant_unit("https", PORT_PROTOCOLS) is None
