"""Mirrors, faults, answers of routes, health: what becomes of a request, and what a sidecar is given."""

from __future__ import annotations

import pytest

from meshc_compiler.evaluate import Decision, evaluate
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.route import Redirect, Respond
from meshc_compiler.ir.setting import NOTHING_STATED
from meshc_compiler.ir.slice import slice_of
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_compiler.request import resolve_request
from meshc_compiler.why import explain, overridden_rows
from meshc_lang.parser import parse_request

PROGRAM = """\
mesh shop { trust-domain: "shop.example" }
service web {}
service jobs {}
service api { ports { public: 80/http, admin: 81/http }, versions: [v1, v2], health { path: /up, port: public } }
service shadow { port: 80/http }
external bank { hosts: ["bank.example.com"], port: 443/tls }
allow web -> api : GET|POST /**
allow jobs -> api.public : GET /up, GET /v1/**
allow web -> shadow : /**
allow jobs -> shadow : /**
allow web -> bank : POST /pay
deny any -> api : /old/secret
defaults mesh { timeout: 5s, retry { limit: 1, on: [connect-failure] } }
defaults api { timeout: 4s, retry: off }
edge web -> api { timeout: 3s }
edge web -> api.public { timeout: 2s }
mirror api.public GET /v1/** if header "x-test" present => shadow 5%
mirror api.public GET /v1/** => api.v2
fault slow on web -> api.public { delay: 500ms, percent: 5% }
fault down on web -> bank { abort: 503 }
limit web -> api 5/s
route api.public {
  /old/** => redirect "https://shop.example/new" as old
  GET /gone => respond 410
  /v1/** => v1 as one { timeout: 1s }
}
"""


@pytest.fixture(scope="module")
def index() -> MeshIndex:
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": PROGRAM}))
    assert result.index is not None, [one.message for one in result.diagnostics]
    assert [one.message for one in result.diagnostics] == []
    return result.index


def decided(index: MeshIndex, text: str) -> Decision:
    request, problems = parse_request(text)
    assert request is not None, problems
    resolved, problems = resolve_request(index, request)
    assert resolved is not None, problems
    return evaluate(index, resolved)


def test_every_mirror_that_matches_gets_a_copy(index: MeshIndex) -> None:
    plain = decided(index, "web -> api.public GET /v1/a")
    assert [(one.target_service, one.target_version, one.share) for one in plain.mirrors] == [("api", "v2", 1_000_000)]
    both = decided(index, 'jobs -> api.public GET /v1/a {x-test: ""}')
    assert {one.target_service for one in both.mirrors} == {"api", "shadow"}
    for text in ("web -> api.public POST /v1/a", "web -> api.admin GET /v1/a", "web -> api.public GET /x"):
        assert decided(index, text).mirrors == ()


def test_faults_befall_the_callers_that_they_name_on_the_port_that_they_name(index: MeshIndex) -> None:
    assert [fault.name for fault in decided(index, "web -> api.public GET /v1/a").faults] == ["slow"]
    assert decided(index, "jobs -> api.public GET /v1/a").faults == ()
    assert decided(index, "web -> api.admin GET /v1/a").faults == ()
    assert [fault.abort_status for fault in decided(index, "web -> bank POST /pay").faults] == [503]


def test_an_answer_is_given_to_who_is_allowed_and_makes_no_call(index: MeshIndex) -> None:
    old = decided(index, "web -> api.public POST /old/x")
    assert (old.allowed, old.status, old.answer) == (True, 307, Redirect(location="https://shop.example/new"))
    gone = decided(index, "web -> api.public GET /gone")
    assert (gone.status, gone.answer) == (410, Respond(status=410))
    for decision in (old, gone):
        assert (decision.destinations, decision.mirrors, decision.faults, decision.limits) == ((), (), (), ())
        assert decision.settings == NOTHING_STATED
    assert decided(index, "jobs -> api.public GET /gone").status == 403
    assert decided(index, "web -> api.public GET /old/secret").status == 403


def test_health_is_that_of_the_service(index: MeshIndex) -> None:
    decision = decided(index, "web -> api.public GET /v1/a")
    assert decision.health is not None
    assert (decision.health.path, decision.health.port, decision.health.unhealthy) == ("/up", 80, 3)
    assert decided(index, "web -> shadow GET /").health is None


def test_overridden_values_are_told_the_most_specific_first(index: MeshIndex) -> None:
    rows = overridden_rows(index, decided(index, "web -> api.public GET /v1/a"))
    assert [(name, value, scope) for name, value, scope, _ in rows] == [
        ("timeout", "2s", "edge-port"),
        ("timeout", "3s", "edge"),
        ("timeout", "4s", "service"),
        ("timeout", "5s", "mesh"),
        ("retry limit", "1", "mesh"),
    ]
    assert all(span is not None for *_, span in rows)
    assert overridden_rows(index, decided(index, "web -> api.public GET /gone")) == ()
    assert overridden_rows(index, decided(index, "jobs -> api.public GET /x")) == ()


def test_an_explanation_of_an_answer_has_no_settings(index: MeshIndex) -> None:
    decision = decided(index, "web -> api.public GET /gone")
    assert explain(index, decision.request).settings == NOTHING_STATED


def test_a_sidecar_is_given_what_it_does_itself_and_nothing_else(index: MeshIndex) -> None:
    web, jobs, api = (slice_of(index, index.workloads[name]) for name in ("web", "jobs", "api"))
    public = next(one for one in web.services if (one.service.name, one.port.number) == ("api", 80))
    admin = next(one for one in web.services if (one.service.name, one.port.number) == ("api", 81))
    assert {rule.id for rule in public.guards} == {rule.id for rule in index.rules_of("api", 80)}
    assert admin.guards == ()
    assert [(one.service.name, one.port.number) for one in public.mirrors] == [("api", 80), ("shadow", 80)]
    assert admin.mirrors == ()
    answered = [rule.settings for rule in public.rules if rule.rule is not None and rule.rule.answer is not None]
    assert answered == [NOTHING_STATED, NOTHING_STATED]
    assert [fault.name for fault in web.externals[0].faults] == ["down"]
    inbound = next(port for port in api.inbound if port.port.number == 80)
    assert [fault.name for fault in inbound.faults] == ["slow"]
    assert jobs.externals == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("allow jobs -> api.public : GET /up", None),
        ("deny jobs -> api.public : GET /up", "MSH232"),
        ('deny any -> api.public : /up unless header "x" present', "MSH232"),
    ],
)
def test_whoever_calls_may_ask_for_health(text: str, code: str | None) -> None:
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": PROGRAM + text + "\n"}))
    assert (code in {one.code.id for one in result.diagnostics}) == (code is not None)


def test_a_copy_that_nobody_takes_is_told() -> None:
    changed = PROGRAM.replace("allow jobs -> shadow : /**\n", "")
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": changed}))
    [finding] = [one for one in result.diagnostics if one.code.id == "MSH442"]
    assert finding.message == "copies of what `jobs` sends to `api` are refused by `shadow`"
