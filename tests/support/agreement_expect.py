"""What must be seen of a probe, from the evaluator's decision about its request."""

from __future__ import annotations

from collections.abc import Callable

from meshc_compiler import evaluate as reference
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Limit
from meshc_compiler.ir.route import Destination
from meshc_compiler.ir.setting import NOTHING_STATED
from support.agreement_compare import Expected
from support.agreement_mesh import BARE, COUNTED, GONE, TROUBLED
from support.agreement_probe import Credential, Entrance, Probe
from support.agreement_tries import Manner, course_of
from support.recorder import Place

_MANNERS = {BARE: Manner.BARE} | dict.fromkeys(COUNTED | {GONE}, Manner.UNREACHABLE)


def expectation(index: MeshIndex) -> Callable[[Probe], Expected]:
    """Return the function that says what must be seen of a probe in any mesh that runs the program."""

    def expect(probe: Probe) -> Expected:
        if probe.credential is not Credential.OWN:
            return Expected(status=None, reason="no identity of the mesh")
        return _decided(index, probe)

    return expect


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
        caller=str(reference.identity_of(index, probe.request.caller)) if manner is Manner.SIDECAR else None,
        seconds=course.seconds,
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
        limits = reference.evaluate(self._index, probe.request).limits
        empty = [limit for limit in limits if self._take(limit, probe) < 0]
        return Expected(status=429, reason=f"limit {empty[0].id}") if empty else expected

    def _take(self, limit: Limit, probe: Probe) -> int:
        lines = [value for name, value in probe.request.headers if name.lower() == limit.per_header]
        value = ",".join(lines) if lines else None
        key = (limit.id, probe.request.caller, value)
        self._left[key] = self._left.get(key, limit.burst) - 1
        return self._left[key]
