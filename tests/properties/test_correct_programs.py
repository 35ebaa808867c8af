"""Nothing is found in correct programs; what is moved changes nothing; what is spoilt is told by exactly its code."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from meshc_compiler.examples import run_examples
from meshc_compiler.ir.dump import mesh_digest
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import CompileResult, compile_all
from meshc_lang.format import format_file
from meshc_lang.parser import parse
from meshc_lang.source import SourceText
from support.correct_programs import CorrectProgram, correct_programs

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
some = settings(max_examples=1000 if LONG else 40, deadline=None, suppress_health_check=list(HealthCheck))
# The same few each time: a mutation that happens to do more than its one mistake is for the long run to find.
few = settings(
    max_examples=200 if LONG else 6, derandomize=not LONG, deadline=None, suppress_health_check=list(HealthCheck)
)
HEAD = 'mesh m { trust-domain: "m.example" }\nservice a {}\nservice b { port: 80/http, versions: [v1], replicas: 2 }\n'


def compiled(*texts: str) -> CompileResult:
    return compile_all((".",), MemoryReader({f"{number}.mesh": text for number, text in enumerate(texts)}))


def found_in(text: str) -> list[str]:
    return [f"{one.code.id} {one.message}" for one in compiled(text).diagnostics]


def codes(program: CorrectProgram) -> set[str]:
    return {one.code.id for one in compiled(program.text).diagnostics}


def meanings(result: CompileResult) -> list[str]:
    return [mesh_digest(one.mesh) for one in (result, *result.overlays) if one.mesh is not None]


@some
@given(correct_programs())
def test_nothing_is_found_in_a_correct_program(program: CorrectProgram) -> None:
    result = compiled(program.text)
    assert [f"{one.code} {one.message} at {one.primary}" for one in result.diagnostics] == []
    for one in (result, *result.overlays):
        assert one.index is not None
        assert [case for case in run_examples(one.index) if not case.passed] == []


@few
@given(correct_programs(), st.data())
def test_neither_order_nor_files_nor_layout_change_a_program(program: CorrectProgram, data: st.DataObject) -> None:
    first = compiled(program.text)
    moved = data.draw(st.permutations([one.text for one in program.statements]))
    cut = data.draw(st.integers(0, len(moved)))
    second = compiled("\n".join(moved[:cut]) + "\n", "\n".join(moved[cut:]) + "\n")
    file, problems = parse(SourceText("p.mesh", program.text))
    assert not problems
    third = compiled(format_file(file))
    assert second.diagnostics == third.diagnostics == ()
    assert meanings(first) == meanings(second) == meanings(third)


# ---- what is spoilt is told

Spoil = Callable[[CorrectProgram], CorrectProgram | None]


def entry_of(program: CorrectProgram) -> str:
    return program.of_kind("service")[0].callee


def misspell(program: CorrectProgram) -> CorrectProgram | None:
    allow = program.of_kind("allow")[0]
    return program.changed(allow, "ingress ->", "ingres ->")


def repeat(program: CorrectProgram) -> CorrectProgram | None:
    return program.with_more(program.of_kind("allow")[0].text)


def refuse_health(program: CorrectProgram) -> CorrectProgram | None:
    grants = program.of_kind("health")
    return program.without(grants[0]) if grants else None


def deny_all(program: CorrectProgram) -> CorrectProgram | None:
    return program.with_more(f'deny any -> {entry_of(program)} : /in0/** because "closed"')


def deny_nothing(program: CorrectProgram) -> CorrectProgram | None:
    return program.with_more(f"deny any -> {entry_of(program)} : /nothing/here")


def break_shares(program: CorrectProgram) -> CorrectProgram | None:
    routes = program.of_kind("route")
    return program.changed(routes[0], "%, v2 ", "%, v2 1") if routes else None


def lengthen_deadline(program: CorrectProgram) -> CorrectProgram | None:
    """Take a call that comes behind another, both bounded edge by edge, and give it more time than that."""
    edges = program.of_kind("edge")
    strangers = {one.callee for one in program.of_kind("plaintext", "health")}
    # A rule of a route may say how long its own requests may take.
    ruled = {one.callee for one in program.of_kind("route") if "timeout" in one.text}
    firsts = [one for one in edges if one.caller == "ingress" and one.callee not in strangers]
    for first in firsts:
        for inner in edges:
            alone = sum(other.callee == inner.callee for other in edges) == 1
            if alone and inner.caller == first.callee and inner.callee not in ruled and "per-try" not in inner.text:
                time = inner.text.partition("timeout: ")[2].partition("s")[0]
                return program.changed(inner, f"timeout: {time}s", "timeout: 90s")
    return None


def miss_by_overlay(program: CorrectProgram) -> CorrectProgram | None:
    return program.with_more(f"overlay other {{\n  set {entry_of(program)}.route.nowhere: [50%, 50%]\n}}")


def change_nothing_by_overlay(program: CorrectProgram) -> CorrectProgram | None:
    return program.with_more(f"overlay other {{\n  set {entry_of(program)}.capacity: 1000/s\n}}")


def limit_above_capacity(program: CorrectProgram) -> CorrectProgram | None:
    limits = program.of_kind("limit")
    return program.changed(limits[0], "500/s burst 100", "5000/s burst 1000") if limits else None


def small_burst(program: CorrectProgram) -> CorrectProgram | None:
    limits = program.of_kind("limit")
    return program.changed(limits[0], "burst 100", "burst 2") if limits else None


def mirror_writes(program: CorrectProgram) -> CorrectProgram | None:
    entry = entry_of(program)
    mirrors = [one for one in program.of_kind("mirror") if one.callee == entry]
    return program.changed(mirrors[0], "GET|HEAD /**", "/in0/**") if mirrors else None


def fault_nothing(program: CorrectProgram) -> CorrectProgram | None:
    faults = program.of_kind("fault")
    text = faults[0].text if faults else ""
    return program.changed(faults[0], text[text.index("{") :], "{ percent: 5% }") if faults else None


def use_nothing(program: CorrectProgram) -> CorrectProgram | None:
    return program.with_more("let forgotten = 3s")


def open_to_plaintext(program: CorrectProgram) -> CorrectProgram | None:
    strict = [one.callee for one in program.of_kind("service") if "permissive" not in one.text and "/http" in one.text]
    return program.with_more(f"allow plaintext -> {strict[0]} : GET /plain") if strict else None


def promise_too_much(program: CorrectProgram) -> CorrectProgram | None:
    return program.with_more(f"assert never ingress -> {entry_of(program)} : GET /in0/x")


def promise_availability(program: CorrectProgram) -> CorrectProgram | None:
    return program.with_more(f"assert always ingress -> {entry_of(program)} : DELETE /in0/x")


def contradict(program: CorrectProgram) -> CorrectProgram | None:
    entry = entry_of(program)
    if not [one for one in program.of_kind("edge") if one.callee == entry]:
        return None
    return program.with_more(f"edge ingress -> {entry} {{ timeout: 19s }}")


def wrong_unit(program: CorrectProgram) -> CorrectProgram | None:
    edges = program.of_kind("edge", "defaults")
    return program.changed(edges[0], "timeout: ", "timeout: 3, idle-timeout: ") if edges else None


def retry_writes(program: CorrectProgram) -> CorrectProgram | None:
    entry = entry_of(program)
    for one in program.of_kind("edge", "defaults"):
        if one.callee == entry and "retry" not in one.text and "timeout" in one.text:
            retry = ", retry { limit: 1, on: [reset], budget: 20% } }"
            return program.changed(one, one.text, one.text.removesuffix(" }") + retry)
    return None


SPOILT: tuple[tuple[str, Spoil], ...] = (
    ("MSH101", misspell),
    ("MSH302", repeat),
    ("MSH232", refuse_health),
    ("MSH301", deny_all),
    ("MSH303", deny_nothing),
    ("MSH430", break_shares),
    ("MSH501", lengthen_deadline),
    ("MSH701", miss_by_overlay),
    ("MSH702", change_nothing_by_overlay),
    ("MSH510", limit_above_capacity),
    ("MSH507", small_burst),
    ("MSH504", mirror_writes),
    ("MSH520", fault_nothing),
    ("MSH132", use_nothing),
    ("MSH606", open_to_plaintext),
    ("MSH310", promise_too_much),
    ("MSH314", promise_availability),
    ("MSH420", contradict),
    ("MSH201", wrong_unit),
    ("MSH503", retry_writes),
)
BESIDES = {"MSH301": {"MSH314"}}
"""What follows from a mistake and is told as well: asserts that it breaks."""


@pytest.mark.parametrize(("code", "spoil"), SPOILT, ids=[spoil.__name__ for _, spoil in SPOILT])
@few
@given(program=correct_programs())
def test_a_mistake_is_told_by_its_code_and_by_no_other(code: str, spoil: Spoil, program: CorrectProgram) -> None:
    spoilt = spoil(program)
    assume(spoilt is not None)
    assert spoilt is not None
    found = codes(spoilt)
    assert code in found
    assert found <= {code} | BESIDES.get(code, set()), [one.message for one in compiled(spoilt.text).diagnostics]


@few
@given(correct_programs())
def test_a_test_fails_when_an_allow_that_it_needs_is_gone(program: CorrectProgram) -> None:
    plaintext = [one for one in program.of_kind("plaintext") if one.callee == entry_of(program)]
    assume(plaintext)
    result = compiled(program.without(plaintext[0]).text)
    assert result.index is not None
    assert [case.passed for case in run_examples(result.index)].count(False) == 1


# ---- what was once told of correct programs


@pytest.mark.parametrize(
    "rest",
    [
        "defaults mesh { timeout: 1s, retry { limit: 2, on: [connect-failure], per-try: 500ms } }\n"
        "edge a -> b { timeout: 2s }\n",
        "defaults mesh { retry { limit: 2 } }\nedge a -> b { retry { on: [connect-failure] } }\n",
        "defaults mesh { breaker { consecutive-5xx: 5, max-ejected: 30% } }\n"
        "edge a -> b { breaker { max-ejected: 50% } }\n",
        "defaults mesh { timeout: 5s, retry { limit: 2, on: [connect-failure], per-try: 500ms } }\n"
        "route b {\n  /** => v1\n  POST /** => v1 { timeout: 1s }\n}\n",
    ],
    ids=["tries", "conditions", "ejection", "rule"],
)
def test_settings_that_no_call_has_are_not_told_of(rest: str) -> None:
    assert found_in(HEAD + "allow a -> b : GET /**\n" + rest) == []


@pytest.mark.parametrize("caller", ["plaintext", '"spiffe://m.example/ns/old/sa/job"'])
def test_nobody_knows_how_long_a_caller_without_a_sidecar_waits(caller: str) -> None:
    text = HEAD.replace("versions: [v1]", "mtls: permissive") + "service c { port: 81/http }\n"
    text += "allow a -> b : GET /x\nallow b -> c : GET /x\nedge a -> b { timeout: 1s }\nedge b -> c { timeout: 2s }\n"
    assert [one[:6] for one in found_in(text)] == ["MSH501"]
    assert found_in(text + f"allow {caller} -> b : GET /x\n") == []


def test_who_has_no_sidecar_sends_no_copies() -> None:
    text = HEAD + "service c { port: 81/http }\nallow a -> c : GET /x\nmirror b GET /x => c\nallow a -> b : GET /x\n"
    assert found_in(text + 'allow "spiffe://m.example/ns/old/sa/job" -> b : GET /x\n') == []
    assert [one[:6] for one in found_in(text + "allow ingress -> b : GET /x\n")] == ["MSH442"]


@pytest.mark.parametrize(
    "rest",
    [
        "defaults mesh { retry { limit: 1, on: [connect-failure] } }\n",
        "defaults b { timeout: 5s }\nedge b -> c { timeout: 2s }\n",
    ],
    ids=["circle", "deadline"],
)
def test_health_checks_are_no_calls_that_are_tried_again_or_waited_for(rest: str) -> None:
    text = HEAD.replace("versions: [v1]", "health: /healthz") + "service c { port: 81/http }\n"
    text += "allow a -> b : GET /x\nallow b -> c : GET /x\n" + rest
    assert found_in(text + "allow any -> b : GET /healthz\n") == []
    assert {one[:6] for one in found_in(text + "allow any -> b : GET /healthz\nallow c -> b : GET /y\n")} <= {
        "MSH501",
        "MSH502",
    }
