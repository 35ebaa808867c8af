"""How calls behave: settings with their provenance, merged from general to specific, field by field."""

from __future__ import annotations

from dataclasses import fields, replace
from enum import IntEnum, StrEnum
from typing import Generic, TypeVar

from meshc_lang.record import dataclass, field
from meshc_lang.source import Span

T = TypeVar("T")


class Scope(IntEnum):
    """Where a value was stated; the greater is the more specific and wins."""

    MESH = 0
    SERVICE = 1
    EDGE = 2
    EDGE_PORT = 3
    """`edge a -> b.port`: of two statements about an edge the one that names a port is the more specific."""
    ROUTE = 4

    @property
    def word(self) -> str:
        """The scope as people and JSON read it: `edge-port`."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Generic[T]):
    """A value and where it comes from."""

    value: T
    scope: Scope
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The pause before a try: grows exponentially from `low_ns` (jittered), at most `high_ns` nanoseconds."""

    low_ns: int
    high_ns: int


class BalancePolicy(StrEnum):
    """How the instance that gets a call is chosen."""

    ROUND_ROBIN = "round-robin"
    LEAST_REQUEST = "least-request"
    """Of two chosen at random the one with fewer calls under way."""
    RANDOM = "random"
    PEAK_EWMA = "peak-ewma"
    """Of two chosen at random the one whose recent latency, weighted by the calls under way, is the lower."""
    RING_HASH = "ring-hash"
    """By a property of the call: calls with the same value go to the same instance while the instances stay."""


class HashKeyKind(StrEnum):
    """Of what a call's place on the ring is computed."""

    HEADER = "header"
    COOKIE = "cookie"
    SOURCE = "source"
    """The address from which the call comes to the caller's sidecar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HashKey:
    """What is hashed; `name` is a header's (in lower case) or a cookie's, and None of a source."""

    kind: HashKeyKind
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """A policy; `key` is there exactly with RING_HASH."""

    policy: BalancePolicy
    key: HashKey | None = None

    @property
    def is_of_requests(self) -> bool:
        """Whether it looks at what only requests have."""
        return self.key is not None and self.key.kind is not HashKeyKind.SOURCE


class TracePropagation(StrEnum):
    """The headers by which a trace goes on from one call to the next."""

    W3C = "w3c"
    """`traceparent` and `tracestate` (W3C Trace Context)."""
    B3 = "b3"
    """`x-b3-traceid` and its like (B3 Propagation)."""


class AccessLog(StrEnum):
    """Which calls the sidecars write into their access logs."""

    ON = "on"
    OFF = "off"
    ERRORS = "errors"
    """Those that are refused or answered with 5xx, or get no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the program states about calls; None where it states nothing.

    Times: `timeout_ns` is the whole of a call, retries included, `connect_timeout_ns` how long a connection may take to
    be made (TLS included), `idle_timeout_ns` how long one may be unused; all in nanoseconds.

    Retries: `retry_limit` is the number of extra tries (0 by `retry: off`). `retry_on` holds condition names (sorted):
    connect-failure, reset, refused-stream, gateway-error, 5xx, sNNN for a status, and the gRPC ones. `retry_budget` is
    the share of active requests that may be retries, in millionths. `per_try_timeout_ns` bounds each try.
    `retry_key_header` (in lower case) makes a request safe to repeat: one that bears it may be tried again.

    Breaker: bounds of one caller's sidecar towards the instances to which a call may go, all of the callee or one
    version of it; routes of other settings count for themselves. What comes above a bound is refused with 503.
    `breaker_max_requests` counts calls under way, `breaker_max_pending` those that wait for a connection,
    `breaker_max_connections` connections. An instance that fails `outlier_consecutive_5xx` times in a row (by a 5xx, or
    by no answer) gets no calls for `outlier_eject_ns`, longer each time; who comes back is looked at every
    `outlier_interval_ns`, and at most `outlier_max_ejected` (millionths) of the instances are out at once. Where these
    are not stated, `OUTLIER_EJECT_NS` and its like hold.

    Telemetry: `trace_sampling` is the share of calls that begin a trace, in millionths; `trace_propagation` is sorted;
    `trace_endpoint` is the `host:port` to which spans go by OTLP over gRPC (at port 4318 over HTTP), "" for `off`.

    A time or bound of 0 is `off`, stated against a more general scope; it is taken out of the settings that a call has
    in the end (`effective`).
    """

    timeout_ns: Setting[int] | None = None
    connect_timeout_ns: Setting[int] | None = None
    idle_timeout_ns: Setting[int] | None = None
    retry_limit: Setting[int] | None = None
    retry_on: Setting[tuple[str, ...]] | None = None
    retry_budget: Setting[int] | None = None
    retry_backoff: Setting[Backoff] | None = None
    per_try_timeout_ns: Setting[int] | None = None
    idempotent: Setting[bool] | None = None
    retry_key_header: Setting[str] | None = None
    breaker_max_requests: Setting[int] | None = None
    breaker_max_pending: Setting[int] | None = None
    breaker_max_connections: Setting[int] | None = None
    outlier_consecutive_5xx: Setting[int] | None = None
    outlier_eject_ns: Setting[int] | None = None
    outlier_interval_ns: Setting[int] | None = None
    outlier_max_ejected: Setting[int] | None = None
    balance: Setting[Balance] | None = None
    trace_sampling: Setting[int] | None = None
    trace_propagation: Setting[tuple[TracePropagation, ...]] | None = None
    trace_endpoint: Setting[str] | None = None
    access_log: Setting[AccessLog] | None = None
    metrics: Setting[bool] | None = None

    def under(self, specific: Settings) -> Settings:
        """Return these settings with each field that `specific` states put over them."""
        if specific is NOTHING_STATED:
            return self
        stated = {name: value for name in SETTING_FIELDS if (value := getattr(specific, name)) is not None}
        return replace(self, **stated) if stated else self

    def effective(self) -> Settings:
        """Return the settings with what is `off` left out: no bound is the same as none stated."""
        off = {
            name: None
            for name in _SWITCHED_OFF_BY_NOTHING
            if (stated := getattr(self, name)) is not None and not stated.value
        }
        return replace(self, **off) if off else self

    def of_connections(self) -> Settings:
        """Return those that hold for connections that show no requests (tcp, tls)."""
        held = {name: getattr(self, name) for name in SETTINGS_OF_CONNECTIONS}
        if self.balance is not None and self.balance.value.is_of_requests:
            held["balance"] = None
        return Settings(**held)

    @property
    def retries(self) -> bool:
        """Whether any extra try is made: a limit above zero and at least one condition."""
        return bool(self.retry_limit and self.retry_limit.value and self.retry_on and self.retry_on.value)


SETTING_FIELDS = tuple(one.name for one in fields(Settings))
"""The fields of `Settings`, in the order in which they are told."""

SETTING_NAMES = {
    "timeout_ns": "timeout",
    "connect_timeout_ns": "connect-timeout",
    "idle_timeout_ns": "idle-timeout",
    "retry_limit": "retry limit",
    "retry_on": "retry on",
    "retry_budget": "retry budget",
    "retry_backoff": "retry backoff",
    "per_try_timeout_ns": "retry per-try",
    "idempotent": "retry idempotent",
    "retry_key_header": "retry key-header",
    "breaker_max_requests": "breaker max-requests",
    "breaker_max_pending": "breaker max-pending",
    "breaker_max_connections": "breaker max-connections",
    "outlier_consecutive_5xx": "breaker consecutive-5xx",
    "outlier_eject_ns": "breaker eject",
    "outlier_interval_ns": "breaker interval",
    "outlier_max_ejected": "breaker max-ejected",
    "balance": "balance",
    "trace_sampling": "telemetry sampling",
    "trace_propagation": "telemetry propagation",
    "trace_endpoint": "telemetry otlp",
    "access_log": "telemetry access-log",
    "metrics": "telemetry metrics",
}
"""The fields of `Settings` as the language spells them: the block and the key in it."""

SETTINGS_OF_CONNECTIONS = (
    "connect_timeout_ns",
    "idle_timeout_ns",
    "breaker_max_connections",
    "balance",
    "access_log",
    "metrics",
)
"""The fields that hold for connections too; the others speak of requests."""

_SWITCHED_OFF_BY_NOTHING = (
    "timeout_ns",
    "connect_timeout_ns",
    "idle_timeout_ns",
    "per_try_timeout_ns",
    "retry_key_header",
    "breaker_max_requests",
    "breaker_max_pending",
    "breaker_max_connections",
    "outlier_consecutive_5xx",
    "trace_sampling",
    "trace_endpoint",
)
"""The fields that 0, or an empty text, switches off."""

OUTLIER_EJECT_NS = 30_000_000_000
OUTLIER_INTERVAL_NS = 10_000_000_000
OUTLIER_MAX_EJECTED = 500_000
"""How an instance is ejected where only `consecutive-5xx` is stated: for 30 s, at most half of them at once."""

NOTHING_STATED = Settings()
"""Settings of a scope about which the program says nothing."""
