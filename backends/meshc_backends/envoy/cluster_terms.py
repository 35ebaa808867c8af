"""What of a call's settings Envoy keeps in the cluster, not in the route: routes that differ in it need another one."""

from __future__ import annotations

from meshc_backends.envoy.message import UNLIMITED, Message, duration, percent_of_millionths
from meshc_compiler.ir.setting import (
    OUTLIER_EJECT_NS,
    OUTLIER_INTERVAL_NS,
    OUTLIER_MAX_EJECTED,
    BalancePolicy,
    Setting,
    Settings,
)
from meshc_lang.record import dataclass
from meshc_lang.units import print_duration

RETRY_BUDGET_MINIMUM = 3
"""How many retries at once a budget always allows: a share of very few requests would be none at all."""

_PERCENT = 10_000

LB_POLICIES = {
    BalancePolicy.ROUND_ROBIN: "ROUND_ROBIN",
    BalancePolicy.LEAST_REQUEST: "LEAST_REQUEST",
    BalancePolicy.RANDOM: "RANDOM",
    BalancePolicy.RING_HASH: "RING_HASH",
}
"""`envoy.config.cluster.v3.Cluster.LbPolicy`; what is not here is refused before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ejection:
    """When an instance is left alone, and for how long (`envoy.config.cluster.v3.OutlierDetection`)."""

    consecutive_5xx: int
    eject_ns: int
    interval_ns: int
    max_ejected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTerms:
    """The terms on which the instances behind a cluster are called; None where the program states nothing.

    `retry_budget` is a share of the active requests, in millionths.
    """

    retry_budget: int | None = None
    connect_timeout_ns: int | None = None
    idle_timeout_ns: int | None = None
    max_requests: int | None = None
    max_pending: int | None = None
    max_connections: int | None = None
    ejection: Ejection | None = None
    balance: BalancePolicy = BalancePolicy.ROUND_ROBIN

    @property
    def label(self) -> str:
        """The terms in words, "" if there are none: they tell clusters of one callee apart."""
        words = []
        if self.retry_budget is not None:
            words.append(f"budget {percent_of_millionths(self.retry_budget):g}%")
        if self.connect_timeout_ns is not None:
            words.append(f"connect {print_duration(self.connect_timeout_ns)}")
        if self.idle_timeout_ns is not None:
            words.append(f"idle {print_duration(self.idle_timeout_ns)}")
        for word, bound in (
            ("requests", self.max_requests),
            ("pending", self.max_pending),
            ("connections", self.max_connections),
        ):
            if bound is not None:
                words.append(f"{word} {bound}")
        if (out := self.ejection) is not None:
            times = f"{print_duration(out.eject_ns)}/{print_duration(out.interval_ns)}"
            words.append(f"eject {out.consecutive_5xx} {times} {out.max_ejected / _PERCENT:g}%")
        if self.balance is not BalancePolicy.ROUND_ROBIN:
            words.append(str(self.balance))
        return " ".join(words)

    def bounds(self) -> Message:
        """Return the fields of a `Cluster` that bound calls; what is not stated is switched off."""
        message: Message = {"circuit_breakers": {"thresholds": [self._thresholds()]}}
        if self.ejection is not None:
            message["outlier_detection"] = _outlier_detection(self.ejection)
            # Envoy would call instances that are out as soon as half of them are.
            message["common_lb_config"] = {"healthy_panic_threshold": {"value": 0}}
        return message

    def _thresholds(self) -> Message:
        bounds: Message = {
            "priority": "DEFAULT",
            "max_connections": self.max_connections or UNLIMITED,
            "max_pending_requests": self.max_pending or UNLIMITED,
            "max_requests": self.max_requests or UNLIMITED,
        }
        if self.retry_budget is None:
            # Envoy's own default of 3 retries at once would cut stated retries short in silence.
            return {**bounds, "max_retries": UNLIMITED}
        budget = {
            "budget_percent": {"value": percent_of_millionths(self.retry_budget)},
            "min_retry_concurrency": RETRY_BUDGET_MINIMUM,
        }
        return {**bounds, "retry_budget": budget}


NO_TERMS = ClusterTerms()
"""The terms where the program states nothing."""


def cluster_terms(settings: Settings) -> ClusterTerms:
    """Return the terms that effective settings state; a budget counts only where something is retried."""
    return ClusterTerms(
        retry_budget=_value(settings.retry_budget) if settings.retries else None,
        connect_timeout_ns=_value(settings.connect_timeout_ns),
        idle_timeout_ns=_value(settings.idle_timeout_ns),
        max_requests=_value(settings.breaker_max_requests),
        max_pending=_value(settings.breaker_max_pending),
        max_connections=_value(settings.breaker_max_connections),
        ejection=_ejection(settings),
        balance=settings.balance.value.policy if settings.balance else BalancePolicy.ROUND_ROBIN,
    )


def _value(setting: Setting[int] | None) -> int | None:
    return None if setting is None else setting.value


def _ejection(settings: Settings) -> Ejection | None:
    consecutive = _value(settings.outlier_consecutive_5xx)
    if consecutive is None:
        return None
    return Ejection(
        consecutive_5xx=consecutive,
        eject_ns=_value(settings.outlier_eject_ns) or OUTLIER_EJECT_NS,
        interval_ns=_value(settings.outlier_interval_ns) or OUTLIER_INTERVAL_NS,
        max_ejected=_value(settings.outlier_max_ejected) or OUTLIER_MAX_EJECTED,
    )


def _outlier_detection(ejection: Ejection) -> Message:
    """Return what ejects by answers in a row and by nothing else: Envoy's other ways are switched off."""
    return {
        "consecutive_5xx": ejection.consecutive_5xx,
        "interval": duration(ejection.interval_ns),
        "base_ejection_time": duration(ejection.eject_ns),
        "max_ejection_percent": ejection.max_ejected // _PERCENT,
        "enforcing_consecutive_5xx": 100,
        "enforcing_success_rate": 0,
        "enforcing_failure_percentage": 0,
        "enforcing_consecutive_gateway_failure": 0,
    }
