"""What the program asks, part by part: callers, conditions, limits, faults, settings, from the IR as they stand."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from typing import assert_never

from meshc_backends.placement import Address
from meshc_backends.readback.formula import (
    Callers,
    Formula,
    Has,
    MemberIn,
    MemberLike,
    ValueIn,
    ValueLike,
    all_of,
    any_of,
    not_,
)
from meshc_backends.readback.language import Language, language_of, only
from meshc_backends.readback.policy import Ejection, Limited, Mishap, Upstream
from meshc_compiler.ir.caller import AnyCaller, PlaintextCaller, TheseCallers
from meshc_compiler.ir.caller import Callers as CallersOfProgram
from meshc_compiler.ir.condition import questions
from meshc_compiler.ir.match import (
    AllOf,
    AnyOf,
    AttributeMatches,
    AttributeOneOf,
    AttributePresent,
    CallerIn,
    Condition,
    HeaderMatches,
    HeaderOneOf,
    HeaderPresent,
    Not,
    RequestMatch,
)
from meshc_compiler.ir.policy import Limit
from meshc_compiler.ir.setting import (
    OUTLIER_EJECT_NS,
    OUTLIER_INTERVAL_NS,
    OUTLIER_MAX_EJECTED,
    HashKeyKind,
    Setting,
    Settings,
)
from meshc_compiler.ir.slice import InboundPort, OutboundMirror, OutboundService
from meshc_compiler.ir.traffic import Fault
from meshc_compiler.ir.workload import Protocol, ServicePort
from meshc_compiler.regex import BEYOND, Characters, Choice, Regex, Repeat, Sequence
from meshc_lang.source import Span

ANYBODY = Callers(frozenset(), others=True)


def callers_meant(callers: CallersOfProgram) -> Callers:
    """Return whom the program means."""
    match callers:
        case AnyCaller(besides):
            return Callers(frozenset(map(str, besides)), others=True)
        case TheseCallers(ids):
            return Callers(frozenset(map(str, ids)))
        case PlaintextCaller():
            return Callers(frozenset(), plaintext=True)
        case _:
            assert_never(callers)


def condition_meant(condition: Condition) -> Formula:
    """Return what a condition asks."""
    match condition:
        case HeaderPresent(name):
            return Has(None, name)
        case HeaderOneOf(name, values):
            return MemberIn(name, frozenset(values))
        case HeaderMatches(name, pattern):
            return MemberLike(name, pattern)
        case AttributePresent(kind, name):
            return Has(kind, name)
        case AttributeOneOf(kind, name, values):
            return ValueIn(kind, name, frozenset(values))
        case AttributeMatches(kind, name, pattern):
            return ValueLike(kind, name, pattern)
        case CallerIn(callers):
            return callers_meant(callers)
        case AllOf(operands):
            return all_of(map(condition_meant, operands))
        case AnyOf(operands):
            return any_of(map(condition_meant, operands))
        case Not(operand):
            return not_(condition_meant(operand))
        case _:
            assert_never(condition)


def underscored(matches: Iterable[RequestMatch]) -> bool:
    """Tell whether some match asks for a header with `_` in its name."""
    return any(
        isinstance(question, HeaderPresent | HeaderOneOf | HeaderMatches) and "_" in question.name
        for match in matches
        if match.condition is not None
        for question in questions(match.condition)
    )


def limited_by_underscored(inbound: InboundPort) -> bool:
    """Tell whether some limit goes by a header with `_` in its name."""
    return any(limit.per_header is not None and "_" in limit.per_header for limit in inbound.limits)


def by_underscored(settings: Settings) -> bool:
    """Tell whether settings go by a header with `_` in its name."""
    key, balance = settings.retry_key_header, settings.balance
    hashed = None if balance is None else balance.value.key
    return (key is not None and "_" in key.value) or (
        hashed is not None and hashed.kind is HashKeyKind.HEADER and "_" in (hashed.name or "")
    )


def limited(limit: Limit) -> Limited:
    """Return a limit's buckets."""
    return Limited(
        callers=callers_meant(limit.callers),
        per=None if limit.per is None else (limit.per.kind.value, limit.per.name),
        amount=limit.amount,
        seconds=limit.seconds,
        burst=limit.burst,
        origin=limit.origin,
    )


def mishap(fault: Fault, *, everybody: bool = False) -> Mishap:
    """Return a fault; with `everybody` all whose calls get there are those it is about."""
    return Mishap(
        callers=ANYBODY if everybody else callers_meant(fault.callers),
        delay_ns=fault.delay_ns,
        abort_status=fault.abort_status,
        share=fault.share,
        origin=fault.origin,
    )


def mirror_sets(callee: OutboundService) -> list[tuple[OutboundMirror, ...]]:
    """Return which mirrors a request may meet at once: the first set that has it, larger ones first, is its own."""
    always = tuple(one for one in callee.mirrors if one.mirror.match.is_everything)
    sometimes = [one for one in callee.mirrors if not one.mirror.match.is_everything]
    return [(*always, *chosen) for size in range(len(sometimes), -1, -1) for chosen in combinations(sometimes, size)]


def ejection(settings: Settings) -> Ejection | None:
    """Return when an instance is left alone, where anything is stated."""
    in_a_row = value_of(settings.outlier_consecutive_5xx)
    if in_a_row is None:
        return None
    return Ejection(
        in_a_row=in_a_row,
        eject_ns=value_of(settings.outlier_eject_ns) or OUTLIER_EJECT_NS,
        interval_ns=value_of(settings.outlier_interval_ns) or OUTLIER_INTERVAL_NS,
        at_most=value_of(settings.outlier_max_ejected) or OUTLIER_MAX_EJECTED,
    )


def hashed(settings: Settings) -> tuple[str, str] | None:
    """Return what chooses the instance: its kind and its name."""
    if settings.balance is None or (key := settings.balance.value.key) is None:
        return None
    return key.kind.value, key.name or ""


def value_of(setting: Setting[int] | None) -> int | None:
    """Return what is stated."""
    return None if setting is None else setting.value


_STATED = {
    "timeout_ns": "timeout_ns",
    "idle_timeout_ns": "idle_timeout_ns",
    "retry.limit": "retry_limit",
    "retry.on": "retry_on",
    "retry.per_try_ns": "per_try_timeout_ns",
    "retry.pause_ns": "retry_backoff",
    "retry.key_header": "retry_key_header",
    "retry": "retry_limit",
    "hashed": "balance",
    "connect_timeout_ns": "connect_timeout_ns",
    "max_requests": "breaker_max_requests",
    "max_pending": "breaker_max_pending",
    "max_connections": "breaker_max_connections",
    "retry_budget": "retry_budget",
    "ejection": "outlier_consecutive_5xx",
    "ejection.in_a_row": "outlier_consecutive_5xx",
    "ejection.eject_ns": "outlier_eject_ns",
    "ejection.interval_ns": "outlier_interval_ns",
    "ejection.at_most": "outlier_max_ejected",
    "balance": "balance",
}


def origins(settings: Settings) -> tuple[tuple[str, Span | None], ...]:
    """Return where the program states what the fields of a call say."""
    return tuple(
        (place, setting.origin) for place, name in _STATED.items() if (setting := getattr(settings, name)) is not None
    )


def speech(port: ServicePort) -> str:
    """Return what is spoken to a port: `http1`, `http2` or `tcp`."""
    match port.protocol:
        case Protocol.HTTP:
            return "http1"
        case Protocol.HTTP2 | Protocol.GRPC:
            return "http2"
        case Protocol.TCP | Protocol.TLS:
            return "tcp"


def whole(upstream: Upstream) -> frozenset[tuple[Upstream, Fraction]]:
    """Return destinations of which one gets everything."""
    return frozenset({(upstream, Fraction(1))})


def pair(address: Address) -> tuple[str, int]:
    """Return an address as a host and a port."""
    return address.host, address.port


@lru_cache(maxsize=4096)
def is_address(host: str) -> bool:
    """Tell whether a host is an IP address, which TLS names otherwise (RFC 6066 §3)."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=64)
def strangers(namespaces: tuple[str, ...]) -> Language:
    """Return the values of `Host` inside the mesh's own name space, in letters of either case (docs/architecture.md).

    They have one label, or end in `svc`, `svc.cluster.local` or behind one label in a namespace of the mesh; a port
    may follow.
    """
    letters = frozenset({*map(chr, range(128)), BEYOND})
    label = Repeat(Characters(letters - {"."}), 1, None)
    below = Choice(
        (
            Repeat(Characters(letters - frozenset(".[]")), 1, None),
            Sequence(
                (
                    Repeat(Sequence((Repeat(Characters(letters - {"\n"}), 0, None), only("."))), 0, 1),
                    _either_case("svc"),
                    Repeat(_either_case(".cluster.local"), 0, 1),
                )
            ),
            *(Sequence((label, only("."), _either_case(name))) for name in namespaces),
        )
    )
    port = Repeat(Sequence((only(":"), Repeat(Characters(frozenset("0123456789")), 0, None))), 0, 1)
    return language_of(Sequence((below, port)))


def _either_case(text: str) -> Regex:
    return Sequence(tuple(Characters(frozenset({letter.lower(), letter.upper()})) for letter in text))
