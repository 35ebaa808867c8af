"""The inbound side of a snapshot: who may call the workload's ports, and how often."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import TypeVar

from meshc_backends.carried import NotCarriedError
from meshc_backends.placement import Address, Placement, server_name
from meshc_backends.sidecar.cluster_terms import connection_idle_ms
from meshc_backends.sidecar.request_match import match_fields
from meshc_backends.sidecar.telemetry import is_measured, log_choice, sampling
from meshc_compiler.ir.caller import AnyCaller, Callers, PlaintextCaller, TheseCallers
from meshc_compiler.ir.policy import Limit, LimitKeyKind, Rule
from meshc_compiler.ir.slice import InboundPort, WorkloadSlice
from meshc_compiler.ir.traffic import Fault
from meshc_runtime import snapshot as out

T = TypeVar("T", Rule, Limit)

_LONGEST_ID = 250
"""Below the snapshot's bound on names (320), so that there is room to tell many apart."""
_DIGEST = 16
_MILLISECOND = 1_000_000


def inbound_ports(slice_: WorkloadSlice, placement: Placement) -> tuple[out.InboundPort, ...]:
    """Return the ports on which the workload is called."""
    return tuple(_port(slice_, port, placement) for port in slice_.inbound)


def authorization_rules(rules: Iterable[Rule]) -> tuple[out.AuthorizationRule, ...]:
    """Return grants and refusals under ids that are short enough and each its own."""
    return tuple(
        out.AuthorizationRule(
            id=own_id,
            effect=rule.effect.value,
            callers=_callers(rule.callers),
            except_callers=_except_callers(rule.callers),
            **match_fields(rule.match),
        )
        for own_id, rule in with_own_ids(rules)
    )


def with_own_ids(stated: Iterable[T]) -> Iterator[tuple[str, T]]:
    """Yield rules or limits, each under an id that fits and that no other one has.

    A fact that is stated twice says nothing more, and is left out; different ones never merge.
    """
    taken: dict[str, T] = {}
    for one in stated:
        own_id = stable_id(one.id)
        while own_id in taken and taken[own_id] != one:
            own_id += "'"
        if own_id not in taken:
            taken[own_id] = one
            yield own_id, one


def address(where: Address) -> out.Address:
    """Return an address in the snapshot's words."""
    return out.Address(host=where.host, port=where.port)


def stable_id(text: str) -> str:
    """Return an id that fits: a longer one keeps its beginning and gains a digest, the same in every build."""
    if len(text) <= _LONGEST_ID:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
    return f"{text[: _LONGEST_ID - _DIGEST - 1]}~{digest}"


def _port(slice_: WorkloadSlice, port: InboundPort, placement: Placement) -> out.InboundPort:
    return out.InboundPort(
        service=port.service.name,
        number=port.port.number,
        protocol=port.port.protocol.value,
        server_name=server_name(port.service, port.port),
        app=address(placement.application(slice_.workload, port.port)),
        rules=authorization_rules(port.rules),
        connection_idle_ms=None
        if port.port.protocol.is_http
        else max(connection_idle_ms(None), connection_idle_ms(port.longest_idle_ns)),
        faults=planned_faults(port.faults),
        limits=tuple(_limit(own_id, limit) for own_id, limit in with_own_ids(port.limits)),
        access_log=log_choice(port.settings),
        metrics=is_measured(port.settings),
        trace_sampling=sampling(port.settings),
    )


def _limit(own_id: str, limit: Limit) -> out.RateLimit:
    return out.RateLimit(
        id=own_id,
        callers=_callers(limit.callers),
        amount=limit.amount,
        per_seconds=limit.seconds,
        burst=limit.burst,
        per_header=limit.per_header,
        per_query=_key(limit, LimitKeyKind.QUERY),
        per_cookie=_key(limit, LimitKeyKind.COOKIE),
    )


def _key(limit: Limit, kind: LimitKeyKind) -> str | None:
    if limit.per is None:
        return None
    if limit.per.kind is LimitKeyKind.CLAIM:
        raise NotCarriedError(limit)
    return limit.per.name if limit.per.kind is kind else None


def planned_faults(faults: Iterable[Fault], *, everybody: bool = False) -> tuple[out.Fault, ...]:
    """Return faults; with `everybody` all whose calls get there are those they are about."""
    return tuple(
        out.Fault(
            name=fault.name,
            callers=None if everybody else _callers(fault.callers),
            except_callers=None if everybody else _except_callers(fault.callers),
            delay_ms=None if fault.delay_ns is None else fault.delay_ns // _MILLISECOND,
            abort_status=fault.abort_status,
            share=fault.share,
        )
        for fault in faults
    )


def _callers(callers: Callers) -> tuple[str, ...] | None:
    match callers:
        case TheseCallers(ids):
            return tuple(map(str, ids))
        case AnyCaller():
            return None
        case PlaintextCaller():
            raise NotCarriedError(callers)


def _except_callers(callers: Callers) -> tuple[str, ...] | None:
    return tuple(map(str, callers.besides)) if isinstance(callers, AnyCaller) and callers.besides else None
