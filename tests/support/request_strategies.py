"""Strategies of matches, rules and requests that meet each other often: few words, many combinations."""

from __future__ import annotations

from hypothesis import strategies as st

from meshc_compiler.ir.match import (
    AllOf,
    AnyOf,
    Condition,
    HeaderOneOf,
    HeaderPresent,
    Not,
    PathMatch,
    PathRegex,
    PathTemplate,
    RequestMatch,
    Segment,
    SegmentKind,
)

UUID = "6fa459ea-ee8a-3ca4-894e-db77e160355e"
WORDS = ("a", "b", "7", "x", "X", UUID)
METHODS = ("GET", "POST", "DELETE", "PURGE")
HEADERS = ("x-one", "x-two")
VALUES = ("1", "2", "other")
REGEXES = ("/a/[0-9]+", "/(a|b)/.*", "/[^/]+", "/a.*", "(/x)*", "/b/[a-z0-9-]{36}")

segments = st.one_of(
    st.sampled_from(WORDS).map(lambda text: Segment(SegmentKind.LITERAL, text)),
    st.sampled_from((SegmentKind.ANY, SegmentKind.INT, SegmentKind.UUID, SegmentKind.SLUG)).map(Segment),
)
templates = st.builds(
    lambda head, rest: PathTemplate((*head, Segment(SegmentKind.REST)) if rest else tuple(head)),
    st.lists(segments, max_size=3),
    st.booleans(),
)
regexes = st.sampled_from(REGEXES).map(PathRegex)

_atoms: st.SearchStrategy[Condition] = st.one_of(
    st.sampled_from(HEADERS).map(HeaderPresent),
    st.builds(
        lambda name, values: HeaderOneOf(name, tuple(sorted(values))),
        st.sampled_from(HEADERS),
        st.sets(st.sampled_from(VALUES[:2]), min_size=1),
    ),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda operands: AllOf(tuple(operands))),
        st.lists(inner, min_size=2, max_size=3).map(lambda operands: AnyOf(tuple(operands))),
    ),
    max_leaves=5,
)


def matches_of(paths: st.SearchStrategy[PathMatch]) -> st.SearchStrategy[RequestMatch]:
    return st.builds(
        lambda methods, path, condition: RequestMatch(methods=tuple(sorted(methods)), path=path, condition=condition),
        st.sets(st.sampled_from(METHODS[:3]), max_size=2),
        st.none() | paths,
        st.none() | conditions,
    )


template_matches = matches_of(templates)
any_matches = matches_of(st.one_of(templates, regexes))

canonical_paths = st.lists(st.sampled_from(WORDS), max_size=4).map(lambda words: "/" + "/".join(words))
headers = st.lists(
    st.tuples(
        st.sampled_from(("x-one", "X-Two", "x-two", "x-three")),
        st.lists(st.sampled_from((*VALUES, "")), min_size=1, max_size=3).map(", ".join),
    ),
    max_size=3,
).map(tuple)
requests = st.tuples(st.sampled_from(METHODS), canonical_paths, headers)
