"""Strategies of conditions of every kind, and of what requests show, that meet each other often."""

from __future__ import annotations

from urllib.parse import quote_plus

from hypothesis import strategies as st

from meshc_compiler.evaluate import View
from meshc_compiler.ir.caller import AnyCaller, Callers, PlaintextCaller, TheseCallers
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import (
    AllOf,
    AnyOf,
    AttributeKind,
    AttributeMatches,
    AttributeOneOf,
    AttributePresent,
    CallerIn,
    Condition,
    HeaderMatches,
    HeaderOneOf,
    HeaderPresent,
    Not,
    RequestMatch,
)

DOMAIN = "shop.example"
IDENTITIES = tuple(SpiffeId.of_workload(DOMAIN, "default", name) for name in ("api", "job", "web"))
STRANGER = SpiffeId.of_workload(DOMAIN, "default", "somebody-else")
NAMES = ("a", "b c")
VALUES = ("1", "2", "12", "x", "é", "x y")
PATTERNS = ("[0-9]+", "1|2", ".*", "x.*", "[^0-9]*", ".", r"\W+", "1", "(1|x)( y)?", r"\S+", "[^1-9x]")

sets_of_callers: st.SearchStrategy[Callers] = st.one_of(
    st.just(AnyCaller()),
    st.just(PlaintextCaller()),
    st.sets(st.sampled_from(IDENTITIES[1:]), min_size=1).map(lambda ids: TheseCallers(tuple(sorted(ids)))),
)
_some_values = st.sets(st.sampled_from(VALUES), min_size=1, max_size=3).map(lambda values: tuple(sorted(values)))
_kinds = st.sampled_from(AttributeKind)
_attribute_names = st.sampled_from(NAMES)
_header_names = st.sampled_from(("x-one", "x-two"))

questions: st.SearchStrategy[Condition] = st.one_of(
    _header_names.map(HeaderPresent),
    st.builds(HeaderOneOf, _header_names, _some_values),
    st.builds(HeaderMatches, _header_names, st.sampled_from(PATTERNS)),
    st.builds(AttributePresent, _kinds, _attribute_names),
    st.builds(AttributeOneOf, _kinds, _attribute_names, _some_values),
    st.builds(AttributeMatches, _kinds, _attribute_names, st.sampled_from(PATTERNS)),
    sets_of_callers.map(CallerIn),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    questions,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda operands: AllOf(tuple(operands))),
        st.lists(inner, min_size=2, max_size=3).map(lambda operands: AnyOf(tuple(operands))),
    ),
    max_leaves=5,
)
condition_matches = conditions.map(lambda condition: RequestMatch(condition=condition))

_texts = st.sampled_from((*VALUES, "", "7", "xx", "-"))
_pairs = st.lists(st.tuples(_attribute_names, _texts), max_size=3)
callers = st.sampled_from((*IDENTITIES, STRANGER, None))


def _view(
    lines: list[tuple[str, list[str]]],
    parameters: list[tuple[str, str]],
    cookies: list[tuple[str, str]],
    claims: list[tuple[str, str]],
    caller: SpiffeId | None,
) -> View:
    headers = [(name, ", ".join(members)) for name, members in lines]
    if cookies:
        headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in cookies)))
    return View(
        headers=tuple(headers),
        query="&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in parameters),
        claims=tuple(claims),
        caller=caller,
    )


views = st.builds(
    _view,
    st.lists(
        st.tuples(st.sampled_from(("x-one", "X-Two", "x-three")), st.lists(_texts, min_size=1, max_size=3)), max_size=3
    ),
    _pairs,
    _pairs,
    _pairs,
    callers,
)
