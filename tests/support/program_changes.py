"""Programs that differ a little, and requests that may tell them apart, to test comparisons of programs with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from meshc_compiler.evaluate import Decision, evaluate
from meshc_compiler.ir.condition import questions
from meshc_compiler.ir.match import (
    AttributeKind,
    AttributeMatches,
    AttributeOneOf,
    AttributePresent,
    HeaderMatches,
    HeaderOneOf,
    HeaderPresent,
    PathRegex,
    PathTemplate,
    RequestMatch,
    SegmentKind,
)
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.setting import SETTING_FIELDS
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_all
from meshc_compiler.regex import compiled, samples
from meshc_lang.request import PLAINTEXT, Request
from support.correct_programs import CorrectProgram, Statement

STRANGER = "spiffe://m.example/ns/else/sa/stranger"
"""A caller that no program names."""

_DROPPED = ("allow", "deny", "plaintext", "health", "settings", "defaults", "edge", "route", "mirror", "limit", "fault")
_REPLACED = (
    (r"\b(\d+)s\b", "7s"),
    (r"GET\|HEAD", "GET"),
    (r"GET", "PUT"),
    (r"POST", "GET"),
    (r"/p\d+", "/q"),
    (r"/\*\*", "/**"),
    (r"\{id:int\}", "{id:slug}"),
    (r'== "v"', '== "w"'),
    (r'== "v"', "present"),
    (r'"a\+"', '"ab+"'),
    (r'in \["a", "b"\]', 'in ["b", "c"]'),
    (r"/admin/\*\*", "/admin"),
    (r"limit: 1", "limit: 2"),
    (r"v1 \d+%, v2 \d+%", "v1 50%, v2 50%"),
    (r"=> v2", "=> v1"),
    (r"permissive", "strict"),
    (r"namespace: \w+", "namespace: moved"),
    (r"500/s", "400/s"),
    (r"5%", "6%"),
    (r"^allow [\w-]+ ->", "allow any ->"),
    (r"^deny any ->", "deny ingress ->"),
    (r"least-request", "random"),
    (r"99\.9%", "99%"),
)


def meshes_of(*texts: str) -> dict[str | None, MeshIndex] | None:
    """Return a program by itself and in each of its overlays; None where it has errors."""
    result = compile_all((".",), MemoryReader({f"{number}.mesh": text for number, text in enumerate(texts)}))
    if result.index is None or any(one.index is None for one in result.overlays):
        return None
    return {None: result.index, **{one.overlay: one.index for one in result.overlays if one.index is not None}}


def without_promises(program: CorrectProgram) -> CorrectProgram:
    """Return a program without what a change may break: asserts, tests, and overlays that name what is gone."""
    kept = tuple(one for one in program.statements if one.kind not in {"assert", "test", "overlay"})
    return CorrectProgram(kept)


@st.composite
def edited(draw: DrawFn, program: CorrectProgram) -> CorrectProgram:
    """A program with one statement less, or with one word of a statement changed."""
    if draw(st.integers(0, 3)) == 0:
        return program.without(draw(st.sampled_from(program.of_kind(*_DROPPED))))
    pattern, new = draw(st.sampled_from(_REPLACED))
    fitting = [one for one in program.statements if re.search(pattern, one.text)]
    if not fitting:
        return program.without(draw(st.sampled_from(program.of_kind(*_DROPPED))))
    statement: Statement = draw(st.sampled_from(fitting))
    places = list(re.finditer(pattern, statement.text))
    place = draw(st.sampled_from(places))
    text = statement.text[: place.start()] + new + statement.text[place.end() :]
    return CorrectProgram(
        tuple(replace(one, text=text) if one is statement else one for one in program.statements),
    )


# ---- requests


def requests_about(indexes: tuple[MeshIndex, ...], callers: tuple[str, ...]) -> Iterator[Request]:
    """Yield requests along every match of the programs: paths that it has, with and without what it asks for."""
    for index in indexes:
        matches: dict[tuple[str, int], dict[RequestMatch, None]] = {}
        for rule in index.mesh.rules:
            matches.setdefault((rule.callee, rule.port), {})[rule.match] = None
        for route in index.mesh.routes:
            for line in route.rules:
                matches.setdefault((route.service, route.port), {})[line.match] = None
        for (callee, number), own in matches.items():
            port = index.port_of(callee, number)
            if port is None:
                continue
            for match in own:
                for method in dict.fromkeys((*match.methods, "GET", "PUT")):
                    for path in _paths(match) if port.protocol.is_http else ("/",):
                        for bears in _bearing(match) if port.protocol.is_http else (Request(caller="", callee=""),):
                            for caller in callers:
                                yield replace(
                                    bears,
                                    caller=caller,
                                    callee=callee,
                                    port=port.name,
                                    method=method if port.protocol.is_http else "GET",
                                    path=path,
                                )


def _paths(match: RequestMatch) -> tuple[str, ...]:
    match match.path:
        case PathTemplate(segments):
            words = {SegmentKind.INT: "7", SegmentKind.SLUG: "a-1", SegmentKind.UUID: "x", SegmentKind.REST: ""}
            pieces = [one.literal if one.kind is SegmentKind.LITERAL else words.get(one.kind, "a") for one in segments]
            path = ("/" + "/".join(piece for piece in pieces if piece)) or "/"
            return (path, path.rstrip("/") + "/admin", path.rstrip("/") + "/a/x")
        case PathRegex(pattern):
            return (*islice(samples(compiled(pattern), 3), 3), "/")
        case _:
            return ("/", "/a")


def _bearing(match: RequestMatch) -> tuple[Request, ...]:
    """Return requests that bear nothing, all that the match asks for, and one thing of it each."""
    headers: list[tuple[str, str]] = []
    query: list[str] = []
    claims: list[tuple[str, str]] = []
    for asked in questions(match.condition):
        match asked:
            case HeaderPresent(name):
                headers.append((name, ""))
            case HeaderOneOf(name, values):
                headers += [(name, value) for value in (*values, "w", "c")]
            case HeaderMatches(name, pattern):
                headers += [(name, text) for text in islice(samples(compiled(pattern), 2), 2)] + [(name, "ab")]
            case AttributeOneOf(AttributeKind.QUERY, name, values):
                query += [f"{name}={value}" for value in values]
            case AttributeOneOf(AttributeKind.COOKIE, name, values):
                headers += [("cookie", f"{name}={value}") for value in values]
            case AttributeOneOf(AttributeKind.CLAIM, name, values):
                claims += [(name, value) for value in values]
            case AttributePresent(AttributeKind.CLAIM, name) | AttributeMatches(AttributeKind.CLAIM, name, _):
                claims.append((name, "someone"))
            case _:
                pass
    plain = Request(caller="", callee="")
    one_each = [replace(plain, headers=(header,)) for header in dict.fromkeys(headers)]
    one_each += [replace(plain, query=pair) for pair in query]
    one_each += [replace(plain, claims=(claim,)) for claim in claims]
    every = replace(plain, headers=tuple(headers), claims=tuple(claims))
    return tuple(dict.fromkeys((plain, every, *one_each)))


def callers_of(indexes: tuple[MeshIndex, ...]) -> tuple[str, ...]:
    """Return the callers that all programs know, a stranger, and one without an identity."""
    common = set.intersection(*({workload.name for workload in index.mesh.workloads} for index in indexes))
    return (*sorted(common), STRANGER, PLAINTEXT)


def fate(decision: Decision) -> tuple[object, ...]:
    """Return what becomes of a request, without names that change nothing and without where it is said."""
    shares: dict[tuple[str, str | None], int] = {}
    for one in decision.destinations:
        shares[one.service, one.version] = shares.get((one.service, one.version), 0) + one.weight
    settings = tuple(getattr(decision.settings, name) for name in SETTING_FIELDS)
    return (
        decision.allowed,
        frozenset(shares.items()),
        decision.answer,
        tuple(None if one is None else one.value for one in settings),
        sorted((one.amount, one.seconds, one.burst, str(one.per)) for one in decision.limits),
        sorted((one.target_service, str(one.target_version), one.share) for one in decision.mirrors),
        sorted((one.delay_ns or 0, one.abort_status or 0, one.share) for one in decision.faults),
        decision.health,
    )


def fate_in(index: MeshIndex, request: Request) -> tuple[object, ...]:
    """Return what becomes of a request in a program."""
    return fate(evaluate(index, request))
