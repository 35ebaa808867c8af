"""Findings about what is superfluous name the rules that make it so: all that are needed, and none that is not."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from meshc_compiler.evaluate import evaluate
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import CompileResult, compile_program
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.request import Request

HEAD = """\
mesh shop { trust-domain: "shop.corp.example" }
service web {}
service job {}
service api { port: 80/http, versions: [v1, v2] }
"""

CALLERS = ("web", "job", "any")
MATCHERS = ("GET /a", "GET /b", "GET|POST /a", "/a", "/*", "GET /**", "POST /**", "/a/**", "PUT /a/b")
REQUESTS = tuple(
    Request(caller=caller, callee="api", method=method, path=path)
    for caller, method, path in product(
        ("web", "job", "spiffe://shop.corp.example/ns/x/sa/other"),
        ("GET", "POST", "PUT", "PURGE"),
        ("/", "/a", "/b", "/c", "/a/b", "/a/b/c", "/b/c"),
    )
)
"""A request of each kind that the sentences above tell apart."""


def compiled(text: str) -> CompileResult:
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": HEAD + text}))
    assert result.index is not None, [one.message for one in result.diagnostics]
    return result


def requests_of(sentences: Iterable[str]) -> set[Request]:
    """Return the requests that sentences speak of, whatever their effect."""
    index = compiled("".join(f"allow{one.removeprefix('allow').removeprefix('deny')}\n" for one in sentences)).index
    assert index is not None
    return {request for request in REQUESTS if evaluate(index, request).allowed}


def found(result: CompileResult, code: str) -> list[tuple[str, list[str]]]:
    """Return the sentences that findings of a code are about, each with the sentences that it names besides."""
    return [
        (_line(one, 0), [_line(one, at) for at in range(1, len(one.related) + 1)])
        for one in result.diagnostics
        if one.code.id == code
    ]


def _line(finding: Diagnostic, at: int) -> str:
    span = finding.primary if at == 0 else finding.related[at - 1].span
    return span.source.line(span.first.line)


sentences = st.lists(
    st.builds(
        lambda effect, caller, matcher: f"{effect} {caller} -> api : {matcher}",
        st.sampled_from(("allow", "allow", "deny")),
        st.sampled_from(CALLERS),
        st.sampled_from(MATCHERS),
    ),
    min_size=2,
    max_size=9,
    unique=True,
)


@settings(max_examples=100)
@given(sentences)
def test_covers_are_whole_and_minimal(lines: list[str]) -> None:
    result = compiled("".join(f"{line}\n" for line in lines))
    denied = requests_of(line for line in lines if line.startswith("deny"))
    allowed = requests_of(line for line in lines if line.startswith("allow"))
    for code, within in (("MSH301", set(REQUESTS)), ("MSH302", set(REQUESTS) - denied), ("MSH303", allowed)):
        for line, cover in found(result, code):
            wanted = requests_of([line]) & within
            assert wanted <= requests_of(cover), (line, cover)
            for one in cover:
                assert not wanted <= requests_of(other for other in cover if other != one), (line, cover, one)
    # And nothing that is superfluous goes unseen: taking away what was found leaves nothing to be found.
    gone = {line for code in ("MSH301", "MSH302", "MSH303") for line, _ in found(result, code)}
    kept = [line for line in lines if line not in gone]
    for line in kept:
        others = [other for other in kept if other != line]
        own = requests_of([line])
        if line.startswith("allow"):
            rest = own - denied - requests_of(other for other in others if other.startswith("allow"))
        else:
            rest = own & allowed - requests_of(other for other in others if other.startswith("deny"))
        assert rest, (line, kept)


def test_a_route_rule_that_nobody_reaches_names_the_rules_that_are_needed() -> None:
    text = (
        "allow web -> api : /**\n"
        "route api {\n"
        "  GET|POST /v/* => v1\n"
        "  GET /v/{id:int} => v2\n"
        "  GET /v/* => v2\n"
        "  POST /v/* => v2\n"
        "}\n"
    )
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": HEAD + text}))
    (finding,) = [one for one in result.diagnostics if one.code.id == "MSH412"]
    assert finding.primary.text == "GET|POST /v/*"
    assert [label.span.text.split(" =>")[0] for label in finding.related] == ["GET /v/*", "POST /v/*"]


def test_every_rule_of_a_wide_cover_is_named() -> None:
    methods = ("GET", "PUT", "POST", "PATCH", "DELETE")
    denies = "".join(f"deny any -> api : {method} /x\n" for method in methods)
    result = compiled(f"{denies}allow web -> api : {'|'.join(methods)} /x\n")
    (finding,) = [one for one in result.diagnostics if one.code.id == "MSH301"]
    assert len(finding.related) == len(methods)
