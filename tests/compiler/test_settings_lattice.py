"""Settings: the most specific scope wins, field by field; order never matters; a contradiction has two sides."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshc_compiler.evaluate import evaluate
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.setting import SETTING_NAMES, Scope, Settings
from meshc_compiler.loader import MemoryReader
from meshc_compiler.lower.setting_text import setting_text
from meshc_compiler.pipeline import CompileResult, compile_program
from meshc_compiler.request import resolve_request
from meshc_lang.parser import parse_request

HEAD = """\
mesh shop { trust-domain: "shop.example" }
service web {}
service api { ports { public: 80/http, admin: 81/http } }
allow web -> api : GET /**
"""

VALUES = {
    "timeout": ("1s", "2s", "off"),
    "connect-timeout": ("1s", "2s", "off"),
    "idle-timeout": ("1s", "2s", "off"),
    "retry limit": ("0", "1", "2"),
    "retry on": ("[connect-failure]", "[refused-stream]"),
    "retry budget": ("10%", "20%"),
    "retry backoff": ("1ms..2ms", "1ms..3ms"),
    "retry per-try": ("100ms", "off"),
    "retry idempotent": ("true", "false"),
    "retry key-header": ('"a"', '"b"', "off"),
    "breaker max-requests": ("5", "6", "off"),
    "breaker max-pending": ("5", "6", "off"),
    "breaker max-connections": ("5", "off"),
    "breaker consecutive-5xx": ("5", "off"),
    "breaker eject": ("5s", "6s"),
    "breaker interval": ("5s", "6s"),
    "breaker max-ejected": ("50%", "100%"),
    "balance": ("random", "least-request", "off"),
    "telemetry sampling": ("5%", "off"),
    "telemetry access-log": ("on", "off", "errors"),
}
"""Values of the settings that every scope takes, as they are written."""

SCOPES = {
    Scope.MESH: "defaults mesh { %s }",
    Scope.SERVICE: "defaults api { %s }",
    Scope.EDGE: "edge web -> api { %s }",
    Scope.EDGE_PORT: "edge web -> api.public { %s }",
    Scope.ROUTE: "route api.public {\n  GET /** => api as all { %s }\n}",
}


@dataclass(frozen=True)
class Stated:
    scope: Scope
    setting: str
    value: str

    @property
    def line(self) -> str:
        block, _, key = self.setting.partition(" ")
        inside = f"{block} {{ {key}: {self.value} }}" if key else f"{block}: {self.value}"
        return SCOPES[self.scope] % inside


@st.composite
def statements(draw: st.DrawFn) -> list[Stated]:
    """Several values, at most one for each scope and setting; all that a route states stands in one rule."""
    chosen = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=3, unique=True))
    return [
        Stated(scope, setting, draw(st.sampled_from(VALUES[setting])))
        for setting in chosen
        for scope in draw(st.sets(st.sampled_from([scope for scope in Scope if scope is not Scope.ROUTE])))
    ]


def compiled(lines: list[str]) -> CompileResult:
    return compile_program(("p.mesh",), MemoryReader({"p.mesh": HEAD + "\n".join(lines) + "\n"}))


def stated_about(index: MeshIndex, port: int) -> Settings:
    return index.stated("web", "api", port, None)


def spelled(settings: Settings) -> dict[str, tuple[str, Scope]]:
    return {
        name: (setting_text(field, one.value), one.scope)
        for field, name in SETTING_NAMES.items()
        if (one := getattr(settings, field)) is not None
    }


def canonical(value: str, setting: str) -> str:
    if setting == "balance" and value == "off":
        return "round-robin"
    return value.strip('"')


@given(statements(), st.randoms())
def test_the_most_specific_scope_wins_field_by_field_in_any_order(stated: list[Stated], random: object) -> None:
    lines = [one.line for one in stated]
    random.shuffle(lines)  # type: ignore[attr-defined]
    result = compiled(lines)
    assert result.index is not None, [one.message for one in result.diagnostics]
    for port, scopes in ((80, set(Scope)), (81, {Scope.MESH, Scope.SERVICE, Scope.EDGE})):
        expected: dict[str, tuple[str, Scope]] = {}
        for one in sorted(stated, key=lambda one: one.scope):
            if one.scope in scopes:
                expected[one.setting] = (canonical(one.value, one.setting), one.scope)
        assert spelled(stated_about(result.index, port)) == expected


@given(st.sampled_from(sorted(VALUES)), st.sampled_from([one for one in Scope if one is not Scope.ROUTE]), st.data())
def test_two_values_at_one_scope_contradict_each_other_from_either_side(
    setting: str, scope: Scope, data: st.DataObject
) -> None:
    one, other = data.draw(st.permutations(VALUES[setting]))[:2]
    lines = [Stated(scope, setting, value).line for value in (one, other)]
    for ordered in (lines, lines[::-1]):
        conflicts = [found for found in compiled(ordered).diagnostics if found.code.id == "MSH420"]
        assert len(conflicts) == 1
        texts = {conflicts[0].primary.text, conflicts[0].related[0].span.text}
        assert len(texts) == 2
    assert [found.code.id for found in compiled([lines[0], lines[0]]).diagnostics if found.code.id == "MSH420"] == []


def decided(program: list[str], text: str) -> Settings:
    result = compiled(program)
    assert result.index is not None, [one.message for one in result.diagnostics]
    request, _ = parse_request(text)
    assert request is not None
    resolved, problems = resolve_request(result.index, request)
    assert resolved is not None, problems
    return evaluate(result.index, resolved).settings


@pytest.mark.parametrize("setting", sorted(VALUES))
def test_a_route_beats_every_other_scope(setting: str) -> None:
    low, high = VALUES[setting][:2]
    lines = [Stated(scope, setting, low).line for scope in Scope if scope is not Scope.ROUTE]
    lines.append(Stated(Scope.ROUTE, setting, high).line)
    settings = decided(lines, "web -> api.public GET /x")
    field = next(field for field, name in SETTING_NAMES.items() if name == setting)
    stated = getattr(settings, field)
    if high == "off":
        assert stated is None or stated.scope is Scope.ROUTE
    else:
        assert (setting_text(field, stated.value), stated.scope) == (canonical(high, setting), Scope.ROUTE)


def test_what_is_off_is_as_if_nothing_were_stated() -> None:
    lines = [
        "defaults mesh { breaker { max-requests: 5, consecutive-5xx: 5 }, connect-timeout: 1s, idle-timeout: 1s }",
        "defaults api { breaker: off, connect-timeout: off, idle-timeout: off }",
    ]
    assert decided(lines, "web -> api.public GET /x") == Settings()


def test_a_connection_has_the_settings_of_connections_alone() -> None:
    lines = [
        "service db { port: 5432/tcp }",
        "allow web -> db : tcp",
        "defaults mesh { timeout: 5s, connect-timeout: 1s, breaker { max-requests: 5, max-connections: 6 } }",
    ]
    settings = decided(lines, "web -> db tcp")
    assert spelled(settings) == {
        "connect-timeout": ("1s", Scope.MESH),
        "breaker max-connections": ("6", Scope.MESH),
    }
