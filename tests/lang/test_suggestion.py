"""Suggestions are near, few, and absent where none is good."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshc_lang.suggestion import distance, suggest

words = st.text("abc", max_size=7)


def slow_distance(left: str, right: str) -> int:
    """The definition, word for word."""
    if not left or not right:
        return len(left) + len(right)
    best = min(
        slow_distance(left[1:], right) + 1,
        slow_distance(left, right[1:]) + 1,
        slow_distance(left[1:], right[1:]) + (left[0] != right[0]),
    )
    if len(left) > 1 and len(right) > 1 and left[0] == right[1] and left[1] == right[0]:
        best = min(best, slow_distance(left[2:], right[2:]) + 1)
    return best


@given(st.text("abc", max_size=5), st.text("abc", max_size=5))
def test_the_distance_is_the_one_defined(left: str, right: str) -> None:
    assert distance(left, right) == slow_distance(left, right)


@given(words, words, st.integers(0, 4))
def test_a_bound_changes_nothing_below_it(left: str, right: str, bound: int) -> None:
    exact = distance(left, right)
    bounded = distance(left, right, bound)
    assert bounded == exact if exact <= bound else bounded > bound


@given(words, st.lists(words))
def test_suggestions_are_near_candidates_other_than_the_word(word: str, candidates: list[str]) -> None:
    found = suggest(word, candidates)
    assert len(found) <= 3
    for name in found:
        assert name in candidates
        assert name != word
        assert distance(word, name) <= max(1, len(word) // 3)
    assert found == suggest(word, list(reversed(candidates)))


@pytest.mark.parametrize(
    ("word", "candidates", "expected"),
    [
        ("paymets", ["payments", "ledger"], ("payments",)),
        ("pyaments", ["payments", "ledger"], ("payments",)),
        ("Payments", ["payments"], ("payments",)),
        ("web", ["api", "ledger"], ()),
        ("v3", ["v1", "v2"], ()),
        ("ap", ["api", "app", "web"], ("api", "app")),
        ("timeot", ["timeout", "time"], ("timeout",)),
        ("orders", ["order", "orderz", "border"], ("order", "orderz")),
        ("a", ["b", "ab"], ()),
        ("", ["a"], ()),
    ],
)
def test_what_is_offered(word: str, candidates: list[str], expected: tuple[str, ...]) -> None:
    assert suggest(word, candidates) == expected
