"""Who may call whom: rules, and rate limits."""

from __future__ import annotations

from enum import StrEnum

from meshc_compiler.ir.caller import Callers
from meshc_compiler.ir.match import RequestMatch
from meshc_lang.record import dataclass, field
from meshc_lang.source import Span


class Effect(StrEnum):
    """What a rule does to a request that it matches; a deny beats every allow."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One grant of an allow or deny, about one port of one callee (a service or an external).

    `id` is the grant as a sentence, the same however files are cut: it names the rule in logs and metrics. `port` is
    the number of the callee's port.
    """

    id: str
    effect: Effect
    callers: Callers
    callee: str
    port: int
    match: RequestMatch
    because: str | None = None
    origin: Span | None = field(default=None, compare=False, repr=False)


class LimitKeyKind(StrEnum):
    """Where the value stands that tells the buckets of a limit apart."""

    HEADER = "header"
    QUERY = "query"
    COOKIE = "cookie"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True)
class LimitKey:
    """`per header "x-user"`: a bucket for each value, and one for requests without it. Headers are in lower case."""

    kind: LimitKeyKind
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A local rate limit at the callee, one token bucket for each caller and instance of the callee.

    The bucket holds `burst` tokens and gains `amount` every `seconds` (1, 60 or 3600). With `per` there is one bucket
    for each value of what it names, and one for requests without it.
    """

    id: str
    callers: Callers
    callee: str
    port: int
    amount: int
    seconds: int
    burst: int
    per: LimitKey | None = None
    origin: Span | None = field(default=None, compare=False, repr=False)

    @property
    def per_header(self) -> str | None:
        """The header that tells the buckets apart, if it is one."""
        return self.per.name if self.per is not None and self.per.kind is LimitKeyKind.HEADER else None
