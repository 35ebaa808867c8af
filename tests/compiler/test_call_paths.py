"""Asserts about paths of calls agree with a search of every path, on meshes large and dense enough to have many."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from meshc_compiler.evaluate import evaluate
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import CompileResult, compile_program
from meshc_lang.request import Request

NAMES = ("a", "b", "c", "d", "e")
HEAD = 'mesh shop { trust-domain: "shop.corp.example" }\n' + "".join(
    f"service {name} {{ port: 80/http }}\n" for name in NAMES
)


@dataclass(frozen=True)
class Calls:
    """Who may call whom, how many extra tries each call is given, and how long it may take (0: no timeout)."""

    edges: frozenset[tuple[str, str]]
    retries: dict[tuple[str, str], int]
    timeouts: dict[tuple[str, str], int]

    def text(self) -> str:
        lines = [f"allow {caller} -> {callee} : GET /**" for caller, callee in sorted(self.edges)]
        for (caller, callee), limit in sorted(self.retries.items()):
            lines.append(f"edge {caller} -> {callee} {{ retry {{ limit: {limit}, on: [connect-failure] }} }}")
        for (caller, callee), seconds in sorted(self.timeouts.items()):
            lines.append(f"edge {caller} -> {callee} {{ timeout: {seconds}s }}" if seconds else "")
        return "\n".join(lines) + "\n"

    def paths(self, start: str, end: str, seen: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, str], ...]]:
        """Yield every path that visits no service twice but its end."""
        for caller, callee in sorted(self.edges):
            if caller != start or callee in (*seen, start):
                continue
            if callee == end:
                yield ((caller, callee),)
            for rest in self.paths(callee, end, (*seen, start)):
                yield ((caller, callee), *rest)

    def reach(self, start: str) -> set[str]:
        """Return the services that calls lead to from one, itself among them where they lead back."""
        found: set[str] = set()
        todo = [start]
        while todo:
            at = todo.pop()
            for caller, callee in self.edges:
                if caller == at and callee not in found:
                    found.add(callee)
                    todo.append(callee)
        return found


pairs = st.sampled_from([(left, right) for left in NAMES for right in NAMES if left != right])


@st.composite
def calls(draw: st.DrawFn) -> Calls:
    edges = frozenset(draw(st.sets(pairs, max_size=9)))
    of_edges = st.sampled_from(sorted(edges)) if edges else st.nothing()
    retries = draw(st.dictionaries(of_edges, st.integers(1, 3)))
    timeouts = draw(st.dictionaries(of_edges, st.integers(1, 9)))
    return Calls(edges, retries, timeouts)


def compiled(text: str) -> CompileResult:
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": HEAD + text}))
    assert result.index is not None, [one.message for one in result.diagnostics]
    return result


def breaks(result: CompileResult, code: str) -> list[str]:
    for one in result.diagnostics:
        if one.code.id == code and one.witness is not None:
            assert result.index is not None
            assert evaluate(result.index, one.witness).allowed
    return [one.message for one in result.diagnostics if one.code.id == code]


@given(calls(), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_a_chain_is_found_exactly_where_calls_lead(mesh: Calls, start: str, end: str) -> None:
    result = compiled(mesh.text() + f"assert never {start} ->* {end}\n")
    assert bool(breaks(result, "MSH316")) is (end in mesh.reach(start))


@given(calls(), st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(1, 70))
def test_attempts_are_the_product_along_the_worst_path(mesh: Calls, start: str, end: str, bound: int) -> None:
    found = breaks(compiled(mesh.text() + f"assert attempts({start} -> {end}) <= {bound}\n"), "MSH312")
    way = {start, *mesh.reach(start)}
    way = {at for at in way if end in mesh.reach(at)}
    circle = any(at in mesh.reach(at) for at in way if at in _on_circle_within(mesh, way))
    if circle:
        assert len(found) == 1
        assert "nothing bounds it" in found[0]
        return
    products = [math.prod(1 + mesh.retries.get(edge, 0) for edge in path) for path in mesh.paths(start, end)]
    worst = max(products, default=0)
    assert bool(found) is (worst > bound)
    if found:
        assert f"may become {worst} " in found[0]


def _on_circle_within(mesh: Calls, way: set[str]) -> set[str]:
    """The services on the way from which calls along the way lead back to them."""
    within = Calls(frozenset(edge for edge in mesh.edges if way.issuperset(edge)), {}, {})
    return {at for at in way if at in within.reach(at)}


@given(calls(), st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(1, 9))
def test_a_deadline_is_the_longest_first_wait(mesh: Calls, start: str, end: str, bound: int) -> None:
    found = breaks(compiled(mesh.text() + f"assert deadline({start} -> {end}) <= {bound}s\n"), "MSH313")
    firsts = {
        (caller, callee)
        for caller, callee in mesh.edges
        if caller == start and (callee == end or end in mesh.reach(callee))
    }
    waits = [mesh.timeouts.get(edge, math.inf) for edge in firsts]
    assert bool(found) is (max(waits, default=0) > bound)


@given(calls(), st.integers(1, 9), st.sampled_from(["a", "b", "any"]))
def test_every_edge_means_every_one(mesh: Calls, bound: int, callee: str) -> None:
    ends = "" if callee == "any" else f" to {callee}"
    found = breaks(compiled(mesh.text() + f"assert every edge{ends} has edge.timeout <= {bound}s\n"), "MSH311")
    edges = [edge for edge in mesh.edges if callee in ("any", edge[1])]
    assert bool(found) is any(mesh.timeouts.get(edge, math.inf) > bound for edge in edges)


@given(calls(), pairs)
def test_what_always_promises_is_what_is_allowed(mesh: Calls, pair: tuple[str, str]) -> None:
    caller, callee = pair
    result = compiled(mesh.text() + f"assert always {caller} -> {callee} : GET /x\n")
    found = [one for one in result.diagnostics if one.code.id == "MSH314"]
    assert result.index is not None
    allowed = evaluate(result.index, Request(caller=caller, callee=callee, path="/x")).allowed
    assert bool(found) is not allowed
    assert all(one.witness is not None and not evaluate(result.index, one.witness).allowed for one in found)


@given(calls(), st.sets(st.sampled_from(NAMES), min_size=1, max_size=3), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_grants_to_any_close_no_circle_and_open_a_path_once(
    mesh: Calls, open_to_any: set[str], start: str, end: str
) -> None:
    """Circles are those of calls by name; a path has at most one call that `any` alone opens on a circle."""
    text = mesh.text() + "".join(f"allow any -> {name} : GET /healthz\n" for name in sorted(open_to_any))
    found = breaks(compiled(text + f"assert attempts({start} -> {end}) < 1\n"), "MSH312")
    named = mesh.edges
    everyone = Calls(named | {(a, b) for a in NAMES for b in open_to_any if a != b}, mesh.retries, {})
    way = {at for at in {start, *everyone.reach(start)} if end in everyone.reach(at)}
    if any(at in _on_circle_within(mesh, way) for at in way):
        assert "nothing bounds it" in found[0]
        return
    within = Calls(frozenset(edge for edge in everyone.edges if edge[0] in way and edge[1] in way), {}, {})
    loose = {(a, b) for a, b in everyone.edges - named if a in way and b in way and a in within.reach(b)}
    firm = Calls(everyone.edges - loose, {}, {})
    products = [
        math.prod(1 + mesh.retries.get(edge, 0) for edge in path)
        for path in everyone.paths(start, end)
        if len(path) == 1
        or (
            sum(edge in loose for edge in path) <= 1
            and not any(a in firm.reach(b) for a, b in loose.intersection(path))
        )
    ]
    # A path may come by the callee on its way to it.
    worst = max(products, default=0)
    assert bool(found) is (worst > 0)
    if found:
        assert f"may become {worst} " in found[0]


def test_a_call_that_may_only_ask_for_health_leads_nowhere() -> None:
    health = HEAD.replace("service a { port: 80/http }", "service a { port: 80/http, health: /healthz }")
    text = "allow a -> b : GET /x\nallow b -> a : GET /healthz\nassert attempts(a -> b) <= 1\n"
    for head, holds in ((health, True), (HEAD, False)):
        result = compile_program(("p.mesh",), MemoryReader({"p.mesh": head + text}))
        assert (breaks(result, "MSH312") == []) is holds


def test_times_of_tries_are_added_up_and_the_way_is_shown() -> None:
    text = (
        "allow a -> b : GET /x\nallow b -> c : GET /x\n"
        "edge a -> b { retry { limit: 2, on: [connect-failure], per-try: 500ms, backoff: 25ms..125ms } }\n"
        "assert deadline(a -> c) <= 1s\n"
    )
    (found,) = breaks(compiled(text), "MSH313")
    assert found.endswith("`a -> b` may wait 1750ms (3 × 500ms + 2 × 125ms), on the way `a -> b -> c`")
