"""What cannot be carried of tcp and tls ports: parts that speak of requests, and addresses that are taken."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_backends.envoy.refusal import cannot_hold, nowhere
from meshc_backends.placement import Address, Placement
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.slice import WorkloadSlice
from meshc_lang.codes.targets import ENVOY_PORT_TAKEN
from meshc_lang.diagnostic import Diagnostic, Label
from meshc_lang.record import dataclass
from meshc_lang.source import Span

EVERYTHING = RequestMatch()

_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """An address beside the workload on which something listens: what, and where that is written."""

    address: Address
    what: str
    origin: Span | None


def tcp_findings(slice_: WorkloadSlice, placement: Placement) -> tuple[Diagnostic, ...]:
    """Return what cannot be carried of a workload's tcp and tls ports, and of those that it calls."""
    return (*_request_findings(slice_), *_address_findings(slice_, placement))


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


def _address_findings(slice_: WorkloadSlice, placement: Placement) -> Iterator[Diagnostic]:
    """Yield each callee whose listener cannot have the address at which the workload would call it."""
    caller = slice_.workload.name
    taken = list(_taken(slice_, placement))
    for callee in slice_.services:
        if callee.port.protocol.is_http:
            continue
        name = f"{callee.service.name}:{callee.port.number}"
        address = placement.outbound_tcp(slice_.workload, callee.service, callee.port)
        if address is None:
            yield cannot_hold(
                f"no address is given at which `{caller}` calls `{name}`, whose protocol is "
                f"`{callee.port.protocol.value}`",
                callee.port.origin,
                "a callee that is not HTTP needs a listener of its own beside each workload that calls it",
                f"tcp {caller} {name}",
            )
            continue
        first = next((other for other in taken if _overlap(other.address, address)), None)
        if first is not None:
            yield _port_taken(caller, name, callee.port.origin, address, first)
        taken.append(_Taken(address=address, what=f"the calls to `{name}`", origin=callee.port.origin))


def _taken(slice_: WorkloadSlice, placement: Placement) -> Iterator[_Taken]:
    where = placement.listeners(slice_.workload)
    sidecar = [("outbound", where.outbound), ("administration", where.admin)]
    sidecar += [("readiness", where.readiness), ("metrics", where.metrics)]
    # Also where the workload serves nothing and so nothing listens: the numbers are the sidecar's in every pod.
    for what, address in (("inbound", where.inbound), *sidecar):
        yield _Taken(address=address, what=f"the sidecar itself ({what})", origin=None)
    for inbound in slice_.inbound:
        address = placement.application(slice_.workload, inbound.port)
        yield _Taken(address=address, what=f"`{slice_.workload.name}` itself", origin=inbound.port.origin)


def _overlap(one: Address, other: Address) -> bool:
    hosts = {one.host, other.host}
    return one.port == other.port and (len(hosts) == 1 or bool(hosts & _EVERY_ADDRESS))


def _port_taken(caller: str, callee: str, origin: Span | None, address: Address, taken: _Taken) -> Diagnostic:
    return Diagnostic(
        code=ENVOY_PORT_TAKEN,
        message=f"`{caller}` would call `{callee}` at {address}, which is taken by {taken.what}",
        primary=origin or nowhere(),
        label=f"called at {address}",
        related=(Label(taken.origin, f"takes {taken.address}"),) if taken.origin is not None else (),
        help="give one of the two another port number: there is no `Host` by which connections could be told apart",
        subject=f"envoy tcp port {caller} {callee}",
    )
