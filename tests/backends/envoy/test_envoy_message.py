"""Configuration as text: the same value whatever the layout, and durations to the nanosecond."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshc_backends.envoy.message import duration, encode, percent_of_millionths, typed

unhurried = settings(deadline=None)

values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 2**32), st.text(max_size=30), st.floats(0, 100)),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=8), inner, max_size=5)),
    max_leaves=30,
)


@unhurried
@given(st.dictionaries(st.text(max_size=8), values, max_size=5))
def test_the_text_is_the_value(message: dict[str, Any]) -> None:
    text = encode(message)
    assert text.isascii()
    assert list(json.loads(text).items()) == list(message.items())


def test_what_fits_stands_on_one_line() -> None:
    assert encode({"a": {"b": [1, True]}, "c": []}) == b'{"a": {"b": [1, true]}, "c": []}\n'
    assert encode({"a": ["x" * 60, "y" * 60]}).decode() == (
        '{\n "a": [\n  "' + "x" * 60 + '",\n  "' + "y" * 60 + '"\n ]\n}\n'
    )


def test_numbers_that_json_does_not_have_are_a_bug() -> None:
    with pytest.raises(ValueError):
        encode({"a": float("nan")})


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "0.000000001s"),
        (25_000_000, "0.025s"),
        (1_000_000_000, "1s"),
        (3_500_000_000, "3.5s"),
        (600_000_000_000, "600s"),
    ],
)
def test_durations(nanoseconds: int, text: str) -> None:
    assert duration(nanoseconds) == text


def test_percents_and_types() -> None:
    assert percent_of_millionths(200_000) == 20
    assert percent_of_millionths(125_000) == 12.5
    assert typed("a.B", c=1) == {"@type": "type.googleapis.com/a.B", "c": 1}
