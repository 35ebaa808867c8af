"""A route narrowed by mirrors holds for exactly the requests that the rule and all the mirrors match."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from meshc_backends.envoy.message import Message
from meshc_backends.envoy.mirror import narrowed
from meshc_compiler.evaluate import View, matches
from meshc_compiler.ir.match import HeaderPresent, RequestMatch
from meshc_compiler.ir.slice import OutboundMirror
from meshc_compiler.ir.traffic import Mirror
from meshc_compiler.path import canonical_path
from support.ir_mesh import http_port, service, template, workload

SEGMENTS = ("a", "b", "*", "{id:int}", "{id:slug}")

templates = st.builds(
    lambda pieces, rest: template("/" + "/".join([*pieces, *(["**"] if rest else [])])),
    st.lists(st.sampled_from(SEGMENTS), max_size=3),
    st.booleans(),
)
requests = st.builds(
    RequestMatch,
    methods=st.sampled_from([(), ("GET",), ("GET", "POST")]),
    path=st.none() | templates,
    condition=st.sampled_from([None, HeaderPresent("x")]),
)
paths = st.builds(
    lambda pieces, slash: "/" + "/".join(pieces) + ("/" if slash and pieces else ""),
    st.lists(st.sampled_from(["a", "b", "7", "c-d", "E"]), max_size=4),
    st.booleans(),
)
queries = st.none() | st.sampled_from(["", "x=1", "/a", "/a/b/", "?", "/7?/b"])


def mirror_of(match: RequestMatch) -> OutboundMirror:
    mirror = Mirror(
        id="m", service="api", port=8080, match=match, target_service="s", target_port=80, target_version=None, share=1
    )
    return OutboundMirror(mirror=mirror, service=service("s"), workload=workload("s"), port=http_port(80))


def holds(route: Message, method: str, path: str, query: str | None, headers: dict[str, str]) -> bool:
    """Decide as Envoy does: the path's own field sees no query, the pseudo-header does."""
    seen = {":method": method, ":path": path if query is None else f"{path}?{query}", **headers}
    if "safe_regex" in route and re.fullmatch(route["safe_regex"]["regex"], path) is None:
        return False
    if str(route.get("path", path)) != path or not path.startswith(route.get("prefix", "/")):
        return False
    return all(_header_holds(matcher, seen.get(matcher["name"])) for matcher in route.get("headers", []))


def _header_holds(matcher: Message, value: str | None) -> bool:
    if "present_match" in matcher:
        return bool((value is not None) == matcher["present_match"])
    if value is None:
        return False
    text = matcher["string_match"]
    if "exact" in text:
        return bool(value == text["exact"])
    if "prefix" in text:
        return value.startswith(str(text["prefix"]))
    return re.fullmatch(text["safe_regex"]["regex"], value) is not None


@settings(max_examples=600, deadline=None)
@given(requests, st.lists(requests, max_size=2), st.sampled_from(["GET", "POST"]), paths, queries, st.booleans())
def test_narrowing_is_and(
    rule: RequestMatch, mirrors: list[RequestMatch], method: str, path: str, query: str | None, bears: bool
) -> None:
    routes = narrowed(rule, tuple(map(mirror_of, mirrors)))
    headers = {"x": ""} if bears else {}
    canonical = canonical_path(path)
    assert canonical == path
    view = View(headers=tuple(headers.items()))
    wanted = all(matches(match, method, path, view) for match in (rule, *mirrors))
    assert any(holds(route, method, path, query, headers) for route in routes) == wanted
