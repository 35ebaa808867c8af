"""Circuit breaking: how many calls to a cluster may run, and how many may wait for a connection."""

from __future__ import annotations

from meshc_runtime.snapshot import Breaker

_UNLIMITED = 4_294_967_295


class CircuitBreaker:
    """Counts what is under way; a call first waits and then runs, or runs at once."""

    __slots__ = ("_max_pending", "_max_requests", "max_connections", "pending", "running")

    def __init__(self, bounds: Breaker) -> None:
        self._max_requests = bounds.max_requests or _UNLIMITED
        self._max_pending = bounds.max_pending or _UNLIMITED
        self.max_connections = bounds.max_connections or _UNLIMITED
        self.pending = 0
        self.running = 0

    def wait(self) -> bool:
        """Count a call that waits for a connection; false, and not counted, where too many do."""
        if self.pending >= self._max_pending:
            return False
        self.pending += 1
        return True

    def run(self) -> bool:
        """Count a call that has its connection; false, and not counted, where too many have theirs."""
        if self.running >= self._max_requests:
            return False
        self.running += 1
        return True
