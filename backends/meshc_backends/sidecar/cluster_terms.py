"""What of a call's settings the proxy keeps with the cluster, not with the route: routes that differ need two."""

from __future__ import annotations

from meshc_compiler.ir.setting import (
    OUTLIER_EJECT_NS,
    OUTLIER_INTERVAL_NS,
    OUTLIER_MAX_EJECTED,
    BalancePolicy,
    HashKey,
    Setting,
    Settings,
)
from meshc_lang.record import dataclass
from meshc_lang.units import print_duration
from meshc_runtime import snapshot as out

_MILLISECOND = 1_000_000
_PERCENT = 10_000

MESH_IDLE_MS = 60_000
"""How long an unused connection to another sidecar is kept: less than its listener keeps it, so that none is closed
under a request."""

CONNECT_TIMEOUT_MS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTerms:
    """The terms on which the instances behind a cluster are called; None where the program states nothing."""

    connect_timeout_ns: int | None = None
    idle_timeout_ns: int | None = None
    breaker: out.Breaker | None = None
    ejection: out.Ejection | None = None
    balance: BalancePolicy = BalancePolicy.ROUND_ROBIN

    @property
    def label(self) -> str:
        """The terms in words, "" if there are none: they tell clusters of one callee apart."""
        words: list[str] = []
        if self.connect_timeout_ns is not None:
            words.append(f"connect {print_duration(self.connect_timeout_ns)}")
        if self.idle_timeout_ns is not None:
            words.append(f"idle {print_duration(self.idle_timeout_ns)}")
        if (bounds := self.breaker) is not None:
            stated = (
                ("requests", bounds.max_requests),
                ("pending", bounds.max_pending),
                ("connections", bounds.max_connections),
            )
            words += [f"{word} {bound}" for word, bound in stated if bound is not None]
        if (ejected := self.ejection) is not None:
            times = f"{ejected.eject_ms}ms/{ejected.interval_ms}ms"
            words.append(f"eject {ejected.consecutive_5xx} {times} {ejected.max_percent}%")
        if self.balance is not BalancePolicy.ROUND_ROBIN:
            words.append(self.balance.value)
        return " ".join(words)

    @property
    def connect_ms(self) -> int:
        """How long connecting may take."""
        stated = self.connect_timeout_ns
        return CONNECT_TIMEOUT_MS if stated is None else stated // _MILLISECOND

    def idle_ms(self, *, mesh: bool) -> int | None:
        """How long an unused connection is kept, where the program states it."""
        if self.idle_timeout_ns is None:
            return None
        stated = self.idle_timeout_ns // _MILLISECOND
        return min(stated, MESH_IDLE_MS) if mesh else stated


def cluster_terms(settings: Settings) -> ClusterTerms:
    """Return the terms that effective settings state."""
    return ClusterTerms(
        connect_timeout_ns=_value(settings.connect_timeout_ns),
        idle_timeout_ns=_value(settings.idle_timeout_ns),
        breaker=_breaker(settings),
        ejection=_ejection(settings),
        balance=settings.balance.value.policy if settings.balance else BalancePolicy.ROUND_ROBIN,
    )


def hash_key(settings: Settings) -> out.HashKey | None:
    """Return what of a call is hashed to choose its instance."""
    key: HashKey | None = None if settings.balance is None else settings.balance.value.key
    return None if key is None else out.HashKey(kind=key.kind.value, name=key.name or "")


def connection_idle_ms(stated: int | None) -> int:
    """Return how long a connection that shows no requests may carry nothing (nanoseconds, where stated)."""
    return 3_600_000 if stated is None else stated // _MILLISECOND


def _breaker(settings: Settings) -> out.Breaker | None:
    bounds = out.Breaker(
        max_requests=_value(settings.breaker_max_requests),
        max_pending=_value(settings.breaker_max_pending),
        max_connections=_value(settings.breaker_max_connections),
    )
    return None if bounds == out.Breaker() else bounds


def _ejection(settings: Settings) -> out.Ejection | None:
    consecutive = _value(settings.outlier_consecutive_5xx)
    if consecutive is None:
        return None
    return out.Ejection(
        consecutive_5xx=consecutive,
        eject_ms=(_value(settings.outlier_eject_ns) or OUTLIER_EJECT_NS) // _MILLISECOND,
        interval_ms=(_value(settings.outlier_interval_ns) or OUTLIER_INTERVAL_NS) // _MILLISECOND,
        max_percent=(_value(settings.outlier_max_ejected) or OUTLIER_MAX_EJECTED) // _PERCENT,
    )


def _value(setting: Setting[int] | None) -> int | None:
    return None if setting is None else setting.value
