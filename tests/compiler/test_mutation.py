"""Mutants: what is said of each is true of the program in which the change was made by hand."""

from __future__ import annotations

import re

from hypothesis import assume, given
from hypothesis import strategies as st

from meshc_compiler.coverage.fate import fate_of
from meshc_compiler.coverage.missing_test import case_of, cases_text
from meshc_compiler.coverage.mutation import MutantResult, Outcome, mutate
from meshc_compiler.coverage.survivor import noticing_cases
from meshc_compiler.evaluate import evaluate
from meshc_compiler.examples import run_examples
from meshc_compiler.ir.caller import AnyCaller, TheseCallers
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Rule
from meshc_compiler.loader import MemoryReader
from meshc_compiler.lower.sentence import match_text
from meshc_compiler.pipeline import CompileResult, compile_program
from meshc_lang.request import Request
from support.effort import examples
from support.overlapping_programs import overlapping_programs

HEAD = (
    'mesh m { trust-domain: "m.example" }\n'
    "service web {}\nservice job {}\nservice api { port: 8080/http, versions: [v1, v2] }\n"
)
REQUESTS = st.builds(
    Request,
    caller=st.sampled_from(("web", "job", "idle")),
    callee=st.just("api"),
    method=st.sampled_from(("GET", "POST", "DELETE", "TRACE")),
    path=st.sampled_from(("/", "/a", "/a/1", "/a/x", "/b", "/b/2")),
    headers=st.sampled_from(((), (("x-a", "1"),), (("x-a", "2"),), (("x-b", "2"),))),
)
ASSERTS = (
    "assert never job -> api : DELETE /**",
    "assert always web -> api : GET /a/1",
    "assert only web -> api : POST /b",
    "assert never idle ->* api",
    "assert never ingress ->* db",
    "assert attempts(ingress -> db) <= 1",
)


def compiled(text: str) -> CompileResult:
    return compile_program(("p.mesh",), MemoryReader({"p.mesh": text}))


def mutated_by_hand(text: str, index: MeshIndex, one: MutantResult) -> str:
    """Return the program with the line of the mutant's sentence taken away, or written anew."""
    mutant = one.mutant
    assert mutant.sentence.origin is not None
    line = mutant.sentence.origin.first.line - 1
    lines = text.split("\n")
    lines[line] = "" if mutant.after is None else rule_text(index, mutant.after)
    if mutant.after is not None and isinstance(mutant.after.callers, TheseCallers):
        names = ", ".join(index.workloads_by_id[one].name for one in mutant.after.callers.ids)
        lines.append(f"group changed = [{names}]")
    return re.sub(r"route api \{\s*\}", "", "\n".join(lines))


def rule_text(index: MeshIndex, rule: Rule) -> str:
    """Return a rule as it is written."""
    match rule.callers:
        case TheseCallers():
            callers = "changed"
        case AnyCaller():
            callers = "any"
        case _:
            raise AssertionError(rule)
    port = index.port_of(rule.callee, rule.port)
    assert port is not None
    return f"{rule.effect} {callers} -> {rule.callee} : {match_text(rule.match, port.protocol)}"


@examples(20)
@given(overlapping_programs(), st.lists(REQUESTS, max_size=4, unique=True), st.sets(st.sampled_from(ASSERTS)), REQUESTS)
def test_what_is_said_of_a_mutant_is_true_of_the_program_that_was_changed_by_hand(
    text: str, asked: list[Request], asserts: set[str], any_request: Request
) -> None:
    rules = [line for line in text.split("\n") if line.startswith(("allow", "deny"))]
    assume(len(set(rules)) == len(rules))
    first = compiled(text)
    assume(first.index is not None and first.buildable)
    assert first.index is not None
    held = [claim for claim in sorted(asserts) if compiled(text + claim + "\n").buildable]
    cases = [case_of(first.index, "t", evaluate(first.index, request), ()) for request in asked]
    text += "\n".join(held) + "\n" + cases_text(cases)
    index = compiled(text).index
    assert index is not None
    mutation = mutate(index, index.mesh.examples)
    for one in mutation.results:
        changed = compiled(mutated_by_hand(text, index, one))
        told = f"{one.outcome} {one.mutant.text!r}\n{text}\n{[str(d.message) for d in changed.diagnostics]}"
        if one.outcome is Outcome.COMPILER:
            assert changed.index is None, told
            continue
        assert changed.index is not None, told
        failed = [case for case in run_examples(changed.index) if not case.passed]
        assert bool(failed) is (one.outcome is Outcome.TEST), told
        if not failed:
            broken = [found for found in changed.diagnostics if found.message.startswith("the assert ")]
            assert bool(broken) is (one.outcome is Outcome.ASSERT), told
        if one.outcome is Outcome.SURVIVED:
            assert one.witness is not None
            assert fate(index, one.witness) != fate(changed.index, one.witness), told
        if one.outcome is Outcome.EQUIVALENT:
            assert fate(index, any_request) == fate(changed.index, any_request), told
    assert mutation.noticed + len(mutation.unnoticed) == mutation.counted


def fate(index: MeshIndex, request: Request) -> object:
    return fate_of(evaluate(index, request))


@examples(20)
@given(overlapping_programs())
def test_cases_that_are_written_for_mutants_notice_them(text: str) -> None:
    result = compiled(text)
    assume(result.index is not None and result.buildable)
    assert result.index is not None
    before = mutate(result.index, ())
    cases = noticing_cases(result.index, before.unnoticed)
    index = compiled(text + cases_text(cases)).index
    assert index is not None
    assert [case.name for case in run_examples(index) if not case.passed] == []
    after = mutate(index, index.mesh.examples)
    assert after.counted == before.counted
    # What is left is what no words of a test can tell apart: a share of a version that others have, too.
    assert {one.mutant.sentence.kind.value for one in after.unnoticed} <= {"route"}
    assert noticing_cases(index, after.unnoticed) == ()


def outcomes(text: str) -> dict[str, str]:
    result = compiled(HEAD + text)
    assert result.index is not None
    return {one.mutant.text: one.outcome.value for one in mutate(result.index, result.index.mesh.examples).results}


def test_a_rule_that_others_cover_is_equivalent_and_not_counted() -> None:
    text = "allow web -> api : GET /a\nallow web -> api : GET /**\n"
    index = compiled(HEAD + text).index
    assert index is not None
    mutation = mutate(index, ())
    told = {one.mutant.text: one.outcome for one in mutation.results}
    assert told["allow web -> api : GET /a: taken away"] is Outcome.EQUIVALENT
    assert told["allow web -> api : GET /**: taken away"] is Outcome.SURVIVED
    assert mutation.counted == len(mutation.results) - mutation.count(Outcome.EQUIVALENT)


def test_a_rule_of_a_route_that_sends_where_the_next_sends_is_equivalent() -> None:
    text = "allow web -> api : GET /**\nroute api {\n  /** => v1\n  /a/** => v1\n  /b/** => v2\n}\n"
    told = outcomes(text)
    assert told["route api { * /a/** => v1 }: taken away"] == "equivalent"
    assert told["route api { * /b/** => v2 }: taken away"] == "survived"


def test_settings_of_a_route_that_the_edge_states_anyway_change_nothing() -> None:
    route = "route api {\n  /** => v1\n  /a/** => v1 { timeout: 2s }\n}\n"
    allow = "allow web -> api : GET /**\n"
    name = "route api { * /a/** => v1 }: taken away"
    assert outcomes(allow + route + "edge web -> api { timeout: 2s }\n")[name] == "equivalent"
    assert outcomes(allow + route + "edge web -> api { timeout: 3s }\n")[name] == "survived"
    both = allow + "allow job -> api : GET /a/**\n" + route + "edge web -> api { timeout: 2s }\n"
    assert outcomes(both)[name] == "survived"


def test_what_would_be_ambiguous_without_a_rule_is_noticed_by_the_compiler() -> None:
    text = (
        "allow web -> api : * /**\nroute api {\n  GET /** => v1 as read\n  /a/** => v2 as a\n"
        "  GET /a/** => v1 as both\n}\n"
    )
    assert outcomes(text)["the rule `both` of `route api`: taken away"] == "compiler"


def test_asserts_notice_what_opens_and_what_closes() -> None:
    text = (
        "allow web -> api : GET /a\ndeny any -> api : /a/b\n"
        "assert never job -> api\nassert always web -> api : GET /a\nassert never any -> api : POST /**\n"
    )
    told = outcomes(text)
    assert told["allow web -> api : GET /a: taken away"] == "assert"
    assert told["allow web -> api : GET /a: with POST too"] == "assert"


def test_at_most_so_many_mutants_are_tried_and_the_others_counted() -> None:
    index = compiled(HEAD + "".join(f"allow web -> api : GET /{number}\n" for number in range(20))).index
    assert index is not None
    mutation = mutate(index, (), 7)
    assert (len(mutation.results), mutation.total) == (7, 60)
