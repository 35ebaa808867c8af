"""Injected faults: which calls wait, and which are answered with a status instead of going on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from meshc_runtime.snapshot import Fault

_WHOLE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """What befalls one call: seconds to wait, and then the status to answer with, if any; `name` is the fault's."""

    delay: float = 0.0
    status: int | None = None
    name: str = ""


NO_MISHAP = Mishap()


class FaultPlan:
    """The faults of one port."""

    def __init__(self, faults: Iterable[Fault], trust_domain: str) -> None:
        self._faults = tuple(faults)
        self._prefix = f"spiffe://{trust_domain}/"

    def draw(self, caller: str, random: Callable[[], float]) -> Mishap:
        """Draw the lots of one call: delays add up until an abort; `random` gives numbers in [0, 1)."""
        delay = 0.0
        name = ""
        for fault in self._faults:
            if not self._is_about(fault, caller):
                continue
            if fault.delay_ms is not None and random() * _WHOLE < fault.share:
                delay += fault.delay_ms / 1000
                name = fault.name
            if fault.abort_status is not None and random() * _WHOLE < fault.share:
                return Mishap(delay=delay, status=fault.abort_status, name=fault.name)
        return Mishap(delay=delay, name=name) if name else NO_MISHAP

    def _is_about(self, fault: Fault, caller: str) -> bool:
        if caller in (fault.except_callers or ()):
            return False
        return caller.startswith(self._prefix) if fault.callers is None else caller in fault.callers

    def __bool__(self) -> bool:
        return bool(self._faults)
