"""The quick reading of plain requests says what the grammar says, or nothing."""

from __future__ import annotations

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from meshc_lang.parser import parse, parse_request
from meshc_lang.request import Request
from meshc_lang.request_line import read_plain_request
from meshc_lang.source import SourceText
from meshc_lang.tree.claim import TestDecl as Example
from support.program_texts import TARGETS
from support.text_pieces import quoted

QUICK = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])

names = st.sampled_from(["web", "api", "a-b", "any", "ingress", "rpc", "tcp", "is", "claims", "_", "x-", "1a"])
maps = st.lists(st.tuples(st.one_of(names, quoted()), quoted()).map(": ".join), max_size=2).map(
    lambda entries: "{" + ", ".join(entries) + "}"
)


@st.composite
def nearly_requests(draw: st.DrawFn) -> str:
    """Requests, and texts that are not quite requests."""
    port = draw(st.sampled_from(["", "", ".admin", ".", ". x"]))
    words = draw(
        st.one_of(
            st.sampled_from(["tcp", "rpc a.B/C", "rpc B/c", "rpc a..B/C", "rpc .B/C", "rpc a.B/*", "Get /"]),
            st.tuples(st.sampled_from(["GET ", "", "A-1 ", "rpc "]), st.sampled_from(TARGETS)).map("".join),
        )
    )  # fmt: skip
    headers = draw(st.one_of(st.just(""), maps.map(lambda text: f" {text}")))
    claims = draw(st.one_of(st.just(""), maps.map(lambda text: f" claims {text}")))
    caller = draw(st.one_of(names, quoted()))
    return f"{caller} -> {draw(names)}{port} {words}{headers}{claims}{draw(st.sampled_from(['', '', ' ', ' x']))}"


def by_the_grammar(text: str) -> Request | None:
    """Read a request as a case of a test, which the quick reading has no part in."""
    file, problems = parse(SourceText("program.mesh", f'test "t" {{\n{text} is allowed\n}}\n'))
    if problems:
        return None
    (test,) = file.statements
    assert isinstance(test, Example)
    return test.cases[0].request


@QUICK
@given(nearly_requests())
@example('a -> b tcp {x: "1"}')
@example('"" -> b GET /')
@example('a -> b /?a?b {x:"1"}')
def test_what_is_read_quickly_is_what_the_grammar_reads(text: str) -> None:
    quick = read_plain_request(text)
    if quick is not None:
        assert quick == by_the_grammar(text)
        assert quick.span is not None
        assert quick.span.text == text


@QUICK
@given(nearly_requests())
def test_every_request_can_be_pasted_back(text: str) -> None:
    request, _ = parse_request(text)
    if request is not None:
        assert parse_request(request.text) == (request, ())


def test_the_shapes_of_the_notation_are_all_plain() -> None:
    for text in (
        'web -> api GET /v1/orders/42?full=1 {x-beta: "1"}',
        "api -> payments rpc pay.v1.Payments/Charge",
        "payments -> ledger tcp",
        'ingress -> web GET / claims {role: "sre"}',
        "plaintext -> web GET /",
        "web -> api.admin GET /",
    ):
        assert read_plain_request(text) == by_the_grammar(text) is not None
