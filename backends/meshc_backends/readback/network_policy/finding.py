"""Findings about network policies that do not mean what the program says."""

from __future__ import annotations

from meshc_backends.readback.network_policy.connection import ConnectionSet
from meshc_backends.readback.network_policy.needed import COLLECTOR
from meshc_backends.readback.network_policy.witness import allowed_request, any_request
from meshc_compiler.finding import heading
from meshc_compiler.ir.caller import includes
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect
from meshc_compiler.ir.workload import Workload
from meshc_lang.codes.targets import NETWORK_POLICY_CUTS, NETWORK_POLICY_OPENS, NETWORK_POLICY_UNREADABLE
from meshc_lang.diagnostic import Code, Diagnostic
from meshc_lang.record import dataclass
from meshc_lang.request import Request
from meshc_lang.source import SourceText, Span

_HELP = "nothing was written; this is a mistake of meshc, please report it with the program"


@dataclass(frozen=True, slots=True)
class Place:
    """The file that was read back, and the program it was made of."""

    index: MeshIndex
    file: str


def cut(place: Place, caller: Workload, callee: str, ports: ConnectionSet, where: str) -> Diagnostic:
    """Return that a connection is not open that an allow needs; the witness is a request that the program allows."""
    message = (
        f"`{place.file}` does not let `{caller.name}` connect to `{callee}` ({ports} {where}), and the program allows "
        "it to call"
    )
    return _difference(
        place, NETWORK_POLICY_CUTS, message, _allow(place, caller, callee), f"{caller.name} -> {callee}",
        allowed_request(place.index, caller, callee),
    )  # fmt: skip


def cut_collector(place: Place, workload: Workload, ports: ConnectionSet, where: str) -> Diagnostic:
    """Return that spans cannot be sent, which are no requests of the program's."""
    message = f"`{place.file}` does not let `{workload.name}` connect to {COLLECTOR} ({ports} {where})"
    stated = place.index.mesh.mesh_settings.trace_endpoint
    origin = workload.origin if stated is None else stated.origin
    return _difference(place, NETWORK_POLICY_CUTS, message, origin, f"{workload.name} -> {COLLECTOR}", None)


def cut_stranger(place: Place, policy: str, pods: str) -> Diagnostic:
    """Return that a policy affects pods of which the program says nothing."""
    message = f"the policy `{policy}` of `{place.file}` also closes {pods}, of which the program says nothing"
    return _difference(place, NETWORK_POLICY_CUTS, message, None, policy, None)


def opened(place: Place, caller: Workload, callee: Workload, ports: ConnectionSet, where: str = "") -> Diagnostic:
    """Return that one workload may connect to another that no allow lets it call, or that one end would let it."""
    message = f"`{place.file}` lets `{caller.name}` connect to `{callee.name}` ({ports}{where}), which no allow needs"
    return _difference(
        place, NETWORK_POLICY_OPENS, message, caller.origin, f"{caller.name} -> {callee.name}",
        any_request(place.index, caller.name, callee.name),
    )  # fmt: skip


def opened_outward(place: Place, workload: Workload, what: str, ports: ConnectionSet) -> Diagnostic:
    """Return that a workload may connect to something that it does not call."""
    message = f"`{place.file}` lets `{workload.name}` connect to {what} ({ports}), which no allow needs"
    return _difference(place, NETWORK_POLICY_OPENS, message, workload.origin, workload.name, None)


def opened_inward(place: Place, workload: Workload, what: str, ports: ConnectionSet) -> Diagnostic:
    """Return that something may connect to a workload that is no caller of it; it has no mesh identity to show."""
    message = f"`{place.file}` lets {what} connect to `{workload.name}` ({ports}), which no allow needs"
    witness = any_request(place.index, "plaintext", workload.name)
    return _difference(place, NETWORK_POLICY_OPENS, message, workload.origin, workload.name, witness)


def cut_from_world(place: Place, workload: Workload, ports: ConnectionSet) -> Diagnostic:
    """Return that the gateway does not take connections from outside."""
    message = f"`{place.file}` does not let the world connect to `{workload.name}` ({ports}), where calls enter"
    called = place.index.callees_of(workload.spiffe_id)
    witness = allowed_request(place.index, workload, called[0][0]) if called else None
    return _difference(place, NETWORK_POLICY_CUTS, message, workload.origin, workload.name, witness)


def unreadable(place: Place, reason: str) -> Diagnostic:
    """Return that a file cannot be read back."""
    message = f"`{place.file}` cannot be read back: {reason}"
    return _difference(place, NETWORK_POLICY_UNREADABLE, message, None, place.file, None)


def _allow(place: Place, caller: Workload, callee: str) -> Span | None:
    rules = (
        rule
        for name, port in place.index.callees_of(caller.spiffe_id)
        if name == callee
        for rule in place.index.rules_of(callee, port)
        if rule.effect is Effect.ALLOW and includes(rule.callers, caller.spiffe_id)
    )
    return next((rule.origin for rule in rules if rule.origin is not None), caller.origin)


def _difference(
    place: Place, code: Code, message: str, origin: Span | None, subject: str, witness: Request | None
) -> Diagnostic:
    primary = SourceText(place.file, "").span(0, 0) if origin is None else heading(origin)
    return Diagnostic(code=code, message=message, primary=primary, help=_HELP, subject=subject, witness=witness)
