"""Asserts are proofs: whatever request breaks one is found, and none is found that the mesh refuses."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshc_compiler.evaluate import evaluate
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import CompileResult, compile_program

HEAD = """
mesh shop { trust-domain: "shop.corp.example" }
service web {}
service job {}
service api { port: 80/http }
service calls { port: 90/grpc }
service db { port: 91/tcp }
service mixed { ports { pages: 80/http, rpcs: 81/grpc, raw: 82/tcp } }
"""


def compiled(text: str) -> CompileResult:
    return compile_program(("p.mesh",), MemoryReader({"p.mesh": HEAD + text}))


def witnesses(text: str) -> list[str]:
    """The requests that break the program's asserts, each of which the mesh does allow."""
    result = compiled(text)
    assert result.index is not None, [one.message for one in result.diagnostics]
    found = [one for one in result.diagnostics if one.code.id == "MSH310"]
    for one in found:
        assert one.witness is not None
        assert evaluate(result.index, one.witness).allowed, one.witness.text
    return [one.witness.text for one in found if one.witness is not None]


@pytest.mark.parametrize(
    ("program", "witness"),
    [
        # Nobody declared the caller, and it is one of `any` all the same.
        (
            'allow "spiffe://shop.corp.example/ns/x/sa/s" -> api : GET /x\nassert never any -> api',
            '"spiffe://shop.corp.example/ns/x/sa/s" -> api GET /x',
        ),
        (
            "group declared = any\nallow any -> api : GET /x\ndeny declared -> api : *\nassert never any -> api",
            '"spiffe://shop.corp.example/ns/default/sa/somebody-else" -> api GET /x',
        ),
        # What the deny leaves over, by a header with every value that a witness is usually given.
        (
            'allow web -> api : GET /x if header "h" present\n'
            'deny any -> api : * unless not header "h" in ["1", "x", "xx"]\nassert never web -> api',
            'web -> api GET /x {h: "xxx"}',
        ),
        # A call of a gRPC port has a method and a path too.
        ("allow web -> calls : *\nassert never web -> any : /admin/**", "web -> calls GET /admin"),
        ("allow web -> mixed : *\ndeny any -> mixed : /a/**\nassert never web -> mixed.rpcs : rpc a/B", None),
        ("allow web -> api : *\ndeny any -> any : rpc a.B/C\nassert never web -> api : POST /a.B/C", None),
        ("allow web -> any : *\nassert never web -> any : rpc a.B/C", "web -> api POST /a.B/C"),
        # A connection bears no header that could lift the deny, and none that could call it forth.
        ('allow web -> mixed : *\ndeny any -> mixed : * unless header "k" == "v"\nassert never web -> mixed.raw', None),
        (
            'allow web -> mixed : *\ndeny any -> mixed : * if header "k" == "v"\nassert never web -> mixed.raw',
            "web -> mixed.raw tcp",
        ),
        (
            'allow web -> db : tcp\nassert never web -> any : * if header "k" != "v"',
            "web -> db tcp",
        ),
        # Nobody forwards these, whatever is allowed.
        ("allow web -> api : /**\nassert never any -> api : CONNECT|TRACE /**", None),
    ],
)
def test_an_assert_holds_unless_a_request_breaks_it(program: str, witness: str | None) -> None:
    assert witnesses(program) == ([] if witness is None else [witness])


CALLERS = ("web", "job", "any", "others")
MATCHERS = ("*", "/**", "GET /a/*", "POST /a/b", "/a/{id:int}", '~"/a/[a-c]+"', "TRACE|GET /a")
GUARDS = ("", ' if header "h" present', ' if header "h" == "1"', ' if not (header "h" == "1" or header "k" present)')
UNLESS = ("", ' unless header "h" in ["1", "2"]', ' unless header "k" != "1"')

sentences = st.builds(
    lambda effect, caller, callee, matcher, guard, unless: (
        f"{effect} {caller} -> {callee} : {matcher}{guard}{unless if effect == 'deny' else ''}"
    ),
    st.sampled_from(("allow", "allow", "deny")),
    st.sampled_from(CALLERS),
    st.sampled_from(("api", "mixed", "both")),
    st.sampled_from(MATCHERS),
    st.sampled_from(GUARDS),
    st.sampled_from(UNLESS),
)
asked = st.builds(
    lambda caller, callee, method, path, headers: f"{caller} -> {callee} {method} {path} {headers}",
    st.sampled_from(("web", "job", "ingress", '"spiffe://shop.corp.example/ns/x/sa/stranger"')),
    st.sampled_from(("api", "mixed.pages", "mixed.rpcs")),
    st.sampled_from(("GET", "POST", "TRACE")),
    st.sampled_from(("/", "/a", "/a/7", "/a/b", "/a/b/", "/a/../b")),
    st.sampled_from(("{}", '{h: "1"}', '{h: "2", k: "1"}', '{k: ""}', '{h: "3, 1"}')),
)


@settings(max_examples=200)
@given(
    st.lists(sentences, min_size=1, max_size=6),
    st.sampled_from(CALLERS),
    st.sampled_from(("api", "mixed", "any")),
    st.sampled_from(("", *(f" : {matcher}" for matcher in MATCHERS))),
    st.lists(asked, max_size=30),
)
def test_no_allowed_request_breaks_an_assert_that_passes(
    rules: list[str], caller: str, callee: str, grants: str, requests: list[str]
) -> None:
    from meshc_compiler.why import explain_text

    groups = "group others = [job, ingress]\ngroup both = api | mixed\n"
    policy = "\n".join(rules) + "\n"
    if witnesses(groups + policy + f"assert never {caller} -> {callee}{grants}\n"):
        return
    proved = not any(
        one.code.id == "MSH399"
        for one in compiled(groups + policy + f"assert never {caller} -> {callee}{grants}\n").diagnostics
    )
    # What the assert rules out, as a mesh of its own: its allows are the requests that must not pass.
    ruled_out = compiled(groups + f"allow {caller} -> {callee}{grants or ' : *'}\n").index
    index = compiled(groups + policy).index
    assert ruled_out is not None
    assert index is not None
    for text in requests:
        passes, _ = explain_text(index, text)
        meant, _ = explain_text(ruled_out, text)
        if proved and passes is not None and meant is not None and meant.decision.allowed:
            assert not passes.decision.allowed, text
