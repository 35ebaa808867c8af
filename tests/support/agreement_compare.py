"""The comparison: what the evaluator says must happen, and everything in which a proxy did otherwise."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from support.agreement_probe import Observation, Probe
from support.recorder import ID_HEADER, SCRIPT_HEADER, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What must be seen of one probe. `status` None: no HTTP answer at all.

    `places` are those that may get a try; `tries` the fewest and the most; `target` is what they must be sent, path and
    query; `caller` the SPIFFE ID that they must be told. `seconds` is the least time the call takes. `copies` are the
    places that get a copy besides. `grpc` is the status of an answer to a call of gRPC, `location` that of a redirect.
    """

    status: int | None
    reason: str
    places: frozenset[Place] = field(default=frozenset())
    tries: tuple[int, int] = (0, 0)
    target: str = ""
    caller: str | None = None
    seconds: float = 0.0
    copies: tuple[Place, ...] = ()
    grpc: str | None = None
    location: str | None = None

    @property
    def text(self) -> str:
        """The expectation as a phrase."""
        status = "no answer" if self.status is None else str(self.status)
        if not self.places:
            return f"{status}, nothing reaches a workload ({self.reason})"
        fewest, most = self.tries
        count = str(fewest) if fewest == most else f"{fewest} to {most}"
        where = ", ".join(sorted(str(place) for place in self.places))
        wait = f" after at least {self.seconds * 1000:.0f} ms" if self.seconds else ""
        wait += "".join(f" and a copy to {place}" for place in self.copies)
        return f"{status}{wait}, {count} tries of {self.target!r} at {where} ({self.reason})"


_EARLY = 0.9
_TICKS = 0.005
"""Clocks and timers differ in how they round: but for these seconds, so much of the least time must be over."""


def compare(expected: Expected, probe: Probe, seen: Observation) -> list[str]:
    """Return every difference between what was expected and what was seen, as phrases."""
    differences = []
    if seen.answer.status != expected.status:
        got = seen.answer.status if seen.answer.status is not None else f"no answer: {seen.answer.reason}"
        differences.append(f"status {got}, expected {expected.status or 'no answer'}")
    for name, value in (("grpc-status", expected.grpc), ("location", expected.location)):
        said = dict(seen.answer.headers).get(name)
        if value is not None and said != value:
            differences.append(f"{name} {said}, expected {value}")
    copies = Counter(expected.copies)
    copies.subtract(one.place for one in seen.tries)
    differences += [f"no copy came to {place}" for place, missing in copies.items() if missing > 0]
    fewest, most = (count + len(expected.copies) for count in expected.tries)
    if not fewest <= seen.count <= most:
        differences.append(f"{seen.count} tries, expected {fewest if fewest == most else f'{fewest} to {most}'}")
    if seen.seconds < expected.seconds * _EARLY - _TICKS:
        differences.append(f"answered after {seen.seconds:.3f} s, expected at least {expected.seconds:.3f} s")
    for one in seen.tries:
        if one.place not in expected.places and one.place not in expected.copies:
            differences.append(
                f"{one.place} got it, expected {', '.join(map(str, sorted(expected.places))) or 'nobody'}"
            )
        if expected.places and one.target not in {expected.target, expected.target + "?"}:
            differences.append(f"the workload was sent {one.target!r}, expected {expected.target!r}")
        if one.method != probe.request.method:
            differences.append(f"the workload was sent method {one.method}, expected {probe.request.method}")
        if one.body != probe.body:
            differences.append(f"the workload was sent {len(one.body)} bytes of body, expected {len(probe.body)}")
        differences += _header_differences(expected, probe, dict(one.headers), one.members)
    said = dict(seen.answer.headers).get("x-agreement-place")
    last = [str(one.place) for one in (seen.tries if expected.copies else seen.tries[-1:])]
    if seen.answer.status == 200 and expected.grpc in {None, "0"} and last and said not in last:
        differences.append(f"the answer is of {said}, and the last try was at {seen.tries[-1].place}")
    return list(dict.fromkeys(differences))


def _header_differences(expected: Expected, probe: Probe, got: dict[str, str], members: object) -> list[str]:
    assert callable(members)
    differences = []
    for name in {name.lower() for name, _ in probe.request.headers} - {ID_HEADER, SCRIPT_HEADER, _IDENTITY}:
        if name.startswith("x-envoy-"):
            continue  # words to a proxy, which it keeps for itself
        sent = ",".join(value.strip(" \t") for key, value in probe.request.headers if key.lower() == name)
        arrived = members(name)
        if arrived is None or _folded(arrived) != _folded(sent):
            differences.append(f"the workload got {name}: {arrived!r}, expected {sent!r}")
    if expected.caller is not None:
        told = re.findall(r"URI=([^;,]*)", got.get(_IDENTITY, ""))
        if told != [expected.caller]:
            differences.append(f"the workload was told that {told or 'nobody'} calls, expected {expected.caller}")
    return differences


_IDENTITY = "x-forwarded-client-cert"


def _folded(value: str) -> str:
    """Return a list header with the optional space behind commas taken out (RFC 9110 §5.6.1)."""
    return re.sub(r", ?", ",", value)
