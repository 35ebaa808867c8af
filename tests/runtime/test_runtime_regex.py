from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshc_runtime.regex import LinearRegex

ATOMS = st.sampled_from(
    ["a", "b", ".", "[ab]", "[^a]", "\\d", "\\w", "[a-c0-9-]", "/", "\\.", "(?:ab)", "x{2}", "b{1,3}"]
)


def combine(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda options: "(" + "|".join(options) + ")"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "{0,2}", "{2,}"])).map(
            lambda parts: f"(?:{parts[0]}){parts[1]}"
        ),
    )


EXPRESSIONS = st.recursive(ATOMS, combine, max_leaves=8)


@settings(max_examples=300)
@given(EXPRESSIONS, st.lists(st.text(alphabet="abcx09/.-", max_size=8), min_size=1, max_size=5))
def test_agrees_with_the_backtracking_engine(expression: str, texts: list[str]) -> None:
    ours = LinearRegex(expression)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = re.compile(expression, re.ASCII)
    for text in texts:
        assert ours.matches(text) == (theirs.fullmatch(text) is not None), (expression, text)


@pytest.mark.parametrize(
    ("expression", "text", "matches"),
    [
        ("^/a$", "/a", True),
        ("/a|/b", "/b", True),
        ("/a|/b", "/ab", False),
        ("(?i)/API/.*", "/api/x", True),
        ("/(?P<id>[0-9]+)", "/42", True),
        ("[]a]", "]", True),
        ("[a-]", "-", True),
        ("\\x41", "A", True),
        ("/[[:alpha:]]+", "/ab", True),
        ("/[^[:digit:]]", "/7", False),
        ("a$b", "a", False),
        ("", "", True),
        ("a*", "", True),
    ],
)
def test_reads_re2(expression: str, text: str, matches: bool) -> None:
    assert LinearRegex(expression).matches(text) is matches


@pytest.mark.parametrize(
    "expression",
    [
        "(",
        ")",
        "a)",
        "[",
        "[a",
        "*",
        "a**",
        "a++",
        "(?=a)",
        "(?!a)",
        "(?<=a)",
        "(?>a)",
        "\\1",
        "(?P=x)",
        "a{2",
        "a{3,1}",
        "a{9999}",
        "\\pL",
        "\\Q",
        "é",
        "[é]",
        "\\",
        "[b-a]",
        "[[:nothing:]]",
        "((a{100}){100}){100}",
        "(" * 5000,
    ],
)
def test_refuses_what_it_would_read_differently(expression: str) -> None:
    with pytest.raises(ValueError):
        LinearRegex(expression)


def test_hostile_text_takes_linear_time() -> None:
    """A backtracking engine needs 2**60 steps for this."""
    assert not LinearRegex("(a+)+b").matches("a" * 60_000 + "c")
