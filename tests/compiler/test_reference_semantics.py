"""The evaluator against another that was written without looking: patterns to regular expressions, rules to loops."""

from __future__ import annotations

import re
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from meshc_compiler.evaluate import Reason, View, evaluate, holds, matches, members, route_rule
from meshc_compiler.ir.caller import AnyCaller, TheseCallers
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import (
    AllOf,
    AnyOf,
    Condition,
    HeaderOneOf,
    HeaderPresent,
    Not,
    PathRegex,
    PathTemplate,
    RequestMatch,
    SegmentKind,
)
from meshc_compiler.ir.mesh import Mesh, MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.ir.workload import Protocol, Service, ServicePort, Workload
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_lang.request import Request
from support.request_strategies import any_matches, headers, requests

DOMAIN = "shop.example"
NAMES = ("web", "job", "api")
Lines = tuple[tuple[str, str], ...]

SEGMENT = {
    SegmentKind.ANY: "[^/]+",
    SegmentKind.INT: "[0-9]+",
    SegmentKind.UUID: "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
    SegmentKind.SLUG: "[a-z0-9-]+",
}


def said(match: RequestMatch, method: str, path: str, lines: Lines) -> bool:
    return matches(match, method, path, View(headers=lines))


def naive_path(pattern: PathTemplate | PathRegex, path: str) -> bool:
    if isinstance(pattern, PathRegex):
        return re.fullmatch(pattern.pattern, path) is not None
    text = ""
    for segment in pattern.segments:
        if segment.kind is SegmentKind.REST:
            text += "(/.*)?"
        else:
            text += "/" + SEGMENT.get(segment.kind, re.escape(segment.literal))
    return re.fullmatch(text + "/?", path) is not None


def naive_condition(condition: Condition, lines: Lines) -> bool:
    joined: dict[str, str] = {}
    for name, value in lines:
        key = name.lower()
        joined[key] = f"{joined[key]},{value}" if key in joined else value
    match condition:
        case HeaderPresent(name):
            return name in joined
        case HeaderOneOf(name, values):
            # As Envoy is told: the whole, at the start, at the end, in the middle.
            line = joined.get(name)
            return line is not None and any(
                line == v
                or line.startswith(f"{v},")
                or line.endswith((f",{v}", f", {v}"))
                or f",{v}," in line
                or f", {v}," in line
                for v in values
            )
        case AllOf(operands):
            return min(naive_condition(operand, lines) for operand in operands)
        case AnyOf(operands):
            return max(naive_condition(operand, lines) for operand in operands)
        case Not(operand):
            return naive_condition(operand, lines) is False
    raise AssertionError


def naive_match(match: RequestMatch, method: str, path: str, lines: Lines) -> bool:
    if match.methods and method not in match.methods:
        return False
    if match.path is not None and not naive_path(match.path, path):
        return False
    return match.condition is None or naive_condition(match.condition, lines)


def identity(name: str) -> SpiffeId:
    return SpiffeId.of_workload(DOMAIN, "default", name)


def mesh_of(rules: list[Rule]) -> MeshIndex:
    port = ServicePort(name=None, number=80, protocol=Protocol.HTTP)
    return MeshIndex(
        Mesh(
            name="shop",
            trust_domain=DOMAIN,
            workloads=tuple(
                Workload(name=name, namespace="default", service_account=name, spiffe_id=identity(name))
                for name in NAMES
            ),
            services=(Service(name="api", host="api", namespace="default", workload="api", ports=(port,)),),
            rules=tuple(rules),
        )
    )


rule_lists = st.lists(
    st.tuples(st.sampled_from(list(Effect)), st.sets(st.sampled_from(NAMES)), any_matches), max_size=6
)


@settings(max_examples=200)
@given(rule_lists, st.sampled_from((*NAMES, "plaintext", f"spiffe://{DOMAIN}/ns/x/sa/y")), requests)
def test_the_evaluator_agrees_with_a_naive_one(
    drawn: list[tuple[Effect, set[str], RequestMatch]], caller: str, ask: tuple[str, str, Lines]
) -> None:
    rules = [
        Rule(
            id=f"{number}",
            effect=effect,
            callers=TheseCallers(tuple(sorted(map(identity, names)))) if names else AnyCaller(),
            callee="api",
            port=80,
            match=match,
        )
        for number, (effect, names, match) in enumerate(drawn)
    ]
    method, path, lines = ask
    allowed = denied = False
    for effect, names, match in drawn:
        if (not names or caller in names) and caller != "plaintext" and naive_match(match, method, path, lines):
            allowed |= effect is Effect.ALLOW
            denied |= effect is Effect.DENY
    decision = evaluate(mesh_of(rules), Request(caller=caller, callee="api", method=method, path=path, headers=lines))
    assert decision.allowed is (allowed and not denied)
    assert bool(decision.rules) is (decision.reason in {Reason.ALLOWED, Reason.DENIED_BY_RULE})


@given(any_matches, requests)
def test_a_match_agrees_with_a_naive_one(match: RequestMatch, ask: tuple[str, str, Lines]) -> None:
    assert said(match, *ask) is naive_match(match, *ask)


@given(headers, st.sampled_from(("x-one", "x-two")), st.sampled_from(("1", "2")))
def test_equal_and_not_equal_are_opposites(lines: Lines, name: str, value: str) -> None:
    equal = HeaderOneOf(name, (value,))
    assert holds(equal, View(headers=lines)) is not holds(Not(equal), View(headers=lines))
    assert holds(equal, View(headers=lines)) is (value in members(lines, name))
    if holds(equal, View(headers=lines)):
        assert holds(HeaderPresent(name), View(headers=lines))


def test_members_lose_one_leading_space_and_lines_their_white_space() -> None:
    lines = (("X", "\ta,  b "), ("x", ""))
    assert members(lines, "x") == ("a", " b", "")
    assert holds(HeaderPresent("x"), View(headers=(("X", ""),)))
    assert not holds(HeaderPresent("x"), View())


def test_what_a_refused_caller_sees() -> None:
    index = mesh_of([])
    ask = Request(caller="web", callee="api")

    def fate(**changes: object) -> tuple[Reason, int | None]:
        fields = {"caller": "web", "callee": "api", "path": "/", **changes}
        decision = evaluate(index, Request(**fields))  # type: ignore[arg-type]
        assert not decision.allowed
        return decision.reason, decision.status

    assert evaluate(index, ask).reason is Reason.NO_ALLOW
    assert fate() == (Reason.NO_ALLOW, 403)
    assert fate(path="/a%2Fb") == (Reason.REFUSED_PATH, 400)
    assert fate(caller="plaintext", path="/a%2Fb") == (Reason.PLAINTEXT, None)
    assert fate(caller="nobody") == (Reason.UNKNOWN_CALLER, 403)
    assert fate(caller="spiffe://other.example/ns/default/sa/web") == (Reason.UNKNOWN_CALLER, 403)
    assert fate(callee="nothing") == (Reason.UNKNOWN_CALLEE, 403)
    assert fate(port="admin") == (Reason.UNKNOWN_CALLEE, 403)


ROUTES = """
mesh shop { trust-domain: "shop.example" }
service web {}
service api { port: 80/http, versions: [v1, v2, v3] }
allow web -> api : * /**
route api {
  /** => v1 as rest
  /a/** => v2 as wide
  GET /a/{id} => v3 as one
  /a/{id:int} => v1 as number over one
  /a/** if header "x-one" present => v3 as marked over one, number
  ~"/(a|b)/.*" => v2 as pattern over wide, one, number, marked
}
"""


@cache
def routed_mesh() -> MeshIndex:
    index = compile_program(("p.mesh",), MemoryReader({"p.mesh": ROUTES})).index
    assert index is not None
    return index


@given(requests)
def test_the_first_route_rule_that_matches_is_the_one_that_wins(ask: tuple[str, str, Lines]) -> None:
    index = routed_mesh()
    method, path, lines = ask
    rules = index.routes["api", 80].rules
    first = next((rule for rule in rules if said(rule.match, method, path, lines)), None)
    assert route_rule(index, "api", 80, method, path, View(headers=lines)) == first
    assert first is not None
