"""Decision diagrams are another way to write sets of requests: they say what boxes say, and equal sets are one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from meshc_compiler.evaluate import View, holds, matches
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.space.caller_classes import CallerClasses, identities_asked
from meshc_compiler.space.diagram import EMPTY, Diagram
from meshc_compiler.space.request_space import Nothing, Region, RequestSpace, Undecided, Witness, build_space
from support.condition_strategies import STRANGER, condition_matches, views
from support.request_strategies import any_matches, requests, template_matches

Ask = tuple[str, str, tuple[tuple[str, str], ...]]


def space_of(*asked: RequestMatch) -> tuple[RequestSpace, CallerClasses]:
    classes = CallerClasses(identities_asked(asked), plaintext=True)
    space = build_space(asked, classes)
    assert space is not None
    return space, classes


def drawn(space: RequestSpace, region: Region) -> Diagram:
    diagram = space.drawn(region)
    assert diagram is not None
    return diagram


@settings(max_examples=200)
@given(template_matches, template_matches, template_matches)
def test_equal_sets_are_one_diagram(a: RequestMatch, b: RequestMatch, c: RequestMatch) -> None:
    space, classes = space_of(a, b, c)
    x, y, z = (drawn(space, space.boxes(one, classes.everybody)) for one in (a, b, c))
    union, intersection, difference = space.union, space.intersection, space.difference
    assert union((x, y)) == union((y, x))
    assert union((x, union((y, z)))) == union((union((x, y)), z))
    assert intersection(x, union((y, z))) == union((intersection(x, y), intersection(x, z)))
    assert difference(x, union((y, z))) == difference(difference(x, y), z)
    assert union((difference(x, y), intersection(x, y))) == x
    assert difference(x, x) == Diagram(EMPTY)
    assert space.same(union((x, y)), union((space.boxes(b, classes.everybody), space.boxes(a, classes.everybody))))


@settings(max_examples=250)
@given(condition_matches, st.lists(condition_matches, max_size=3), st.lists(views, max_size=20))
def test_diagrams_of_conditions_have_the_requests_of_boxes(
    first: RequestMatch, others: list[RequestMatch], asked: list[View]
) -> None:
    space, classes = space_of(first, *others)
    own = space.boxes(first, classes.everybody)
    taken = space.union(space.boxes(other, classes.everybody) for other in others)
    rest = space.difference(drawn(space, own), taken)

    def inside(view: View) -> bool:
        conditions = [match.condition for match in (first, *others)]
        answers = [condition is None or holds(condition, view) for condition in conditions]
        return answers[0] and not any(answers[1:])

    match space.example(rest):
        case Witness() as witness:
            number = witness.caller
            caller = classes.named[number] if number < len(classes.named) else STRANGER
            view = View(
                headers=witness.headers,
                query=witness.query,
                claims=witness.claims,
                caller=None if 1 << number == classes.plaintext else caller,
            )
            assert inside(view), witness
        case Nothing():
            assert not [view for view in asked if inside(view)]
            # What is empty is seen to be: no request had to be looked for.
            assert rest == Diagram(EMPTY)
        case Undecided():
            raise AssertionError("small expressions are always decided")
    assert type(space.escape(own, taken)) is type(space.example(rest))


@settings(max_examples=150)
@given(any_matches, st.lists(any_matches, min_size=1, max_size=3), st.lists(requests, max_size=20))
def test_diagrams_with_expressions_of_paths_are_right(
    a: RequestMatch, others: list[RequestMatch], asks: list[Ask]
) -> None:
    space, _ = space_of(a, *others)
    own, taken = drawn(space, space.boxes(a)), space.union(space.boxes(other) for other in others)

    def said(match: RequestMatch, ask: Ask) -> bool:
        return matches(match, ask[0], ask[1], View(headers=ask[2]))

    for region, wanted in ((space.difference(own, taken), False), (space.intersection(own, taken), True)):
        match space.example(region):
            case Witness() as witness:
                ask = (witness.method, witness.path, witness.headers)
                assert said(a, ask)
                assert any(said(other, ask) for other in others) is wanted
            case Nothing():
                mine = [ask for ask in asks if said(a, ask)]
                assert not [ask for ask in mine if any(said(other, ask) for other in others) is wanted]
            case Undecided():
                pass


@settings(max_examples=150)
@given(st.lists(condition_matches, min_size=1, max_size=3))
def test_the_callers_of_a_set_are_those_of_whom_it_has_requests(asked: list[RequestMatch]) -> None:
    space, classes = space_of(*asked)
    region = space.difference(
        space.boxes(asked[0], classes.everybody),
        space.union(space.boxes(other, classes.everybody) for other in asked[1:]),
    )
    whole = space.boxes(RequestMatch(), classes.everybody)
    assert isinstance(whole, tuple)
    expected = 0
    for number in range(classes.everybody.bit_length()):
        only = tuple((1 << number, *box[1:]) for box in whole)
        if isinstance(space.example(space.intersection(region, only)), Witness):
            expected |= 1 << number
    assert space.callers_in(region) == expected
    assert space.callers_in(space.drawn(region)) == expected
