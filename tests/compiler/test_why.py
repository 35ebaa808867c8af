"""Explanations: where each part of a decision comes from, and the line that would change it."""

from __future__ import annotations

import pytest

from meshc_compiler.evaluate import Reason
from meshc_compiler.examples import run_examples
from meshc_compiler.flip.search import FlipFinder
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_compiler.why import Explanation, explain_text, settings_rows

PROGRAM = """\
mesh shop { trust-domain: "shop.example" }
service web {}
service api { port: 80/http, versions: [v1, v2] }
service calls { ports { public: 90/grpc, raw: 91/tcp } }
service lonely { port: 80/http }
allow web -> api {
  GET /a/**
  POST /a because "never read"
}
allow web -> calls : rpc x.Y/Z
deny any -> api : /a/secret because "secret"
defaults mesh { timeout: 5s }
edge web -> api { retry { limit: 2, on: [connect-failure], backoff: 10ms..1s } }
route api { /a/b => v1 75%, v2 25% as split { timeout: off } }
""".replace(' because "never read"', "")


@pytest.fixture(scope="module")
def index() -> MeshIndex:
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": PROGRAM}))
    assert result.index is not None, [one.message for one in result.diagnostics]
    return result.index


def explained(index: MeshIndex, text: str) -> Explanation:
    explanation, diagnostics = explain_text(index, text)
    assert explanation is not None, [one.message for one in diagnostics]
    return explanation


def test_an_allowed_request_names_its_rules_route_and_settings(index: MeshIndex) -> None:
    why = explained(index, "web -> api GET /a/b")
    assert [rule.id for rule in why.rules] == ["allow web -> api : GET /a/**"]
    assert str(why.rules[0].origin) == "p.mesh:7:3"
    assert str(why.route_span) == "p.mesh:14:13"
    assert [(d.version, d.weight) for d in why.decision.destinations] == [("v1", 750_000), ("v2", 250_000)]
    assert why.decision.settings.timeout_ns is None
    assert [(name, value, scope, str(span)) for name, value, scope, span in settings_rows(why.settings)] == [
        ("timeout", "off", "route", "p.mesh:14:47"),
        ("retry limit", "2", "edge", "p.mesh:13:27"),
        ("retry on", "[connect-failure]", "edge", "p.mesh:13:37"),
        ("retry backoff", "10ms..1s", "edge", "p.mesh:13:60"),
    ]


def test_a_denied_request_names_the_deny(index: MeshIndex) -> None:
    why = explained(index, "web -> api GET /a/secret")
    assert why.decision.reason is Reason.DENIED_BY_RULE
    assert [(str(rule.effect), rule.because) for rule in why.rules] == [("deny", "secret")]
    assert settings_rows(why.settings) == ()


@pytest.mark.parametrize(
    ("request_text", "code", "place"),
    [
        ("wbe -> api GET /", "MSH101", "wbe"),
        ("web -> apj GET /", "MSH101", "apj"),
        ("any -> api GET /", "MSH001", ""),
        ("web -> web GET /", "MSH102", "web"),
        ("web -> calls.x tcp", "MSH104", "calls.x"),
        ("web -> api tcp", "MSH203", "api"),
        ("web -> api rpc a.B/C", "MSH203", "api"),
        ('"spiffe://x?" -> api GET /', "MSH604", '"spiffe://x?"'),
    ],
)
def test_a_request_that_means_nothing_is_told_so(
    index: MeshIndex, request_text: str, code: str, place: str | None
) -> None:
    explanation, diagnostics = explain_text(index, request_text)
    assert explanation is None
    if code != "MSH001":
        assert [one.code.id for one in diagnostics] == [code]
    if place:
        assert diagnostics[0].primary.text == place


def test_the_port_is_found_by_what_the_request_is(index: MeshIndex) -> None:
    assert explained(index, "web -> calls tcp").request.port == "raw"
    assert explained(index, "web -> calls rpc x.Y/Z").request.port == "public"
    assert explained(index, "web -> api GET /").request.port is None


def test_examples_say_what_was_expected_and_what_is_the_case() -> None:
    tests = """
test "mixed" {
  web -> api GET /a/b is allowed, routed v2, timeout off, retry 2
  web -> api GET /a/b is allowed, routed api
  web -> api GET /a/b is timeout 5s
  web -> api GET /a/secret is allowed
  web -> api GET /x is denied
  web -> calls.raw tcp is denied
}
"""
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": PROGRAM + tests}))
    assert result.index is not None
    cases = run_examples(result.index)
    assert [case.passed for case in cases] == [True, False, False, False, True, True]
    assert cases[1].expected == "allowed, routed api"
    assert cases[1].actual == "allowed, routed v1 75%, routed v2 25%, by split, timeout off, retry 2"
    assert "by `deny any -> api" in cases[3].actual
    assert str(cases[0].span) == "p.mesh:17:3"


@pytest.mark.parametrize(
    "statement",
    [
        "assert never web -> pay",
        "assert never web -> pay : POST /charges/**",
        "assert never any -> pay : /charges",
        "assert only api -> pay",
        'test "nobody charges" { web -> pay POST /charges is denied }',
    ],
)
def test_no_remedy_is_offered_that_an_assert_or_a_test_forbids(statement: str) -> None:
    program = (
        'mesh shop { trust-domain: "shop.example" }\nservice web {}\nservice api {}\nservice pay { port: 8080/http }\n'
        "allow api -> pay : GET /charges/{id}\n"
    )
    asked = "web -> pay POST /charges"
    flips = []
    for text in (program, program + statement + "\n"):
        reader = MemoryReader({"a.mesh": text})
        index = compile_program(("a.mesh",), reader).index
        assert index is not None
        explanation, _ = explain_text(index, asked, FlipFinder(("a.mesh",), reader))
        assert explanation is not None
        flips.append(explanation)
    offered, withheld = flips
    assert offered.flip is not None
    assert offered.obstacle == ""
    assert withheld.flip is None
    assert withheld.obstacle in (f"`{statement}`", "the test `nobody charges: web -> pay POST /charges`")


def test_claims_that_nobody_verifies_count_for_nothing_and_are_told_of(index: MeshIndex) -> None:
    explanation, diagnostics = explain_text(index, 'web -> api GET /a/b claims {role: "x"}')
    assert explanation is not None
    assert explanation.decision.allowed
    assert [one.code.id for one in diagnostics] == ["MSH610"]


GUARDED = """
mesh shop { trust-domain: "shop.example" }
jwt corp { issuer: "https://id.example", audiences: ["shop"], jwks: "https://id.example/keys.json" }
service web { port: 8080/http, mtls: permissive }
service api { port: 8080/http }
allow plaintext -> web : GET /healthz
allow web -> api : GET /admin/** if claim "role" == "sre" or query "key" ~ "k[0-9]+"
deny any -> api : /admin/secret unless claim "level" present
limit any -> api 5/s per claim "sub"
"""


@pytest.mark.parametrize(
    ("asked", "allowed", "near", "flip"),
    [
        ('web -> api GET /admin/x claims {role: "sre"}', True, False, None),
        ("web -> api GET /admin/x?key=k7", True, False, None),
        ("web -> api GET /admin/x?key=7", False, True, None),
        ('web -> api GET /admin/secret claims {role: "sre"}', False, False, "delete the deny of `/admin/secret`"),
        ("web -> api POST /admin/x", False, False, "add `allow web -> api : POST /admin/x`"),
        ("plaintext -> web GET /healthz", True, False, None),
        ("plaintext -> web GET /", False, False, "add `allow plaintext -> web : GET /`"),
        ("plaintext -> api GET /", False, False, None),
    ],
)
def test_a_guard_that_is_not_met_is_shown_and_not_gone_round(
    asked: str, allowed: bool, near: bool, flip: str | None
) -> None:
    reader = MemoryReader({"p.mesh": GUARDED})
    index = compile_program(("p.mesh",), reader).index
    assert index is not None
    explanation, diagnostics = explain_text(index, asked, FlipFinder(("p.mesh",), reader))
    assert not diagnostics
    assert explanation is not None
    assert explanation.decision.allowed is allowed
    assert [rule.id for rule in explanation.near] == (
        ['allow web -> api : GET /admin/** if claim "role" == "sre" or query "key" ~ "k[0-9]+"'] if near else []
    )
    if not allowed and not near:
        assert (None if explanation.flip is None else explanation.flip.fix.title) == flip
