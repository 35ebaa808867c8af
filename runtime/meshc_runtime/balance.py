"""Choices between equals: a destination by weight, an address by turn and load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")


class WeightedSplit(Generic[T]):
    """Targets with weights relative to their sum; `random` gives numbers in [0, 1)."""

    def __init__(self, targets: Sequence[tuple[T, int]]) -> None:
        weighted = [(target, weight) for target, weight in targets if weight > 0]
        if not weighted:
            raise ValueError("a split needs a target with weight")
        self._targets = [target for target, _ in weighted]
        self._bounds = list(accumulate(weight for _, weight in weighted))

    def choose(self, random: Callable[[], float]) -> T:
        """One target, each as often as its share."""
        if len(self._targets) == 1:
            return self._targets[0]
        point = random() * self._bounds[-1]
        for target, bound in zip(self._targets, self._bounds, strict=True):
            if point < bound:
                return target
        return self._targets[-1]


class Rotation:
    """Takes turns over a list whose length may change, and lets a busier one pass its turn to the next."""

    __slots__ = ("_turn",)

    def __init__(self) -> None:
        self._turn = -1

    def choose(self, loads: Sequence[int]) -> int:
        """The index to use next, given how many requests each runs; with equal loads it goes round.

        Raises:
            ValueError: there is nothing to choose from.
        """
        if not loads:
            raise ValueError("nothing to choose from")
        self._turn = (self._turn + 1) % len(loads)
        following = (self._turn + 1) % len(loads)
        return following if loads[following] < loads[self._turn] else self._turn
