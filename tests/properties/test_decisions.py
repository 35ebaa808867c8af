"""The algebra decides each request as the evaluator does, and knows of every set whether there is a request in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from meshc_compiler.evaluate import View, evaluate, identity_of, matches
from meshc_compiler.ir.caller import includes
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Rule
from meshc_compiler.loader import MemoryReader, load
from meshc_compiler.lower.program import lower_program
from meshc_compiler.path import canonical_path
from meshc_compiler.space.callee_space import CalleeSpace
from meshc_compiler.space.request_space import Answer, Nothing, Undecided, Witness
from meshc_lang.diagnostic import has_errors
from meshc_lang.request import PLAINTEXT, Request
from support.decision_programs import decision_program, requests_at

PROGRAMS = 100
"""The programs of an ordinary run; `MESHC_DECISION_SEEDS=0-9999` asks of others."""
EACH = 1_000
"""Requests to the ports of each program: a hundred thousand decisions in all."""


def seeds() -> range:
    first, _, last = os.environ.get("MESHC_DECISION_SEEDS", f"0-{PROGRAMS - 1}").partition("-")
    return range(int(first), int(last or first) + 1)


def lowered(text: str) -> MeshIndex:
    program, found = load(("p.mesh",), MemoryReader({"p.mesh": text}))
    whole, more = lower_program(program)
    assert whole is not None
    assert not has_errors((*found, *more)), [one.message for one in (*found, *more)]
    return MeshIndex(whole.mesh)


def ordered(index: MeshIndex) -> tuple[CalleeSpace, ...]:
    ports = {service.name: service.ports[0] for service in index.mesh.services if service.ports}
    return tuple(CalleeSpace(index, callee, ports[callee]) for callee in ("api", "calls", "db"))


@pytest.mark.parametrize("tenth", range(10))
def test_the_algebra_and_the_evaluator_decide_alike(tenth: int) -> None:
    told = 0
    for seed in seeds()[tenth::10]:
        text = decision_program(seed)
        index = lowered(text)
        for share, space in zip((EACH - EACH // 5, EACH // 10, EACH // 10), ordered(index), strict=True):
            sets = {rule.id: space.rule_boxes(rule) for rule in space.rules}
            allowed = space.allowed
            drawn = None if space.space is None else space.space.drawn(allowed)
            for number, request in enumerate(requests_at(space, share, seed)):
                decision = evaluate(index, request)
                assert space.contains(allowed, request) is decision.allowed, (text, request.text)
                if number % 4 == 0:
                    assert space.contains(drawn, request) is decision.allowed, (text, request.text)
                    for rule in decision.rules:
                        assert space.contains(sets[rule.id], request), (text, rule.id, request.text)
                told += 1
    assert told == EACH * len(seeds()[tenth::10])


def says(index: MeshIndex, rule: Rule, request: Request) -> bool:
    """Tell whether a rule matches a request, by the evaluator's words."""
    caller = identity_of(index, request.caller)
    path = canonical_path(request.path)
    view = View(headers=request.headers, query=request.query, claims=request.claims, caller=caller)
    return path is not None and includes(rule.callers, caller) and matches(rule.match, request.method, path, view)


@pytest.mark.parametrize("tenth", range(10))
def test_every_set_has_a_request_to_show_or_none_at_all(tenth: int) -> None:
    for seed in seeds()[tenth::10]:
        text = decision_program(seed)
        index = lowered(text)
        for space in ordered(index):
            asked = tuple(requests_at(space, 60, seed + 1))
            plaintext = bool(space.callers.plaintext)
            asked = tuple(one for one in asked if plaintext or one.caller != PLAINTEXT)
            if not index.mesh.token_issuers:
                # Where no token is trusted, no request has claims that count.
                asked = tuple(replace(one, claims=()) for one in asked)

            def check(answer: Answer, inside: Callable[[Request], bool], space: CalleeSpace, said: str) -> None:
                match answer:
                    case Witness() as witness:
                        assert inside(space.request(witness)), (said, space.request(witness).text)
                    case Nothing():
                        assert not [one.text for one in asked if inside(one)], said  # noqa: B023
                    case Undecided():
                        raise AssertionError(f"small expressions are always decided: {said}")

            def allowed(one: Request) -> bool:
                return evaluate(index, one).allowed  # noqa: B023

            check(space.example(space.allowed), allowed, space, text)
            for rule in space.rules:
                own = space.rule_boxes(rule)
                others = tuple(other for other in space.rules if other is not rule)

                def matched(one: Request) -> bool:
                    return says(index, rule, one)  # noqa: B023

                def alone(one: Request) -> bool:
                    return matched(one) and not any(says(index, other, one) for other in others)  # noqa: B023

                told = f"{rule.id} of\n{text}"
                check(space.example(own), matched, space, told)
                check(
                    space.example(space.shared(own, space.allowed)),
                    lambda one: matched(one) and allowed(one),
                    space,
                    told,
                )
                check(space.escape(own, space.union(others)), alone, space, told)
                check(space.example(space.left_over(own, space.union(others))), alone, space, told)
