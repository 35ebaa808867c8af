"""What must be seen of a probe, from the evaluator's decision about its request."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from meshc_compiler import evaluate as reference
from meshc_compiler.ir.caller import includes
from meshc_compiler.ir.condition import questions
from meshc_compiler.ir.match import HeaderOneOf, HeaderPresent
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Limit
from meshc_compiler.ir.route import WHOLE, Destination, Redirect
from meshc_compiler.ir.setting import NOTHING_STATED
from support.agreement_compare import Expected
from support.agreement_mesh import BARE, COUNTED, GONE, TROUBLED
from support.agreement_probe import Credential, Entrance, Probe
from support.agreement_tries import NANOSECONDS, Manner, course_of
from support.recorder import Place

_MANNERS = {BARE: Manner.BARE} | dict.fromkeys(COUNTED | {GONE}, Manner.UNREACHABLE)


def expectation(index: MeshIndex) -> Callable[[Probe], Expected]:
    """Return the function that says what must be seen of a probe in any mesh that runs the program."""

    underscores = _names_underscore(index)

    def expect(probe: Probe) -> Expected:
        if probe.credential is not Credential.OWN:
            return Expected(status=None, reason="no identity of the mesh")
        if _is_malformed(probe):
            return Expected(status=400, reason="malformed")
        if not underscores and any("_" in name for name, _ in probe.request.headers):
            return Expected(status=400, reason="an underscore in a header's name")
        return _to_grpc(_decided(index, probe)) if GRPC_TYPE in probe.request.headers else _decided(index, probe)

    return expect


GRPC_TYPE: Final = ("content-type", "application/grpc")
_GRPC_STATUSES = {200: "0", 400: "13", 403: "7", 404: "12", 429: "8", 500: "13", 503: "14", 504: "14"}
"""What a caller of gRPC is told in place of a status of HTTP, by the document on how the two are translated."""


def _to_grpc(expected: Expected) -> Expected:
    assert expected.status is not None
    return replace(expected, status=200, grpc=_GRPC_STATUSES[expected.status])


def _names_underscore(index: MeshIndex) -> bool:
    """Tell whether a rule asks for a header with `_` in its name; otherwise no sidecar takes such."""
    matches = [rule.match for rule in index.mesh.rules]
    matches += [rule.match for route in index.mesh.routes for rule in route.rules]
    asked = [one for match in matches if match.condition is not None for one in questions(match.condition)]
    return any(isinstance(one, HeaderPresent | HeaderOneOf) and "_" in one.name for one in asked)


def _is_malformed(probe: Probe) -> bool:
    """Tell whether a message holds what no reader of HTTP may take (RFC 9110 §5.5, RFC 9112 §3.2, §5.2)."""
    values = (value for _, value in probe.request.headers)
    return probe.second_host is not None or any(re.search(r"[\x00-\x08\n-\x1f\x7f]", value) for value in values)


def _decided(index: MeshIndex, probe: Probe) -> Expected:
    # Looked up by its module's name at each call, so that a test can put another evaluator in its place.
    decision = reference.evaluate(index, probe.request)
    if not decision.allowed and probe.request.callee in index.externals and not _knows(index, probe):
        # A sidecar is told of the externals that its workload may call, and answers as if there were no others.
        return Expected(status=404, reason="unknown host")
    if not decision.allowed:
        return Expected(status=decision.status, reason=decision.reason)
    callee = probe.request.callee
    port = reference.port_of(index, probe.request)
    assert port is not None
    assert decision.path is not None
    if probe.entrance is Entrance.OUTBOUND and decision.answer is not None:
        location = decision.answer.location if isinstance(decision.answer, Redirect) else None
        return Expected(status=decision.status, reason="the route answers", location=location)
    caller = reference.identity_of(index, probe.request.caller)
    faults = [fault for fault in index.faults_of(callee, port.number) if includes(fault.callers, caller)]
    shares = {one.share for one in faults} | {one.share for one in decision.mirrors}
    assert shares <= {WHOLE}, "what happens to a share of requests is left to chance"
    delay = sum(fault.delay_ns or 0 for fault in faults) / NANOSECONDS
    if aborts := [fault.abort_status for fault in faults if fault.abort_status is not None]:
        return Expected(status=aborts[0], reason=f"fault {faults[0].name}", seconds=delay)
    target = decision.path + (f"?{probe.request.query}" if probe.request.query else "")
    if probe.entrance is Entrance.INBOUND:
        # Past the caller's sidecar there are no routes and no settings: the callee's first instance gets it.
        versions = index.services[callee].versions or (None,)
        places = frozenset({Place(callee, next(one for one in versions if one not in TROUBLED), port.number)})
        manner, settings = Manner.SIDECAR, NOTHING_STATED
    else:
        settings = decision.settings
        places, manner = _destinations(index, callee, port.number, decision.destinations)
    course = course_of(settings, probe.script, manner)
    return Expected(
        status=course.status,
        reason=decision.reason,
        places=frozenset() if manner is Manner.UNREACHABLE else places,
        tries=(0, 0) if any(place.version == GONE for place in places) else (course.fewest, course.most),
        target=target,
        caller=str(caller) if manner is Manner.SIDECAR else None,
        seconds=course.seconds + delay,
        copies=tuple(
            Place(one.target_service, one.target_version, one.target_port)
            for one in decision.mirrors
            if probe.entrance is Entrance.OUTBOUND
        ),
    )


def _knows(index: MeshIndex, probe: Probe) -> bool:
    caller = reference.identity_of(index, probe.request.caller)
    assert caller is not None, "only workloads have sidecars"
    return any(name == probe.request.callee for name, _ in index.callees_of(caller))


def _destinations(
    index: MeshIndex, callee: str, port: int, destinations: tuple[Destination, ...]
) -> tuple[frozenset[Place], Manner]:
    """Return the places that may get the request, and how all of them meet it."""
    if callee in index.externals:
        return frozenset({Place(callee, None, port)}), Manner.BARE
    places = frozenset(
        Place(one.service, version, port)
        for one in destinations
        for version in ([one.version] if one.version is not None else index.services[one.service].versions or (None,))
    )
    manners = {_MANNERS.get(place.version or "", Manner.SIDECAR) for place in places}
    assert len(manners) == 1, "a probe must not leave to chance which trouble it meets"
    return places, manners.pop()


class Buckets:
    """An expectation that also counts limits: each probe takes a token, and none are given back. Order matters."""

    def __init__(self, index: MeshIndex, expect: Callable[[Probe], Expected]) -> None:
        self._index = index
        self._expect = expect
        self._left: dict[tuple[str, str, str | None], int] = {}

    def __call__(self, probe: Probe) -> Expected:
        """Return what must be seen of the next probe."""
        expected = self._expect(probe)
        if not expected.places:
            return expected
        # Past the caller's sidecar there is nobody to answer in the callee's place, so its limits count all the same.
        port = reference.port_of(self._index, probe.request)
        assert port is not None
        caller = reference.identity_of(self._index, probe.request.caller)
        limits = self._index.limits_of(probe.request.callee, port.number)
        limits = tuple(limit for limit in limits if includes(limit.callers, caller))
        empty = [limit for limit in limits if self._take(limit, probe) < 0]
        return Expected(status=429, reason=f"limit {empty[0].id}") if empty else expected

    def _take(self, limit: Limit, probe: Probe) -> int:
        lines = [value.strip(" \t") for name, value in probe.request.headers if name.lower() == limit.per_header]
        value = ",".join(lines) if lines else None
        key = (limit.id, probe.request.caller, value)
        self._left[key] = self._left.get(key, limit.burst) - 1
        return self._left[key]
