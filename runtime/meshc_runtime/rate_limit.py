"""Local rate limits: token buckets that fill continuously, one for each caller and value of a key."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from meshc_runtime.condition import Headers
from meshc_runtime.cookie import cookie_values
from meshc_runtime.query import query_values
from meshc_runtime.snapshot import RateLimit

_MAX_BUCKETS = 65_536


class TokenBucket:
    """Up to `capacity` tokens, `rate` more each second; starts full. The caller brings the time."""

    __slots__ = ("_at", "_tokens", "capacity", "rate")

    def __init__(self, capacity: int, rate: float, now: float) -> None:
        self.capacity = capacity
        self.rate = rate
        self._tokens = float(capacity)
        self._at = now

    def available(self, now: float) -> float:
        """The tokens there are at this time."""
        if now > self._at:
            self._tokens = min(float(self.capacity), self._tokens + (now - self._at) * self.rate)
            self._at = now
        return self._tokens

    def take(self) -> None:
        """Spend one token; the caller has seen that there is one."""
        self._tokens -= 1


class _Limit:
    """One limit and its buckets."""

    def __init__(self, limit: RateLimit, max_buckets: int) -> None:
        self.id = limit.id
        self._per_header = limit.per_header
        self._per_query = limit.per_query
        self._per_cookie = None if limit.per_cookie is None else limit.per_cookie.encode()
        self._burst = limit.burst
        self._rate = limit.amount / limit.per_seconds
        self._buckets: dict[tuple[str, bytes | None], TokenBucket] = {}
        self._overflow: TokenBucket | None = None
        self._max_buckets = max_buckets

    def _value(self, headers: Headers, query: str) -> bytes | None:
        if self._per_header is not None:
            lines = headers.get(self._per_header)
            return None if lines is None else b",".join(lines)
        if self._per_query is not None:
            values = query_values(query, self._per_query)
            return ",".join(values).encode() if values else None
        if self._per_cookie is not None:
            cookies = cookie_values(headers, self._per_cookie)
            return b",".join(cookies) if cookies else None
        return None

    def bucket(self, caller: str, headers: Headers, query: str, now: float) -> TokenBucket:
        value = self._value(headers, query)
        bucket = self._buckets.get((caller, value))
        if bucket is not None:
            return bucket
        if len(self._buckets) >= self._max_buckets:
            # A full bucket says no more than a new one.
            full = [key for key, known in self._buckets.items() if known.available(now) >= known.capacity]
            for key in full:
                del self._buckets[key]
            if len(self._buckets) >= self._max_buckets:
                if self._overflow is None:
                    self._overflow = TokenBucket(self._burst, self._rate, now)
                return self._overflow
        bucket = TokenBucket(self._burst, self._rate, now)
        self._buckets[(caller, value)] = bucket
        return bucket


class RateLimiter:
    """The limits of one port; a request must find a token in every bucket that counts it."""

    def __init__(
        self,
        limits: Iterable[RateLimit],
        trust_domain: str,
        clock: Callable[[], float],
        max_buckets: int = _MAX_BUCKETS,
    ) -> None:
        self._clock = clock
        self._prefix = f"spiffe://{trust_domain}/"
        compiled = [(declared, _Limit(declared, max_buckets)) for declared in limits]
        named = {caller for declared, _ in compiled for caller in declared.callers or ()}
        self._others = [limit for declared, limit in compiled if declared.callers is None]
        self._callers = {
            caller: [limit for declared, limit in compiled if declared.callers is None or caller in declared.callers]
            for caller in named
        }

    def exceeded(self, caller: str, headers: Headers, query: str = "") -> str | None:
        """The id of the limit that refuses the request; null, and the tokens spent, when none does."""
        limits = self._callers.get(caller)
        if limits is None:
            limits = self._others if caller.startswith(self._prefix) else []
        if not limits:
            return None
        now = self._clock()
        buckets: list[TokenBucket] = []
        for limit in limits:
            bucket = limit.bucket(caller, headers, query, now)
            if bucket.available(now) < 1:
                return limit.id
            buckets.append(bucket)
        for bucket in buckets:
            bucket.take()
        return None

    def __bool__(self) -> bool:
        return bool(self._callers or self._others)
