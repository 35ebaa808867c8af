"""What must be seen of a probe, from the evaluator's decision about its request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from meshc_compiler import evaluate as reference
from meshc_compiler.ir.mesh import MeshIndex, includes
from meshc_compiler.ir.policy import Limit
from meshc_compiler.ir.setting import NOTHING_STATED
from meshc_lang.request import PLAINTEXT
from support.agreement_certificates import FOREIGNER
from support.agreement_compare import Expected
from support.agreement_mesh import BARE, GONE, SILENT, TROUBLED
from support.agreement_probe import Credential, Entrance, Probe
from support.agreement_tries import Manner, course_of
from support.recorder import Place

_MANNERS = {GONE: Manner.UNREACHABLE, SILENT: Manner.UNREACHABLE, BARE: Manner.BARE}


def expectation(index: MeshIndex) -> Callable[[Probe], Expected]:
    """Return the function that says what must be seen of a probe in any mesh that runs the program."""

    def expect(probe: Probe) -> Expected:
        if probe.credential is not Credential.OWN or probe.request.caller.endswith(f"/{FOREIGNER}"):
            return Expected(status=None, reason="no identity of the trust domain")
        return _decided(index, probe)

    return expect


def _decided(index: MeshIndex, probe: Probe) -> Expected:
    # Looked up by its module's name at each call, so that a test can put another evaluator in its place.
    decision = reference.evaluate(index, probe.request)
    if not decision.allowed:
        return Expected(status=decision.status, reason=decision.reason)
    callee = probe.request.callee
    port = next(port.number for port in _ports(index, callee) if probe.request.port in {None, port.name})
    target = decision.path + (f"?{probe.request.query}" if probe.request.query else "")
    if probe.entrance is Entrance.INBOUND:
        # Past the caller's sidecar there are no routes and no settings: the callee's first instance gets it.
        versions = index.services[callee].versions or (None,)
        places = frozenset({Place(callee, next(one for one in versions if one not in TROUBLED), port)})
        manner, settings = Manner.SIDECAR, NOTHING_STATED
    else:
        settings = decision.settings
        places, manner = _destinations(index, callee, port, decision.destinations)
    course = course_of(settings, probe.script, manner)
    return Expected(
        status=course.status,
        reason=decision.reason,
        places=frozenset() if manner is Manner.UNREACHABLE else places,
        tries=(course.fewest, course.most) if _counted(places) else (0, 0),
        target=target,
        caller=str(index.workloads[probe.request.caller].spiffe_id) if manner is Manner.SIDECAR else None,
        seconds=course.seconds,
    )


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
        limits = [limit for limit in self._limits(probe) if self._take(limit, probe) < 0]
        return replace(Expected(status=429, reason=f"limit {limits[0].id}")) if limits else expected

    def _limits(self, probe: Probe) -> list[Limit]:
        caller = self._index.workloads[probe.request.caller].spiffe_id
        callee = probe.request.callee
        return [
            limit
            for port in _ports(self._index, callee)
            for limit in self._index.limits_of(callee, port.number)
            if includes(limit.callers, caller)
        ]

    def _take(self, limit: Limit, probe: Probe) -> int:
        lines = [value for name, value in probe.request.headers if name.lower() == limit.per_header]
        value = ",".join(lines) if lines else None
        key = (limit.id, probe.request.caller, value)
        self._left[key] = self._left.get(key, limit.burst) - 1
        return self._left[key]
