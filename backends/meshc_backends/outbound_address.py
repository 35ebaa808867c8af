"""Where a workload calls what is not HTTP: at an address of its own for each callee, which nothing else may have."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_backends.placement import Address, Placement
from meshc_compiler.ir.slice import WorkloadSlice
from meshc_lang.codes.targets import ENVOY_PORT_TAKEN
from meshc_lang.diagnostic import Diagnostic, Label
from meshc_lang.record import dataclass
from meshc_lang.source import SourceText, Span

_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """An address beside the workload on which something listens: what, and where that is written."""

    address: Address
    what: str
    origin: Span | None


def address_findings(slice_: WorkloadSlice, placement: Placement, target: str) -> Iterator[Diagnostic]:
    """Yield each callee whose listener cannot have the address at which the workload would call it."""
    caller = slice_.workload.name
    taken = list(_taken(slice_, placement))
    for callee in slice_.services:
        if callee.port.protocol.is_http:
            continue
        name = f"{callee.service.name}:{callee.port.number}"
        address = placement.outbound_tcp(slice_.workload, callee.service, callee.port)
        if address is None:
            continue
        first = next((other for other in taken if _overlap(other.address, address)), None)
        if first is not None:
            yield _port_taken(target, caller, name, callee.port.origin, address, first)
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


def _port_taken(
    target: str, caller: str, callee: str, origin: Span | None, address: Address, taken: _Taken
) -> Diagnostic:
    return Diagnostic(
        code=ENVOY_PORT_TAKEN,
        message=f"`{caller}` would call `{callee}` at {address}, which is taken by {taken.what}",
        primary=origin or SourceText(target, "").span(0, 0),
        label=f"called at {address}",
        related=(Label(taken.origin, f"takes {taken.address}"),) if taken.origin is not None else (),
        help="give one of the two another port number: there is no `Host` by which connections could be told apart",
        subject=f"{target} tcp port {caller} {callee}",
    )
