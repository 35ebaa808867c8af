"""Classes of requests: each holds the request shown for it, none is missed, and written tests reach them all."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from meshc_compiler.coverage.decision_class import Kind, Membership, Sharpness, rule_sentence
from meshc_compiler.coverage.fill import NotOfTheProgramError, default_file, fill
from meshc_compiler.coverage.measure import Coverage, measure
from meshc_compiler.coverage.missing_test import missing_cases
from meshc_compiler.evaluate import evaluate
from meshc_compiler.examples import run_examples
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_lang.request import Request
from support.correct_programs import CorrectProgram, correct_programs
from support.effort import examples
from support.overlapping_programs import overlapping_programs

HEAD = (
    'mesh m { trust-domain: "m.example" }\n'
    "service web {}\nservice job {}\nservice api { port: 8080/http, versions: [v1, v2] }\n"
)
REQUESTS = st.builds(
    Request,
    caller=st.sampled_from(("web", "job", "idle", "ingress")),
    callee=st.just("api"),
    method=st.sampled_from(("GET", "POST", "DELETE", "TRACE", "PATCH")),
    path=st.sampled_from(("/", "/a", "/a/1", "/a/x", "/b", "/b/2", "/c/x")),
    headers=st.sampled_from(((), (("x-a", "1"),), (("x-a", "2"),), (("x-b", "2"),), (("x-a", "1"), ("x-b", "2")))),
)


def mesh_of(text: str) -> MeshIndex:
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": text}))
    assert result.index is not None, [f"{one.code} {one.message}" for one in result.diagnostics]
    return result.index


def covered(index: MeshIndex) -> Coverage:
    return measure(index, (case.decision for case in run_examples(index)))


def classes(text: str, *, callee: str = "api") -> list[tuple[str, str, str]]:
    """Return the classes of a callee as kind, sharpness and the request shown."""
    ports = (port for port in covered(mesh_of(HEAD + text)).ports if port.callee == callee)
    found = [one.member for port in ports for one in port.classes]
    return [(one.sentence.kind, one.sharpness, str(one.witness)) for one in found]


def test_each_sentence_and_the_want_of_one_is_a_class() -> None:
    assert classes('allow web -> api : GET /a\ndeny any -> api : /a if header "x-no" present\n') == [
        ("allow", "alone", "web -> api GET /a"),
        ("deny", "alone", 'web -> api GET /a {x-no: "x"}'),
        ("no-rule", "alone", "web -> api POST /"),
        ("stranger", "alone", "ingress -> api GET /"),
    ]


def test_what_others_grant_too_is_exercised_together_and_a_dead_rule_has_no_class() -> None:
    shared = classes("allow web -> api : GET /a\nallow web -> api : GET|POST /**\n")
    assert [one[:2] for one in shared if one[0] == "allow"] == [("allow", "together"), ("allow", "alone")]
    dead = classes("allow web -> api : GET /a\ndeny any -> api : /**\n")
    assert [one[:2] for one in dead] == [("deny", "alone")]


def test_a_deny_of_what_nothing_grants_stands_beside() -> None:
    found = classes("allow web -> api : GET /a\ndeny any -> api : /b\n")
    assert ("deny", "beside", "web -> api GET /b") in found


def test_routes_count_what_wins_and_what_nothing_routes() -> None:
    text = "allow web -> api : GET /**\nroute api {\n  /a/** => v1\n  /a/b => v2 as one\n  POST /x => v2\n}\n"
    found = classes(text)
    assert [one for one in found if one[0] in ("route", "no-route")] == [
        ("route", "alone", "web -> api GET /a"),
        ("route", "alone", "web -> api GET /a/b"),
        ("no-route", "alone", "web -> api GET /"),
    ]


def test_limits_mirrors_and_faults_are_exercised_by_what_is_called() -> None:
    text = (
        "allow web -> api : GET /**\nroute api { /gone => respond 410 }\nmirror api GET /gone => v2 1%\n"
        "mirror api GET /m => v2 1%\nlimit web -> api 5/s burst 5\nlimit job -> api 9/s burst 9\n"
        "fault slow on web -> api { delay: 5ms, percent: 1% }\n"
    )
    kinds = [(kind, witness) for kind, _, witness in classes(text) if kind in ("limit", "mirror", "fault")]
    assert kinds == [
        ("mirror", "web -> api GET /m"),
        ("limit", "web -> api GET /"),
        ("fault", "web -> api GET /"),
    ]


def test_what_the_algebra_leaves_open_is_said_and_counts_as_not_exercised() -> None:
    text = HEAD + 'allow web -> api : GET ~"/v1/(a|b)*a(a|b){14}"\ndeny web -> api : GET ~"/v1/(a|b)*b(a|b){14}"\n'
    coverage = covered(mesh_of(text))
    deny = next(one for one in coverage.classes if one.member.sentence.kind is Kind.DENY)
    assert (deny.covered, deny.member.undecided, coverage.undecided) == (False, True, 1)
    filled = missing_cases(mesh_of(text), coverage)
    assert "deny" not in {reason.split()[0] for case in filled for reason in case.reasons}


@examples(60)
@given(overlapping_programs(), st.lists(REQUESTS, max_size=30))
def test_every_class_holds_its_request_and_no_request_is_of_a_class_that_is_not_told(
    text: str, requests: list[Request]
) -> None:
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": text}))
    index = result.index
    assume(index is not None)
    assert index is not None
    coverage = measure(index, ())
    rules = [rule for route in index.mesh.routes for rule in route.rules]
    sentences = len(index.mesh.rules) + len(index.mesh.limits) + len(index.mesh.mirrors) + len(rules)
    assert len(coverage.classes) <= sentences + 3 * len(coverage.ports)
    for port in coverage.ports:
        membership = Membership(index, port.callee, port.port.number)
        own = {one.member.sentence: one.member for one in port.classes}
        for one in own.values():
            assert one.witness is not None, one
            assert membership.sharpness(one.sentence, evaluate(index, one.witness)) is one.sharpness, one
        if port.callee != "api":
            continue
        for request in requests:
            decision = evaluate(index, request)
            for rule in decision.rules:
                sharpness = membership.sharpness(rule_sentence(rule), decision)
                told = next((one for sentence, one in own.items() if sentence.id == rule.id), None)
                assert told is not None, (rule.id, request.text)
                # A rule that decides something alone is told as such.
                assert told.sharpness is Sharpness.ALONE or sharpness is not Sharpness.ALONE, (rule.id, request.text)


@examples(40)
@given(overlapping_programs())
def test_tests_that_were_written_pass_reach_every_class_and_are_written_once(text: str) -> None:
    result = compile_program(("p/a.mesh",), MemoryReader({"p/a.mesh": text}))
    assume(result.index is not None and result.buildable)
    check_filling({"p/a.mesh": text})


@examples(15)
@given(correct_programs())
def test_tests_are_written_for_any_correct_program(program: CorrectProgram) -> None:
    check_filling({"p/a.mesh": program.text})


def check_filling(files: dict[str, str]) -> None:
    reader = MemoryReader(files)
    index = compile_program(("p",), reader).index
    assert index is not None
    before = covered(index)
    path = default_file(("p",), reader)
    assert path == "p/coverage.test.mesh"
    filling = fill(("p",), reader, path, missing_cases(index, before))
    assert filling.left_out == ()
    files = files | ({path: filling.text_after} if filling.cases else {})
    again = compile_program(("p",), MemoryReader(files)).index
    assert again is not None
    results = run_examples(again)
    assert [case.name for case in results if not case.passed] == []
    after = covered(again)
    assert after.covered + after.undecided == len(after.classes)
    assert len(after.classes) == len(before.classes)
    assert missing_cases(again, after) == ()


def test_a_file_that_the_program_does_not_read_is_refused() -> None:
    reader = MemoryReader({"p/a.mesh": HEAD, "q/b.mesh": "", "p/notes.txt": ""})
    index = compile_program(("p",), reader).index
    assert index is not None
    cases = missing_cases(index, covered(index))
    for path in ("q/b.mesh", "q/new.mesh", "p/notes.txt"):
        with pytest.raises(NotOfTheProgramError):
            fill(("p",), reader, path, cases)


def test_a_named_file_keeps_what_it_holds() -> None:
    text = "\ufeff" + HEAD.replace("\n", "\r\n") + "allow web -> api : GET /a"
    reader = MemoryReader({"a.mesh": text})
    index = compile_program(("a.mesh",), reader).index
    assert index is not None
    filling = fill(("a.mesh",), reader, default_file(("a.mesh",), reader), missing_cases(index, covered(index)))
    assert filling.after.startswith(text.encode() + b"\r\n\r\ntest ")
    assert b"\n" not in filling.after.replace(b"\r\n", b"")


def test_a_case_that_an_overlay_has_no_place_for_is_left_out() -> None:
    text = HEAD + "allow web -> api : GET /a\noverlay small {\n  drop job\n}\n"
    reader = MemoryReader({"a.mesh": text + "allow job -> api : GET /job\noverlay other { drop web }\n"})
    index = compile_program(("a.mesh",), reader).index
    assert index is not None
    cases = missing_cases(index, covered(index))
    filling = fill(("a.mesh",), reader, "a.mesh", cases)
    named = {case.request.caller for case in filling.left_out}
    assert named == {"job", "web"}
    assert {case.request.caller for case in filling.cases} == {case.request.caller for case in cases} - named
