"""Conditions of every kind: the algebra, the evaluator and a naive reading agree, and each witness shows its set."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshc_compiler.evaluate import View, attribute_values, cookie_pairs, holds, query_pairs
from meshc_compiler.ir.caller import AnyCaller, Callers, PlaintextCaller, TheseCallers, includes
from meshc_compiler.ir.condition import is_about_callers, split_by_caller
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
    PathRegex,
    PathTemplate,
    RequestMatch,
)
from meshc_compiler.loader import MemoryReader
from meshc_compiler.lower.sentence import condition_text
from meshc_compiler.lower.template import parse_template
from meshc_compiler.path import canonical_path, path_matches
from meshc_compiler.pipeline import compile_program
from meshc_compiler.space.caller_classes import CallerClasses, identities_asked
from meshc_compiler.space.request_space import Nothing, RequestSpace, Undecided, Witness, build_space
from meshc_lang.parser import parse_request
from meshc_lang.request import Request
from support.condition_strategies import (
    IDENTITIES,
    STRANGER,
    callers,
    condition_matches,
    conditions,
    sets_of_callers,
    views,
    written_conditions,
)
from support.request_strategies import REGEXES, templates


def naive(condition: Condition, view: View) -> bool:
    """The meaning of conditions, written without looking: with Python's expressions and another reader of queries."""
    lists: dict[str, list[str]] = {}
    for name, line in view.headers:
        lists.setdefault(name.lower(), []).extend(re.split(", ?", line.strip()))
    cookies = [
        piece.strip().split("=", 1)
        for name, line in view.headers
        if name.lower() == "cookie"
        for piece in line.split(";")
        if "=" in piece
    ]
    pairs = {
        AttributeKind.QUERY: parse_qsl(view.query, keep_blank_values=True),
        AttributeKind.COOKIE: [(name, value) for name, value in cookies],
        AttributeKind.CLAIM: list(view.claims),
    }

    def borne(kind: AttributeKind, name: str) -> list[str]:
        return [value for key, value in pairs[kind] if key == name]

    def matched(pattern: str, values: Iterable[str]) -> bool:
        return any(re.fullmatch(pattern, value, re.ASCII) for value in values)

    match condition:
        case HeaderPresent(name):
            return name in lists
        case HeaderOneOf(name, values):
            return bool({*values} & {*lists.get(name, [])})
        case HeaderMatches(name, pattern):
            return matched(pattern, lists.get(name, []))
        case AttributePresent(kind, name):
            return borne(kind, name) != []
        case AttributeOneOf(kind, name, values):
            return bool({*values} & {*borne(kind, name)})
        case AttributeMatches(kind, name, pattern):
            return matched(pattern, borne(kind, name))
        case CallerIn(TheseCallers(ids)):
            return view.caller in ids
        case CallerIn(those):
            return (view.caller is None) is isinstance(those, PlaintextCaller)
        case AllOf(operands):
            return min(naive(operand, view) for operand in operands)
        case AnyOf(operands):
            return max(naive(operand, view) for operand in operands)
        case Not(operand):
            return naive(operand, view) is False
    raise AssertionError(condition)


def space_of(matches: Iterable[RequestMatch]) -> tuple[RequestSpace, CallerClasses]:
    matches = tuple(matches)
    classes = CallerClasses(identities_asked(matches), plaintext=True)
    space = build_space(matches, classes)
    assert space is not None
    return space, classes


def shown(witness: Witness, classes: CallerClasses) -> View:
    number = witness.caller
    caller: SpiffeId | None = classes.named[number] if number < len(classes.named) else STRANGER
    if 1 << number == classes.plaintext:
        caller = None
    return View(headers=witness.headers, query=witness.query, claims=witness.claims, caller=caller)


@settings(max_examples=400)
@given(conditions, views)
def test_the_evaluator_agrees_with_a_naive_reading(condition: Condition, view: View) -> None:
    assert holds(condition, view) is naive(condition, view)


@settings(max_examples=250)
@given(condition_matches, st.lists(condition_matches, max_size=3), st.lists(views, max_size=25))
def test_a_difference_is_what_only_the_first_says(
    first: RequestMatch, others: list[RequestMatch], asked: list[View]
) -> None:
    space, classes = space_of((first, *others))
    own = space.boxes(first, classes.everybody)
    taken = space.union(space.boxes(other, classes.everybody) for other in others)
    assert own is not None

    def inside(view: View) -> bool:
        assert first.condition is not None
        return holds(first.condition, view) and not any(
            other.condition is not None and holds(other.condition, view) for other in others
        )

    match space.example(space.difference(own, taken)):
        case Witness() as witness:
            assert inside(shown(witness, classes)), witness
        case Nothing():
            assert not [view for view in asked if inside(view)]
        case Undecided():
            raise AssertionError("small expressions are always decided")


@settings(max_examples=250)
@given(condition_matches, condition_matches, st.lists(views, max_size=25))
def test_an_intersection_is_what_both_say(a: RequestMatch, b: RequestMatch, asked: list[View]) -> None:
    space, classes = space_of((a, b))
    left, right = space.boxes(a, classes.everybody), space.boxes(b, classes.everybody)
    assert left is not None
    assert right is not None
    assert a.condition is not None
    assert b.condition is not None
    match space.example(space.intersection(left, right)):
        case Witness() as witness:
            assert holds(a.condition, shown(witness, classes))
            assert holds(b.condition, shown(witness, classes))
        case Nothing():
            assert not [view for view in asked if holds(a.condition, view) and holds(b.condition, view)]
        case Undecided():
            raise AssertionError("small expressions are always decided")


PROGRAM = """
mesh shop { trust-domain: "shop.example" }
jwt corp { issuer: "https://id.example", audiences: any, jwks: "keys.json" }
service web {}
service job {}
service api { port: 80/http }
group both = web | job
allow any -> api : GET /x if """


@settings(max_examples=200)
@given(written_conditions)
def test_a_condition_is_read_back_as_it_is_written(condition: Condition) -> None:
    text = PROGRAM + condition_text(condition) + "\n"
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": text}))
    assert result.mesh is not None, [one.message for one in result.diagnostics]
    [rule] = result.mesh.rules
    assert rule.match.condition == condition
    assert rule.id.endswith(condition_text(condition))


@settings(max_examples=200)
@given(condition_matches)
def test_a_witness_is_read_back_as_it_is_written(match: RequestMatch) -> None:
    space, classes = space_of((match,))
    witness = space.example(space.boxes(match, classes.everybody))
    if isinstance(witness, Witness):
        request = Request(
            caller="web",
            callee="api",
            query=witness.query,
            headers=witness.headers,
            claims=witness.claims,
        )
        again, problems = parse_request(request.text)
        assert problems == ()
        assert again == request


@settings(max_examples=300)
@given(sets_of_callers, conditions, st.lists(views, max_size=10))
def test_a_grant_split_by_its_callers_says_the_same(who: Callers, condition: Condition, asked: list[View]) -> None:
    parts = split_by_caller(who, condition)
    assert not [rest for _, rest in parts if is_about_callers(rest)]
    for view in asked:
        met = [rest for part, rest in parts if includes(part, view.caller)]
        assert len(met) <= 1
        whole = includes(who, view.caller) and holds(condition, view)
        assert any(rest is None or holds(rest, view) for rest in met) is whole


@settings(max_examples=100)
@given(sets_of_callers, callers)
def test_classes_of_callers_are_sets_of_them(who: Callers, caller: SpiffeId | None) -> None:
    classes = CallerClasses(IDENTITIES, plaintext=True)
    if caller is None:
        own = classes.plaintext
    elif caller == STRANGER:
        own = classes.others
    else:
        own = classes.mask(TheseCallers((caller,)))
    assert bool(classes.mask(who) & own) is includes(who, caller)
    assert own.bit_count() == 1


@settings(max_examples=150)
@given(
    st.lists(st.sampled_from(REGEXES).map(PathRegex), min_size=1, max_size=2),
    st.lists(st.one_of(templates, st.sampled_from(REGEXES).map(PathRegex)), max_size=3),
    st.lists(st.sampled_from(("/a/7", "/b/x", "/x/x", "/", "/a", "/a/b/c", "/b/", "/7", "/%3A", "/a/%2E")), max_size=8),
)
def test_expressions_of_paths_are_decided(
    wanted: list[PathRegex], others: list[PathTemplate | PathRegex], asked: list[str]
) -> None:
    matches = [RequestMatch(path=path) for path in (*wanted, *others)]
    space, _ = space_of(matches)
    boxes = space.boxes(matches[0])
    for match in matches[1 : len(wanted)]:
        boxes = space.intersection(boxes, space.boxes(match))
    taken = space.union(space.boxes(match) for match in matches[len(wanted) :])

    def inside(path: str) -> bool:
        return all(path_matches(one, path) for one in wanted) and not any(path_matches(one, path) for one in others)

    match space.example(space.difference(boxes, taken)):
        case Witness(path=path):
            assert canonical_path(path) == path
            assert inside(path)
        case Nothing():
            assert not [path for path in asked if canonical_path(path) == path and inside(path)]
        case Undecided():
            raise AssertionError("small expressions are always decided")


def is_within(inner: Condition, outer: Condition) -> bool:
    a, b = RequestMatch(condition=inner), RequestMatch(condition=outer)
    space, classes = space_of((a, b))
    rest = space.difference(space.boxes(a, classes.everybody) or (), space.boxes(b, classes.everybody) or ())
    return isinstance(space.example(rest), Nothing)


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        (HeaderMatches("x", "a+"), HeaderMatches("x", "[ab]+"), True),
        (HeaderMatches("x", "[ab]+"), HeaderMatches("x", "a+"), False),
        (HeaderOneOf("x", ("aa", "b")), HeaderMatches("x", "[ab]+"), True),
        (HeaderMatches("x", "a|b"), HeaderOneOf("x", ("a", "b")), True),
        (HeaderMatches("x", "a|b|c"), HeaderOneOf("x", ("a", "b")), False),
        (HeaderPresent("x"), HeaderMatches("x", ".*"), True),
        # A parameter may hold a line break, which `.` does not take.
        (AttributePresent(AttributeKind.QUERY, "x"), AttributeMatches(AttributeKind.QUERY, "x", ".*"), False),
        (AttributeMatches(AttributeKind.COOKIE, "s", ".+"), AttributePresent(AttributeKind.COOKIE, "s"), True),
        (CallerIn(TheseCallers(IDENTITIES[:1])), CallerIn(AnyCaller()), True),
        (CallerIn(AnyCaller()), CallerIn(TheseCallers(IDENTITIES)), False),
        (CallerIn(PlaintextCaller()), Not(CallerIn(AnyCaller())), True),
        # One header has several members: what one of them is says nothing of the others.
        (AllOf((HeaderMatches("x", "a"), HeaderMatches("x", "b"))), HeaderMatches("x", "c"), False),
        (HeaderOneOf("x", ("1",)), Not(HeaderOneOf("x", ("2",))), False),
    ],
)
def test_what_is_contained_in_what(inner: Condition, outer: Condition, expected: bool) -> None:
    assert is_within(inner, outer) is expected


def test_queries_are_read_as_forms_are() -> None:
    assert query_pairs("a=1&a=&b&&c+d=%20x%2B&%C3%A9=%c3%a9&e=%ff&=y") == (
        ("a", "1"),
        ("a", ""),
        ("b", ""),
        ("c d", " x+"),
        ("é", "é"),
        ("e", "\ufffd"),
        ("", "y"),
    )


def test_cookies_are_pairs_of_all_lines() -> None:
    headers = (("Cookie", 'a=1; b="x y";c=;d'), ("x", "e=5"), ("cookie", "a=2;  f = 3 ;g=h=i"))
    assert cookie_pairs(headers) == (
        ("a", "1"),
        ("b", "x y"),
        ("c", ""),
        ("a", "2"),
        ("f ", " 3"),
        ("g", "h=i"),
    )
    assert attribute_values(View(headers=headers), AttributeKind.COOKIE, "a") == ("1", "2")


def test_names_of_cookies_and_claims_are_compared_letter_by_letter() -> None:
    view = View(headers=(("COOKIE", "Beta=1"),), claims=(("Role", "sre"),))
    assert holds(AttributePresent(AttributeKind.COOKIE, "Beta"), view)
    assert not holds(AttributePresent(AttributeKind.COOKIE, "beta"), view)
    assert not holds(AttributePresent(AttributeKind.CLAIM, "role"), view)


def test_an_expression_within_a_template_is_found_to_be() -> None:
    parsed = parse_template("/v1/{id}")
    assert isinstance(parsed, PathTemplate)
    a, b = RequestMatch(path=PathRegex("/v1/[a-m]+")), RequestMatch(path=parsed)
    space, _ = space_of((a, b))
    rest = space.difference(space.boxes(a) or (), space.boxes(b) or ())
    assert isinstance(space.example(rest), Nothing)
