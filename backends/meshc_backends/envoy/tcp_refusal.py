"""What cannot be carried of tcp and tls ports: parts that speak of requests, and addresses that are taken."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_backends.envoy.refusal import TARGET, cannot_hold
from meshc_backends.outbound_address import address_findings
from meshc_backends.placement import Placement
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.slice import WorkloadSlice
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.source import Span

EVERYTHING = RequestMatch()


def tcp_findings(slice_: WorkloadSlice, placement: Placement) -> tuple[Diagnostic, ...]:
    """Return what cannot be carried of a workload's tcp and tls ports, and of those that it calls."""
    return (
        *_request_findings(slice_),
        *_nowhere_findings(slice_, placement),
        *address_findings(slice_, placement, TARGET),
    )


def _request_findings(slice_: WorkloadSlice) -> Iterator[Diagnostic]:
    """Yield what speaks of requests where only connections are seen: the compiler lets none of it through."""
    spoken: list[tuple[str, Span | None]] = []
    for inbound in slice_.inbound:
        if not inbound.port.protocol.is_http:
            spoken += [(f"rule `{rule.id}`", rule.origin) for rule in inbound.rules if rule.match != EVERYTHING]
            spoken += [(f"limit `{limit.id}`", limit.origin) for limit in inbound.limits]
    for callee in slice_.services:
        if not callee.port.protocol.is_http:
            spoken += [(f"route `{rule.rule.id}`", rule.rule.origin) for rule in callee.rules if rule.rule is not None]
    for what, origin in spoken:
        yield cannot_hold(
            f"{what} is about requests, and its port shows nothing but connections",
            origin,
            "write `tcp` in rules, and leave out limits and routes for such ports",
            f"tcp {what}",
        )


def _nowhere_findings(slice_: WorkloadSlice, placement: Placement) -> Iterator[Diagnostic]:
    """Yield each callee for whose connections no listener can be made."""
    caller = slice_.workload.name
    for callee in slice_.services:
        if callee.port.protocol.is_http or placement.outbound_tcp(slice_.workload, callee.service, callee.port):
            continue
        name = f"{callee.service.name}:{callee.port.number}"
        yield cannot_hold(
            f"no address is given at which `{caller}` calls `{name}`, whose protocol is `{callee.port.protocol.value}`",
            callee.port.origin,
            "a callee that is not HTTP needs a listener of its own beside each workload that calls it",
            f"tcp {caller} {name}",
        )
