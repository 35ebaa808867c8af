"""Shadow traffic: which routes send copies, and where to (`RouteAction.RequestMirrorPolicy`).

Envoy keeps mirrors in its routes, so a rule of the program becomes a route for each set of mirrors that may hold
together with it, the larger sets first: the first route that matches is the one whose mirrors all match.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from math import prod
from typing import assert_never

from meshc_backends.envoy import names
from meshc_backends.envoy.cluster_terms import NO_TERMS
from meshc_backends.envoy.header_match import ROUTES_AT_MOST, TooWideError, route_header_matches
from meshc_backends.envoy.message import Message
from meshc_backends.envoy.path_match import (
    ExactPath,
    PathForm,
    PathPrefix,
    RegexPath,
    path_forms,
    route_path_match,
)
from meshc_backends.envoy.target_expression import of_literal, of_template
from meshc_compiler.ir.match import PathMatch, PathRegex, PathTemplate, RequestMatch, SegmentKind
from meshc_compiler.ir.slice import OutboundMirror, OutboundService

MIRRORS_AT_MOST = 10
"""How many mirrors with conditions one port may have: each may hold with or without each other one."""


def mirror_sets(callee: OutboundService) -> Iterator[tuple[OutboundMirror, ...]]:
    """Yield the sets of mirrors that a request may meet, larger ones before those that they hold.

    Raises:
        TooWideError: there are more mirrors with conditions than `MIRRORS_AT_MOST`.
    """
    always = tuple(one for one in callee.mirrors if one.mirror.match.is_everything)
    sometimes = tuple(one for one in callee.mirrors if not one.mirror.match.is_everything)
    if len(sometimes) > MIRRORS_AT_MOST:
        raise TooWideError
    for size in range(len(sometimes), -1, -1):
        for chosen in combinations(sometimes, size):
            yield (*always, *chosen)


def mirror_policies(mirrors: tuple[OutboundMirror, ...]) -> Message:
    """Return the field of a `RouteAction` by which copies are sent; none, if there are no mirrors."""
    if not mirrors:
        return {}
    return {
        "request_mirror_policies": [
            {
                "cluster": mirror_cluster(one),
                "runtime_fraction": {"default_value": {"numerator": one.mirror.share, "denominator": "MILLION"}},
                # The copy is the same request: its `Host` too.
                "disable_shadow_host_suffix_append": True,
            }
            for one in mirrors
        ]
    }


def mirror_cluster(mirror: OutboundMirror) -> str:
    """Return the name of the cluster that gets the copies."""
    return names.service_cluster(mirror.service, mirror.port, mirror.mirror.target_version, NO_TERMS)


def narrowed(match: RequestMatch, mirrors: tuple[OutboundMirror, ...]) -> tuple[Message, ...]:
    """Return the `RouteMatch`es of which one holds exactly if the match and all the mirrors' do.

    Raises:
        TooWideError: there would be more than `ROUTES_AT_MOST`, or there are two expressions about one path.
    """
    matches = (match, *(one.mirror.match for one in mirrors))
    paths = tuple(dict.fromkeys(one.path for one in matches if one.path is not None))
    # A route compares one path by a field that does not see the query, so an expression must be there.
    lead = next((path for path in paths if isinstance(path, PathRegex)), paths[0] if paths else None)
    methods = _shared_methods(matches)
    if methods is None or any(_are_apart(one, other) for one, other in combinations(paths, 2)):
        return ()
    alternatives = (({"name": ":method", "string_match": {"exact": method}},) for method in methods)
    parts: list[tuple[tuple[Message, ...], ...]] = [
        tuple(alternatives) or ((),),
        *(tuple((one,) for one in path_headers(path)) for path in paths if path != lead),
        *(route_header_matches(one.condition) for one in matches),
    ]
    forms = path_forms(lead)
    if prod(map(len, parts)) * len(forms) > ROUTES_AT_MOST:
        raise TooWideError
    result = []
    for form in forms:
        for lists in product(*parts):
            headers = [header for part in lists for header in part]
            result.append({**route_path_match(form), **({"headers": headers} if headers else {})})
    return tuple(result)


def _are_apart(one: PathMatch, other: PathMatch) -> bool:
    """Tell whether no path is in two templates, as far as their literal segments and lengths show."""
    if not isinstance(one, PathTemplate) or not isinstance(other, PathTemplate):
        return False
    for left, right in zip(one.segments, other.segments, strict=False):
        if SegmentKind.REST in (left.kind, right.kind):
            return False
        if left.kind is right.kind is SegmentKind.LITERAL and left.literal != right.literal:
            return True
    longer = max(one.segments, other.segments, key=len)
    shorter = min(len(one.segments), len(other.segments))
    return len(longer) > shorter and longer[shorter].kind is not SegmentKind.REST


def _shared_methods(matches: tuple[RequestMatch, ...]) -> tuple[str, ...] | None:
    """Return the methods that all the matches take: empty for any, None for no method at all."""
    shared: set[str] | None = None
    for match in matches:
        if match.methods:
            shared = set(match.methods) if shared is None else shared & set(match.methods)
    return None if shared == set() else tuple(sorted(shared or ()))


def path_headers(path: PathMatch) -> tuple[Message, ...]:
    """Return matchers of the pseudo-header `:path` of which one holds exactly if the path matches.

    That header holds the query too, and a program's expression could find itself in it: such a one cannot be said.

    Raises:
        TooWideError: the path is an expression.
    """
    if isinstance(path, PathRegex):
        raise TooWideError
    return tuple({"name": ":path", "string_match": _with_query(form)} for form in path_forms(path))


def _with_query(form: PathForm) -> Message:
    match form:
        case ExactPath(path):
            return {"safe_regex": {"regex": of_literal(path)}}
        case PathPrefix(prefix):
            return {"prefix": prefix}
        case RegexPath(regex):
            return {"safe_regex": {"regex": of_template(regex)}}
        case _:
            assert_never(form)
