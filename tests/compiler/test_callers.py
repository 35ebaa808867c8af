"""Who can call a service: what is told agrees with the reference semantics, request by request and chain by chain."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

from hypothesis import given, settings
from hypothesis import strategies as st

from meshc_compiler.callers.chain import Chain, chains_to
from meshc_compiler.callers.direct import direct_callers, identities_told_apart
from meshc_compiler.callers.question import read_question
from meshc_compiler.callers.request_class import DirectCaller
from meshc_compiler.evaluate import evaluate
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import CompileResult, compile_program
from meshc_lang.request import Request

NAMES = ("a", "b", "c", "d", "e")
STRANGER = "spiffe://shop.corp.example/ns/x/sa/known"
HEAD = (
    'mesh shop { trust-domain: "shop.corp.example" }\n'
    "service a { port: 80/http, mtls: permissive }\n"
    + "".join(f"service {name} {{ port: 80/http }}\n" for name in NAMES[1:])
    + "group ab = a | b\n"
)
CALLERS = ("a", "b", "c", "d", "e", "ab", "any", "plaintext", f'"{STRANGER}"', "ingress")
MATCHERS = ("GET /x", "POST /x/**", "/x/*", "GET|POST /**", '~"/x/[0-9]+"', "TRACE /x")
GUARDS = ("", "", "", ' if header "h" == "1"', " if not from ab", ' if from c and header "h" present')

sentences = st.lists(
    st.builds(
        lambda effect, caller, callee, matcher, guard: f"{effect} {caller} -> {callee} : {matcher}{guard}",
        st.sampled_from(("allow", "allow", "allow", "deny")),
        st.sampled_from(CALLERS),
        st.sampled_from(NAMES),
        st.sampled_from(MATCHERS),
        st.sampled_from(GUARDS),
    ),
    max_size=9,
    unique=True,
)


def compiled(text: str) -> CompileResult:
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": HEAD + text}))
    assert result.index is not None, [one.message for one in result.diagnostics]
    return result


def asked(text: str, callee: str, requests: str = "") -> tuple[MeshIndex, tuple[DirectCaller, ...], tuple[Chain, ...]]:
    result = compiled(text)
    assert result.index is not None
    question, problems = read_question(result.index, result.program, callee, requests)
    assert question is not None, problems
    direct = direct_callers(result.index, question)
    return result.index, direct, chains_to(result.index, question, direct)


SOURCES = (*NAMES, "ingress", "plaintext", STRANGER, "spiffe://shop.corp.example/ns/default/sa/somebody-else")
TRIED = tuple(
    Request(caller="a", callee="a", method=method, path=path, headers=headers)
    for method, path, headers in product(
        ("GET", "POST", "PUT"), ("/", "/x", "/x/7", "/x/y", "/x/y/z"), ((), (("h", "1"),), (("h", "2"),))
    )
)


def passing(index: MeshIndex, caller: str, callee: str) -> list[Request]:
    tried = (replace(one, caller=caller, callee=callee) for one in TRIED)
    return [one for one in tried if evaluate(index, one).allowed]


@settings(max_examples=80)
@given(sentences, st.sampled_from(NAMES))
def test_direct_callers_and_chains_are_those_of_the_reference(lines: list[str], callee: str) -> None:
    index, direct, chains = asked("".join(f"{line}\n" for line in lines), callee)
    by_name = {one.name: one for one in direct}
    everybody = set(by_name["any"].names) if "any" in by_name else set()
    question, _ = read_question(index, compiled("").program, callee)
    assert question is not None
    known = {str(identity) for identity in identities_told_apart(index, question)}
    for caller in SOURCES:
        if caller == callee:
            continue
        can = passing(index, caller, callee)
        is_any = caller in everybody or ("/sa/" in caller and caller not in known)
        listed = by_name.get(caller) or (by_name.get("any") if is_any else None)
        assert bool(can) is (listed is not None), (caller, can)
        if listed is None:
            continue
        for request in can:
            rules = {rule.id for rule in evaluate(index, request).rules}
            assert rules & {each.allow.id for each in listed.classes}, request.text
    for one in direct:
        for each in one.classes:
            assert each.witness is not None
            decision = evaluate(index, each.witness)
            assert decision.allowed, each.witness.text
            assert each.allow.id in {rule.id for rule in decision.rules}
    # Chains: shortest, from everybody who has no call of its own, each call with a request that passes.
    edges = {
        (caller, other) for caller in SOURCES for other in NAMES if caller != other and passing(index, caller, other)
    }
    distance = {callee: 0}
    front = [callee]
    while front:
        front = [
            caller
            for caller, other in sorted(edges)
            if other in front and caller not in distance and distance.setdefault(caller, distance[other] + 1)
        ]
    wanted = {("any" if "/sa/some" in name else name): far for name, far in distance.items() if far > 1}
    found = {chain.names[0]: len(chain.names) - 1 for chain in chains}
    if f'"{STRANGER}"' not in "".join(lines):
        wanted.pop(STRANGER, None)  # nobody speaks of it: it is one of `any`
    assert found == wanted
    for chain in chains:
        assert chain.names[-1] == callee
        for (caller, other), witness in zip(pairwise(chain.names), chain.witnesses, strict=True):
            assert witness is not None
            assert evaluate(index, witness).allowed
            assert witness.callee == other
            assert witness.caller == caller or caller == "any"


def test_a_matcher_narrows_the_question_and_denies_are_told() -> None:
    text = "allow a -> c : GET /x/**\nallow b -> c : POST /y\nallow any -> a : GET /**\ndeny any -> c : /x/admin/**\n"
    index, direct, chains = asked(text, "c", "GET /x/admin/7, GET /x/*")
    assert [one.name for one in direct] == ["a"]
    (only,) = direct[0].classes
    assert [rule.id for rule in only.denied] == ["deny any -> c : * /x/admin/**"]
    assert only.witness is not None
    assert evaluate(index, only.witness).allowed
    assert {chain.names for chain in chains} == {(name, "a", "c") for name in ("any", "b", "d", "e", "ingress")}
    _, nobody, none = asked(text, "c", "GET /x/admin/7")
    assert (nobody, none) == ((), ())


def test_a_condition_from_may_name_a_group() -> None:
    _, direct, _ = asked("allow any -> c : GET /x\n", "c", "GET /x if from ab")
    assert {one.name for one in direct} == {"a", "b"}
