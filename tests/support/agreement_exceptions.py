"""The few differences between voices that are allowed, each with its reason: only ever towards refusing more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from support.agreement_compare import Expected
from support.agreement_probe import Observation, Probe


@dataclass(frozen=True, slots=True)
class AllowedDifference:
    """What one voice may do otherwise than the evaluator says: refuse such requests with one of `statuses`.

    None among the statuses stands for a connection closed without an answer.
    """

    voice: str
    statuses: frozenset[int | None]
    reason: str
    concerns: Callable[[Probe], bool] = field(compare=False, hash=False, repr=False)


ALLOWED_DIFFERENCES: tuple[AllowedDifference, ...] = ()


def allowed_difference(voice: str, probe: Probe, expected: Expected, seen: Observation) -> AllowedDifference | None:
    """Return the documented reason for a difference; None where there is none, or where anything was let through."""
    del expected
    if seen.count:
        return None
    for one in ALLOWED_DIFFERENCES:
        if one.voice == voice and seen.answer.status in one.statuses and one.concerns(probe):
            return one
    return None
