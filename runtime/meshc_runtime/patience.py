"""How much a peer may ask for that costs it nothing: an account that ordinary traffic, and time, fill again."""

from __future__ import annotations

from collections.abc import Callable


class Patience:
    """Starts full; `spend` is false when the peer has asked too much."""

    __slots__ = ("_clock", "_left", "_most", "_per_second", "_when")

    def __init__(self, most: int, per_second: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._left = float(most)
        self._per_second = per_second
        self._clock = clock
        self._when = clock()

    def spend(self, cost: int = 1) -> bool:
        """Take from the account; false when it is empty."""
        self._left -= cost
        if self._left >= 0:
            return True
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._when) * self._per_second)
        self._when = now
        return self._left >= 0

    def earn(self, amount: int) -> None:
        """Put back for ordinary traffic."""
        self._left = min(self._most, self._left + amount)
