"""The algebra of requests agrees with asking single requests, and each of its answers can be checked by one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from meshc_compiler.evaluate import View, matches
from meshc_compiler.ir.match import AllOf, HeaderOneOf, Not, PathRegex, PathTemplate, RequestMatch
from meshc_compiler.lower.template import parse_template
from meshc_compiler.path import canonical_path
from meshc_compiler.space.request_space import Nothing, Undecided, Witness, build_space
from support.request_strategies import any_matches, requests, template_matches

Ask = tuple[str, str, tuple[tuple[str, str], ...]]


def template(text: str) -> PathTemplate:
    parsed = parse_template(text)
    assert isinstance(parsed, PathTemplate)
    return parsed


def said(match: RequestMatch, ask: Ask) -> bool:
    method, path, lines = ask
    return matches(match, method, path, View(headers=lines))


def asked(witness: Witness) -> Ask:
    assert canonical_path(witness.path) == witness.path
    return (witness.method, witness.path, witness.headers)


@settings(max_examples=150)
@given(template_matches, template_matches, st.lists(requests, max_size=20))
def test_an_intersection_is_what_both_match(a: RequestMatch, b: RequestMatch, asks: list[Ask]) -> None:
    space = build_space((a, b))
    assert space is not None
    left, right = space.boxes(a), space.boxes(b)
    assert left is not None
    assert right is not None
    match space.example(space.intersection(left, right)):
        case Witness() as witness:
            assert said(a, asked(witness))
            assert said(b, asked(witness))
        case Nothing():
            assert not [ask for ask in asks if said(a, ask) and said(b, ask)]
        case Undecided():
            raise AssertionError("templates and headers are always decided")


@settings(max_examples=150)
@given(template_matches, st.lists(template_matches, max_size=4), st.lists(requests, max_size=20))
def test_a_difference_is_what_only_the_first_matches(
    a: RequestMatch, others: list[RequestMatch], asks: list[Ask]
) -> None:
    space = build_space((a, *others))
    assert space is not None
    own = space.boxes(a)
    assert own is not None
    taken = space.union(space.boxes(other) for other in others)
    match space.example(space.difference(own, taken)):
        case Witness() as witness:
            assert said(a, asked(witness))
            assert not any(said(other, asked(witness)) for other in others)
        case Nothing():
            covered = [ask for ask in asks if said(a, ask)]
            assert all(any(said(other, ask) for other in others) for ask in covered)
        case Undecided():
            raise AssertionError("templates and headers are always decided")


@settings(max_examples=150)
@given(any_matches, st.lists(any_matches, min_size=1, max_size=3), st.lists(requests, max_size=20))
def test_with_regular_expressions_an_answer_is_right_or_there_is_none(
    a: RequestMatch, others: list[RequestMatch], asks: list[Ask]
) -> None:
    space = build_space((a, *others))
    assert space is not None
    own = space.boxes(a)
    assert own is not None
    taken = space.union(space.boxes(other) for other in others)
    for boxes, wanted in ((space.difference(own, taken), False), (space.intersection(own, taken), True)):
        match space.example(boxes):
            case Witness() as witness:
                assert said(a, asked(witness))
                assert any(said(other, asked(witness)) for other in others) is wanted
            case Nothing():
                mine = [ask for ask in asks if said(a, ask)]
                assert not [ask for ask in mine if any(said(other, ask) for other in others) is wanted]
            case Undecided():
                pass


def test_a_witness_of_two_members_bears_both_in_one_line() -> None:
    first = RequestMatch(condition=HeaderOneOf("x", ("1",)))
    second = RequestMatch(condition=HeaderOneOf("x", ("2",)))
    space = build_space((first, second))
    assert space is not None
    answer = space.example(space.intersection(space.boxes(first) or (), space.boxes(second) or ()))
    assert isinstance(answer, Witness)
    assert answer.headers == (("x", "1, 2"),)


def test_classes_of_segments_are_told_apart() -> None:
    def is_within(inner: str, outer: str) -> bool:
        a, b = RequestMatch(path=template(inner)), RequestMatch(path=template(outer))
        space = build_space((a, b))
        assert space is not None
        return isinstance(space.example(space.difference(space.boxes(a) or (), space.boxes(b) or ())), Nothing)

    assert is_within("/a/{id:int}", "/a/{id:slug}")
    assert is_within("/a/{id:int}", "/a/{id}")
    assert is_within("/a/7", "/a/{id:int}")
    assert is_within("/a", "/a/**")
    assert is_within("/a/b/c", "/a/**")
    assert not is_within("/a/{id:uuid}", "/a/{id:slug}"), "a UUID may be in upper case"
    assert not is_within("/a/{id:slug}", "/a/{id:int}")
    assert not is_within("/a/**", "/a/{id}")


def test_regular_expressions_with_different_beginnings_do_not_meet() -> None:
    a = RequestMatch(path=PathRegex("/orders/[0-9]+"))
    b = RequestMatch(path=PathRegex("/carts/[0-9]+"))
    within = RequestMatch(path=template("/orders/**"))
    space = build_space((a, b, within))
    assert space is not None
    own = space.boxes(a) or ()
    assert isinstance(space.example(space.intersection(own, space.boxes(b) or ())), Nothing)
    assert isinstance(space.example(space.difference(own, space.boxes(within) or ())), Nothing)


def test_a_question_that_cannot_be_decided_is_not_answered() -> None:
    a = RequestMatch(path=PathRegex("/x/(a|b)*a(a|b){14}"))
    b = RequestMatch(path=PathRegex("/x/(a|b)*b(a|b){14}"))
    space = build_space((a, b))
    assert space is not None
    answer = space.example(space.intersection(space.boxes(a) or (), space.boxes(b) or ()))
    assert isinstance(answer, Undecided)


def test_a_condition_that_unfolds_into_very_many_cases_is_decided() -> None:
    many = tuple(HeaderOneOf(f"h{number}", ("1", "2", "3")) for number in range(12))
    match, other = RequestMatch(condition=AllOf(many)), RequestMatch(condition=Not(many[0]))
    space = build_space((match, other))
    assert space is not None
    found = space.example(space.boxes(match))
    assert isinstance(found, Witness)
    assert said(match, asked(found))
    assert isinstance(space.example(space.intersection(space.boxes(match), space.boxes(other))), Nothing)
