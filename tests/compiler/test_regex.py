"""Regular expressions: what is taken means the same to every engine; what is not taken is refused with a reason."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshc_compiler.path import canonical_path, path_segments
from meshc_compiler.regex import LONGEST, RegexProblem, cover, full_match, parse_regex, samples

TAKEN = [
    "/a/[0-9]+",
    "/(?:a|b)/.*",
    r"/v\d+/\w+",
    "/(?P<name>[a-z]{2,5}?)x",
    "/[^/]+/[a-]",
    r"/a\.b\{c\}",
    "/()",
    "/a|/b",
]
REFUSED = {
    "/a(?=b)": "look-around",
    "/a(?<!b)": "look-around",
    r"/(a)\1": "back-references",
    "/(?P<x>a)(?P=x)": "back-references",
    "/(?>a)": "atomic",
    "/a*+": "repetition of a repetition",
    "/a{2}{3}": "repetition of a repetition",
    "(?i)/a": "inline flags",
    "(?i:/a)": "inline flags",
    "^/a": "not needed",
    "/a$": "not needed",
    r"/a\b": "not taken",
    r"/a\Z": "not taken",
    r"/a\x41": "not mean the same",
    "/[[:alpha:]]": "engines read",
    "/[a&&b]": "set operation",
    "/[a--b]": "range",
    "/[]a]": "engines read",
    "/a{": "begins no repetition",
    "/a{,3}": "begins no repetition",
    "/a{1001}": "at most 1000",
    "/a{3,2}": "smaller to a greater",
    "/(a": "without its `)`",
    "/a)": "without its `(`",
    "/[a": "without its `]`",
    "/[z-a]": "range",
    "/é": "non-ASCII",
    "/a b": "space",
    "/(a{500}){500}": "add up",
    "*": "repeats nothing",
    "/a\\": "too early",
    "(" * 60: "nest",
    "/" + "a" * LONGEST: "at most",
}


@pytest.mark.parametrize("pattern", TAKEN)
def test_what_is_taken_compiles_and_its_samples_match(pattern: str) -> None:
    tree = parse_regex(pattern)
    assert not isinstance(tree, RegexProblem)
    compiled = re.compile(pattern, re.ASCII)
    texts = samples(tree, 12)
    assert texts
    assert all(compiled.fullmatch(text) for text in texts)


@pytest.mark.parametrize(("pattern", "reason"), REFUSED.items())
def test_what_is_refused_has_its_reason(pattern: str, reason: str) -> None:
    problem = parse_regex(pattern)
    assert isinstance(problem, RegexProblem)
    assert reason in problem.message
    assert 0 <= problem.offset <= len(pattern)


@given(st.text(alphabet=r"/ab09.*+?|()[]{}^-\d,:&P<>=!", max_size=14))
def test_no_pattern_raises_and_all_that_is_taken_compiles(pattern: str) -> None:
    tree = parse_regex(pattern)
    if isinstance(tree, RegexProblem):
        return
    compiled = re.compile(pattern, re.ASCII)
    beginnings = cover(tree)
    for text in samples(tree, 8):
        assert compiled.fullmatch(text)
        if canonical_path(text) == text:
            segments = path_segments(text)
            assert any(segments[: len(beginning)] == beginning for beginning in beginnings)


@given(
    st.text(alphabet=r"/ab0.*+?|()[]{}^-\\d2", max_size=10),
    st.lists(st.text(alphabet="/ab02-", max_size=6), max_size=6),
)
def test_the_own_matcher_says_what_python_says(pattern: str, texts: list[str]) -> None:
    tree = parse_regex(pattern)
    if isinstance(tree, RegexProblem):
        return
    for text in (*texts, *samples(tree, 4)):
        assert full_match(pattern, text) is (re.fullmatch(pattern, text, re.ASCII) is not None)


def test_no_pattern_takes_for_ever() -> None:
    text = "/" + "a" * 2000
    assert not full_match("/(a+)+b", text)
    assert not full_match("/(a|a)*(a*)*b", text)
    assert full_match("/(a?){400}a{400,}", text)
