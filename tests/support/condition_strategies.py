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
PATTERNS = ("[0-9]+", "1|2", ".*", "x.*", "[^0-9]*", ".", r"\W+", "1", "(1|x)( y)?", r"\S+", "[^1-9x]", r"[^\w -]+")

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


# ---- conditions that can be written in a program in which `jwt`, `web` and `job` are declared

_PEERS: tuple[tuple[str, Callers], ...] = (
    ("any", AnyCaller()),
    ("plaintext", PlaintextCaller()),
    ("web", TheseCallers(IDENTITIES[2:])),
    ("both", TheseCallers(IDENTITIES[1:])),
    (f'"{STRANGER}"', TheseCallers((STRANGER,))),
)


def _one_of(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.sets(st.sampled_from(values), min_size=1, max_size=3).map(lambda chosen: tuple(sorted(chosen)))


_KEYS = {
    AttributeKind.QUERY: (("q", "a b", 'say "é"', "x\ty\\"), ("1", "", "x y", "é\u2028", 'a"b', "\\d\x7f")),
    AttributeKind.COOKIE: (("session", "a.b", "__Host-x"), ("1", "", "a=b", "x(y)")),
    AttributeKind.CLAIM: (("sub", "https://id.example/role", "é"), ("admin", "", "a, b", "\x01\n")),
}
_written_questions: st.SearchStrategy[Condition] = st.one_of(
    st.sampled_from(("x-one", "accept")).map(HeaderPresent),
    st.builds(HeaderOneOf, st.sampled_from(("x-one", "accept")), _one_of(("1", "a b", 'say "x"', "\\w"))),
    st.builds(HeaderMatches, st.just("x-one"), st.sampled_from(PATTERNS)),
    *(
        st.one_of(
            st.builds(AttributePresent, st.just(kind), st.sampled_from(keys)),
            st.builds(AttributeOneOf, st.just(kind), st.sampled_from(keys), _one_of(values)),
            st.builds(AttributeMatches, st.just(kind), st.sampled_from(keys), st.sampled_from((*PATTERNS, r"\"\d\""))),
        )
        for kind, (keys, values) in _KEYS.items()
    ),
    st.sampled_from(_PEERS).map(lambda peer: CallerIn(peer[1], peer[0])),
)
written_conditions: st.SearchStrategy[Condition] = st.recursive(
    _written_questions,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda operands: AllOf(tuple(operands))),
        st.lists(inner, min_size=2, max_size=3).map(lambda operands: AnyOf(tuple(operands))),
    ),
    max_leaves=5,
)
