"""What `meshc diff` tells is what the reference semantics tells: nothing of equal programs, everything of others."""

from __future__ import annotations

import random
from itertools import islice

from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from meshc_compiler.diff.change import Change, ChangeKind
from meshc_compiler.diff.program_diff import diff_meshes, diff_programs
from meshc_compiler.evaluate import evaluate
from meshc_compiler.ir.mesh import MeshIndex
from meshc_lang.request import PLAINTEXT, Request
from support.correct_programs import CorrectProgram, correct_programs
from support.effort import examples
from support.program_changes import callers_of, edited, fate_in, meshes_of, requests_about, without_promises
from support.programs import MeshPlan, mesh_plans

_MOST_REQUESTS = 1_500


@examples(15)
@given(correct_programs(), st.data())
def test_a_program_that_is_moved_about_differs_in_nothing(program: CorrectProgram, data: DataObject) -> None:
    texts = [one.text for one in data.draw(st.permutations(program.statements))]
    cut = data.draw(st.integers(0, len(texts)))
    moved = meshes_of("\n".join(texts[cut:]) + "\n", "\n".join(texts[:cut]) + "\n")
    original = meshes_of(program.text)
    assert original is not None
    assert moved is not None
    assert diff_programs(original, moved) == ()


@examples(15)
@given(mesh_plans(), st.data())
def test_grants_written_one_by_one_differ_in_nothing(plan: MeshPlan, data: DataObject) -> None:
    """The meshes are not equal: other rules, and other routes by the look of them."""
    lines = []
    for line in plan.text.splitlines():
        methods, space, rest = line.strip().partition(" ")
        if line.startswith("  ") and "|" in methods and data.draw(st.booleans()):
            lines += [f"  {method}{space}{rest}" for method in methods.split("|")]
        else:
            lines.append(line)
    one, other = meshes_of(plan.text), meshes_of("\n".join(lines) + "\n")
    assume(one is not None and other is not None)
    assert one is not None
    assert other is not None
    assert diff_programs(one, other) == ()


@examples(40)
@given(correct_programs(), st.data())
def test_an_edit_is_told_if_and_only_if_some_request_fares_otherwise(program: CorrectProgram, data: DataObject) -> None:
    plain = without_promises(program)
    after = data.draw(edited(plain))
    old, new = meshes_of(plain.text), meshes_of(after.text)
    assume(old is not None and new is not None)
    assert old is not None
    assert new is not None
    compare(old[None], new[None])
    compare(new[None], old[None])


@examples(25)
@given(mesh_plans(), mesh_plans())
def test_programs_that_have_little_in_common_are_told_apart(one: MeshPlan, other: MeshPlan) -> None:
    old, new = meshes_of(one.text), meshes_of(other.text)
    assume(old is not None and new is not None)
    assert old is not None
    assert new is not None
    compare(old[None], new[None])


def compare(old: MeshIndex, new: MeshIndex) -> None:
    """Hold the changes against the evaluator, both ways."""
    changes = diff_meshes(old, new)
    for change in changes:
        if change.witness is not None and change.callers.words:
            check_witness(old, new, change)
    callers = callers_of((old, new))
    asked = list(islice(requests_about((old, new), callers), 40 * _MOST_REQUESTS))
    random.Random(7).shuffle(asked)
    for request in asked[:_MOST_REQUESTS]:
        check_request(old, new, request, changes)


def check_witness(old: MeshIndex, new: MeshIndex, change: Change) -> None:
    assert change.witness is not None
    one, other = fate_in(old, change.witness), fate_in(new, change.witness)
    assert one != other, change
    match change.kind:
        case ChangeKind.OPENED:
            assert (one[0], other[0]) == (False, True), change
        case ChangeKind.CLOSED:
            assert (one[0], other[0]) == (True, False), change
        case _:
            assert (one[0], other[0]) == (True, True), change
    allowing = old if change.kind is ChangeKind.CLOSED else new
    spans = change.old_spans if change.kind is ChangeKind.CLOSED else change.new_spans
    if change.kind in {ChangeKind.OPENED, ChangeKind.CLOSED}:
        assert spans == tuple(dict.fromkeys(rule.origin for rule in evaluate(allowing, change.witness).rules))


def check_request(old: MeshIndex, new: MeshIndex, request: Request, changes: tuple[Change, ...]) -> None:
    one, other = fate_in(old, request), fate_in(new, request)
    if one == other:
        return
    kinds = {(False, True): {ChangeKind.OPENED}, (True, False): {ChangeKind.CLOSED}}.get(
        (bool(one[0]), bool(other[0])), {ChangeKind.REROUTED, ChangeKind.SETTINGS}
    )
    to = request.callee if request.port is None else f"{request.callee}.{request.port}"
    told = [
        change
        for change in changes
        if change.kind in kinds | {ChangeKind.UNDECIDED} and change.callee == to and is_among(request.caller, change)
    ]
    assert told, (request.text, one, other, changes)


def is_among(caller: str, change: Change) -> bool:
    group = change.callers
    if caller in group.names:
        return True
    return group.rest and caller not in group.besides and caller != PLAINTEXT
