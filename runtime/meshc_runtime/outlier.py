"""Outlier ejection: an instance that fails several times in a row gets no calls for a while.

The rules are Envoy's (`OutlierDetection`): the first time it is out for the stated time, each further time for as much
longer; who comes back is decided at fixed intervals, and each interval that an instance stays in makes its next time
out shorter again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from meshc_runtime.snapshot import Ejection

_LONGEST_SECONDS = 300.0
"""Envoy's `max_ejection_time`."""


class InstanceRecord:
    """What is known of one instance."""

    __slots__ = ("ejected_at", "failures", "out", "times")

    def __init__(self) -> None:
        self.failures = 0
        self.out = False
        self.ejected_at = 0.0
        self.times = 0


class Ejector:
    """Decides which instances of one cluster are out; `clock` gives monotonic seconds."""

    def __init__(self, terms: Ejection, clock: Callable[[], float]) -> None:
        self.members: Collection[InstanceRecord] = ()
        self._threshold = terms.consecutive_5xx
        self._base = terms.eject_ms / 1000
        self._longest = max(_LONGEST_SECONDS, self._base)
        self._interval = terms.interval_ms / 1000
        self._max_percent = terms.max_percent
        self._clock = clock
        self._next_look = clock() + self._interval

    def answered(self, record: InstanceRecord, *, failed: bool) -> None:
        """Take note of how a try ended."""
        if not failed:
            record.failures = 0
            return
        record.failures += 1
        if record.failures < self._threshold:
            return
        record.failures = 0
        if record.out:
            return
        out = sum(member.out for member in self.members)
        if 100 * (out + 1) > self._max_percent * len(self.members):
            return
        record.out = True
        record.times += 1
        record.ejected_at = self._clock()

    def look(self) -> None:
        """Let back in whose time is over, if it is time to look."""
        now = self._clock()
        if now < self._next_look:
            return
        looks = 1 + int((now - self._next_look) // self._interval)
        first = self._next_look
        self._next_look += looks * self._interval
        for member in self.members:
            left = looks
            if member.out:
                until = member.ejected_at + min(self._longest, member.times * self._base)
                passed = 0 if until <= first else -int(-(until - first) // self._interval)
                if passed >= looks:
                    continue
                member.out = False
                member.failures = 0
                left -= passed + 1
            member.times = max(0, member.times - left)
