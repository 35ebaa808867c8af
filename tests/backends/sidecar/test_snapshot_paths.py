"""Paths mean in a snapshot what they mean to the compiler; what the proxy would refuse at its start is found before."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meshc_backends.placement import KubernetesPlacement
from meshc_backends.sidecar import emit_workload
from meshc_compiler.ir.match import PathRegex
from meshc_compiler.ir.mesh import Mesh, MeshIndex
from meshc_compiler.ir.slice import slice_of
from meshc_compiler.regex import LONGEST, RegexProblem, full_match, parse_regex, samples
from meshc_runtime.regex import LinearRegex
from support.ir_mesh import DOMAIN, allow, match, service, workload

ATOMS = st.sampled_from("ab/0.-]},:=&~") | st.sampled_from(
    [
        r"\d",
        r"\D",
        r"\w",
        r"\W",
        r"\s",
        r"\S",
        r"\.",
        r"\[",
        r"\-",
        "[ab]",
        "[^a/]",
        "[a-c0-9-]",
        r"[^\d]",
        r"[\w-]",
        r"[^\s]",
        r"[\S]",
        "[+-9]",
    ]
)
MARKS = st.sampled_from(["*", "+", "?", "*?", "+?", "??", "{0}", "{2}", "{1,}", "{0,2}", "{1,3}?"])


def combine(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda options: f"({'|'.join(options)})"),
        st.tuples(st.sampled_from(["(", "(?:", "(?P<n>"]), inner, MARKS).map(
            lambda parts: f"{parts[0]}{parts[1]}){parts[2]}"
        ),
        st.tuples(ATOMS, MARKS).map("".join),
    )


BUILT = st.recursive(ATOMS, combine, max_leaves=8)
SCRIBBLED = st.text(alphabet=r"/ab09.*+?|()[]{}^-\dDwsS,:&P<>=!x~", max_size=14)
TEXTS = st.lists(st.text(alphabet="/ab029.-[]_~x", max_size=8), max_size=6)


@lru_cache(maxsize=64)
def proxys(pattern: str) -> LinearRegex:
    return LinearRegex(pattern)


@settings(max_examples=400)
@given(BUILT | SCRIBBLED, TEXTS)
@example("/a{01}", ["/a"])
@example("(?P<n>a)(?P<n>b)", ["ab"])
@example("[a-]", ["-"])
@example("[--/]", ["."])
@example("(((((a{10}){10}){10}){1})?)*", ["a" * 1000, "a" * 999])
@example("(|a|)b", ["b", "ab"])
def test_what_the_compiler_takes_the_proxy_takes_and_matches_alike(pattern: str, texts: list[str]) -> None:
    tree = parse_regex(pattern)
    if isinstance(tree, RegexProblem):
        return
    for text in (*texts, *samples(tree, 4)):
        assert proxys(pattern).matches(text) is full_match(pattern, text), (pattern, text)


@pytest.mark.parametrize(
    "pattern",
    [
        "." * LONGEST,
        "(?:" * 50 + "a" + ")" * 50,
        "(?:" * 50 + "a" + "+)" * 50,
        f".{{{LONGEST}}}",
        f".{{1,{LONGEST}}}",
        f"(?:a?){{{LONGEST}}}",
        f"(?:a?){{0,{LONGEST}}}",
        "|".join(["a"] * (LONGEST // 2)),
        "|" * LONGEST,
        f"(?:a{{0,{LONGEST}}})*",
        "(?:|)" * (LONGEST // 5),
        f"(?:(?:a|b)?){{0,{LONGEST // 2}}}",
    ],
)
def test_the_largest_expressions_that_the_compiler_takes_fit_into_the_proxy(pattern: str) -> None:
    assert not isinstance(parse_regex(pattern), RegexProblem)
    assert LinearRegex(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        f"(?:()?){{{LONGEST}}}" * 60,
        f"(?:(?:()?){{{LONGEST}}}){{{LONGEST}}}",
        "(?:" * 41 + "a" + ")?" * 40 + f"){{{LONGEST}}}",
    ],
)
def test_what_would_be_too_large_for_the_proxy_is_refused_by_the_compiler(pattern: str) -> None:
    problem = parse_regex(pattern)
    assert isinstance(problem, RegexProblem)
    assert "add up" in problem.message
    with pytest.raises(ValueError, match="too large"):
        LinearRegex(pattern)


@pytest.mark.parametrize("pattern", ["/a(?=b)", "/(a", r"/\1", "((a{100}){100}){100}"])
def test_an_expression_that_the_proxy_would_refuse_stops_the_build(pattern: str) -> None:
    rule = allow("web", "api", replace(match("/a"), path=PathRegex(pattern)))
    mesh = Mesh(
        name="shop",
        trust_domain=DOMAIN,
        workloads=(workload("api"), workload("web")),
        services=(service("api"), service("web")),
        rules=(rule,),
    )
    emission = emit_workload(slice_of(MeshIndex(mesh), mesh.workloads[0]), KubernetesPlacement())
    assert emission.artifacts == ()
    (problem,) = emission.diagnostics
    assert problem.code.id == "MSH821"
    assert "regular expression" in problem.message
