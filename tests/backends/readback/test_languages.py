"""Languages of the readers: one form for each set of texts, and the reference's own meaning of paths and headers."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshc_backends.readback.expression import ExpressionError, matched_by
from meshc_backends.readback.language import EVERYTHING, classes, difference, intersection, union
from meshc_backends.readback.paths import Escapes, expression_paths, meant, path_language, same_paths
from meshc_backends.readback.spelling import canonical_paths
from meshc_backends.readback.text_match import (
    Comparison,
    TextMatcher,
    lines_matched,
    lines_with_member,
    members_meant,
)
from meshc_compiler.evaluate import members
from meshc_compiler.ir.match import PathRegex, PathTemplate, Segment, SegmentKind
from meshc_compiler.path import canonical_path, path_matches

EXPRESSIONS = st.sampled_from(
    ("/a", "/a/?", "/a(/.*)?", "/[a-c]+", "/[^/]+/x", "/v1/[0-9]{1,3}", "/(a|b)*", "/a.b", "/a\\.b", "/.*", "/x|/y")
)
PATHS = st.text(alphabet="/abx.019v%C3", max_size=10).map("/".__add__)
SEGMENTS = st.one_of(
    st.sampled_from(("a", "v1", "a.b", "%C3%A9", "x{y", "a-b")).map(lambda text: Segment(SegmentKind.LITERAL, text)),
    st.sampled_from((SegmentKind.ANY, SegmentKind.INT, SegmentKind.UUID, SegmentKind.SLUG)).map(Segment),
)
TEMPLATES = st.builds(
    lambda segments, rest: PathTemplate((*segments, *([Segment(SegmentKind.REST)] if rest else []))),
    st.lists(SEGMENTS, max_size=3),
    st.booleans(),
)


@given(EXPRESSIONS, st.text(alphabet="/abxc.019v", max_size=6))
def test_an_expression_matches_what_pythons_own_engine_matches(pattern: str, text: str) -> None:
    assert matched_by(pattern).holds(text) is (re.fullmatch(pattern, text) is not None)


@given(EXPRESSIONS, EXPRESSIONS)
def test_sets_that_are_equal_are_the_same_object(one: str, other: str) -> None:
    left, right = matched_by(one), matched_by(other)
    assert union(left, right) is union(right, left)
    assert difference(left, right) is difference(left, intersection(left, right))
    assert (left is right) == (difference(left, right).is_empty and difference(right, left).is_empty)


@given(EXPRESSIONS, EXPRESSIONS)
def test_each_class_has_a_text_of_its_own(one: str, other: str) -> None:
    both = (matched_by(one), matched_by(other))
    for mask, text in classes(both, EVERYTHING, 1000):
        assert [language.holds(text) for language in both] == [bool(mask & 1), bool(mask & 2)]


@pytest.mark.parametrize("pattern", [r"\bx", "^/a", "/a$", "(?=/a)", "[[:alpha:]]", r"\pL", "(?s)/a", "/a++"])
def test_what_is_not_known_of_expressions_is_not_guessed_at(pattern: str) -> None:
    with pytest.raises(ExpressionError):
        matched_by(pattern)


@given(PATHS)
def test_the_canonical_paths_are_those_that_the_reference_leaves_as_they_are(path: str) -> None:
    assert canonical_paths(Escapes.UPPER).holds(path) is (canonical_path(path) == path)


@given(TEMPLATES, PATHS)
def test_a_template_means_what_the_reference_makes_of_it(template: PathTemplate, path: str) -> None:
    canonical = canonical_path(path)
    if canonical is not None:
        language = path_language(meant(template, Escapes.UPPER))
        assert language.holds(canonical) is path_matches(template, canonical)


@given(TEMPLATES, PATHS)
def test_the_case_of_escapes_does_not_count_where_a_target_leaves_it(template: PathTemplate, path: str) -> None:
    canonical = canonical_path(path)
    if canonical is not None and canonical_paths(Escapes.EITHER).holds(path):
        language = path_language(meant(template, Escapes.EITHER))
        assert language.holds(path) is path_matches(template, canonical)


def test_an_expression_built_of_segments_is_read_segment_by_segment() -> None:
    digits = meant(PathTemplate((Segment(SegmentKind.LITERAL, "v1"), Segment(SegmentKind.INT))), Escapes.UPPER)
    assert expression_paths("/v1/[0-9]+/?") == digits
    assert expression_paths("/v1/\\d+/?") == digits
    assert expression_paths("/v1/[0-9]+") != digits


def test_bytes_are_no_segments() -> None:
    template = PathTemplate((Segment(SegmentKind.LITERAL, "v1"), Segment(SegmentKind.REST)))
    carried = canonical_paths(Escapes.UPPER)
    assert same_paths(expression_paths("/v1(?:/.*)?"), meant(template, Escapes.UPPER), carried)
    assert not same_paths(expression_paths("/v1.*"), meant(template, Escapes.UPPER), carried)
    assert same_paths(frozenset(meant(PathRegex("/v1(/.*)?"), Escapes.UPPER)), meant(template, Escapes.UPPER), carried)


LINES = st.text(alphabet="ab, ", max_size=8).map(str.strip)


@given(st.sets(st.sampled_from(("a", "ab", "", "b a", " a")), min_size=1), LINES)
def test_a_member_is_what_the_reference_takes_for_one(values: set[str], line: str) -> None:
    meant_ = any(value in values for value in members((("x", line),), "x"))
    assert lines_with_member(frozenset(values)).holds(line) is meant_


def shapes(value: str) -> frozenset[TextMatcher]:
    """Return the comparisons of a whole line that find a member."""
    return frozenset(
        {
            TextMatcher(Comparison.EXACT, value),
            *(TextMatcher(Comparison.PREFIX, f"{value},") for _ in "1"),
            *(TextMatcher(Comparison.SUFFIX, f",{lead}{value}") for lead in ("", " ")),
            *(TextMatcher(Comparison.CONTAINS, f",{lead}{value},") for lead in ("", " ")),
        }
    )


@given(st.sets(st.sampled_from(("a", "beta", "", "b a", "aab")), min_size=1))
def test_comparisons_of_lines_are_known_as_ones_of_members(values: set[str]) -> None:
    matchers = frozenset().union(*map(shapes, values))
    assert members_meant(matchers) == frozenset(values)
    assert lines_matched(matchers) is lines_with_member(frozenset(values))


@given(st.sampled_from(("a", "beta", "b a")), st.integers(0, 5))
def test_one_comparison_too_few_is_not_taken_for_it(value: str, gone: int) -> None:
    matchers = sorted(shapes(value), key=str)
    assert members_meant(frozenset(matchers[:gone] + matchers[gone + 1 :])) is None
