"""Balancing: which of a cluster's instances gets a call.

What cannot be reached runs nothing, and must not for that get the calls of the others: it comes after them.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Collection, Sequence
from hashlib import blake2b
from math import exp
from typing import Protocol, assert_never

from meshc_runtime.balance import Rotation
from meshc_runtime.snapshot import BalancePolicy

RING_POINTS = 1024
"""The fewest points of a ring, as Envoy's `minimum_ring_size`."""

_DECAY_SECONDS = 10.0


class PeakLatency:
    """A moving average of seconds that jumps to every peak at once and forgets it in time (Finagle's peak EWMA)."""

    __slots__ = ("_at", "_value")

    def __init__(self) -> None:
        self._value = 0.0
        self._at = 0.0

    def observe(self, seconds: float, now: float) -> None:
        """Take a latency into account."""
        if seconds > self._value:
            self._value = seconds
        else:
            weight = exp(-max(0.0, now - self._at) / _DECAY_SECONDS)
            self._value = self._value * weight + seconds * (1 - weight)
        self._at = now

    def value(self, now: float) -> float:
        """The average, as far as it has not been forgotten."""
        return self._value * exp(-max(0.0, now - self._at) / _DECAY_SECONDS)


class Instance(Protocol):
    """An instance, as the choice sees it."""

    active: int
    failing: bool

    @property
    def text(self) -> str:
        """Its name, by which it has its places on a ring."""

    @property
    def latency(self) -> PeakLatency:
        """How long it takes to answer."""


class Balancer:
    """Chooses by one policy. `random` gives numbers in [0, 1), `clock` monotonic seconds."""

    def __init__(self, policy: BalancePolicy, random: Callable[[], float], clock: Callable[[], float]) -> None:
        self.policy = policy
        self._random = random
        self._clock = clock
        self._rotation = Rotation()
        self._ring = Ring(())

    def choose(self, everybody: Sequence[Instance], candidates: Sequence[Instance], key: bytes | None = None) -> int:
        """The index of one of the candidates, of which there is one at least; `everybody` makes up the ring.

        Raises:
            ValueError: there is nothing to choose from.
        """
        if not candidates:
            raise ValueError("nothing to choose from")
        match self.policy:
            case "round-robin":
                loads = [known.active for known in candidates]
                busiest = max(loads)
                if busiest:
                    loads = [busiest if known.failing else known.active for known in candidates]
                return self._rotation.choose(loads)
            case "random":
                return self._any(len(candidates))
            case "least-request":
                return self._better_of_two(candidates, lambda known: known.active)
            case "peak-ewma":
                now = self._clock()
                return self._better_of_two(candidates, lambda known: known.latency.value(now) * (known.active + 1))
            case "ring-hash":
                if key is None:
                    return self._any(len(candidates))
                return self._by_hash(everybody, candidates, key)
            case _:
                assert_never(self.policy)

    def _any(self, count: int) -> int:
        return min(int(self._random() * count), count - 1)

    def _better_of_two(self, candidates: Sequence[Instance], cost: Callable[[Instance], float]) -> int:
        one = self._any(len(candidates))
        if len(candidates) == 1:
            return one
        other = self._any(len(candidates) - 1)
        other += other >= one

        def rank(index: int) -> tuple[bool, float, int]:
            known = candidates[index]
            return known.failing, cost(known), known.active

        return min(one, other, key=rank)

    def _by_hash(self, everybody: Sequence[Instance], candidates: Sequence[Instance], key: bytes) -> int:
        names = tuple(known.text for known in everybody)
        if self._ring.names != names:
            self._ring = Ring(names)
        places = {known.text: index for index, known in enumerate(candidates)}
        return places[self._ring.find(key, places.keys())]


class Ring:
    """A ring of hashes: the same key leads to the same name, and another one in its place moves no other keys."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        each = -(-RING_POINTS // len(names)) if names else 0
        points = sorted((_hash(f"{name}_{at}".encode()), name) for name in names for at in range(each))
        self._hashes = [place for place, _ in points]
        self._owners = [name for _, name in points]

    def find(self, key: bytes, among: Collection[str]) -> str:
        """The name that a key leads to: the first on the way around the ring that is among these.

        Raises:
            ValueError: none of these is on the ring.
        """
        count = len(self._owners)
        first = bisect(self._hashes, _hash(key))
        for step in range(count):
            owner = self._owners[(first + step) % count]
            if owner in among:
                return owner
        raise ValueError("none of the names is on the ring")


def _hash(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")
