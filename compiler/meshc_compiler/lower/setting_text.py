"""Settings as the language spells them: their values."""

from __future__ import annotations

from enum import Enum

from meshc_compiler.ir.setting import Backoff, Balance, HashKeyKind
from meshc_lang.units import print_duration, print_percent

_SHARES = frozenset({"retry_budget", "outlier_max_ejected", "trace_sampling"})
_OFF_AT_ZERO = frozenset(
    {
        "breaker_max_requests",
        "breaker_max_pending",
        "breaker_max_connections",
        "outlier_consecutive_5xx",
        "trace_sampling",
        "trace_endpoint",
        "retry_key_header",
    }
)


def setting_text(name: str, value: object) -> str:
    """Return the value of a field of `Settings` as the language spells it."""
    match value:
        case bool():
            return ("on" if value else "off") if name == "metrics" else ("true" if value else "false")
        case Backoff():
            return f"{print_duration(value.low_ns)}..{print_duration(value.high_ns)}"
        case Balance():
            return balance_text(value)
        case Enum():
            return str(value.value)
        case tuple():
            return f"[{', '.join(str(item.value) if isinstance(item, Enum) else str(item) for item in value)}]"
        case 0 | "" if name in _OFF_AT_ZERO:
            return "off"
        case int() if name.endswith("_ns"):
            return print_duration(value) if value else "off"
        case int() if name in _SHARES:
            return print_percent(value)
    return str(value)


def balance_text(balance: Balance) -> str:
    """Return a policy, with what it hashes: `ring-hash by header "x-user"`."""
    key = balance.key
    if key is None:
        return str(balance.policy)
    named = "" if key.kind is HashKeyKind.SOURCE else f' "{key.name}"'
    return f"{balance.policy} by {key.kind}{named}"
