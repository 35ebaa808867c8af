"""The proof of one snapshot: that the Python proxy does with it what the program says of the workload."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from meshc_backends.artifact import Artifact
from meshc_backends.placement import Placement
from meshc_backends.readback.comparison import Difference, Kind
from meshc_backends.readback.policy import Policy
from meshc_backends.readback.proof import Proof, findings, prove
from meshc_backends.readback.sidecar.reader import GUARDS, Own, read_snapshot
from meshc_backends.readback.sidecar.telemetry import stated_telemetry
from meshc_backends.readback.terms import SIDECAR
from meshc_backends.readback.wording import show
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.slice import WorkloadSlice
from meshc_lang.diagnostic import Diagnostic

_MESH_SUFFIXES = frozenset({".svc", ".svc.cluster.local"})
"""Ends of names that are the mesh's own (docs/architecture.md), besides single labels and names in its namespaces."""

_GUARDS = {
    "max_connections": 4096,
    "handshake_timeout_ms": 10_000,
    "head_timeout_ms": 10_000,
    "body_idle_timeout_ms": 300_000,
    "idle_timeout_ms": 300_000,
    "pool_idle_timeout_ms": 60_000,
}
"""The proxy's bounds that protect itself."""


def prove_snapshot(slice_: WorkloadSlice, placement: Placement, path: str, content: bytes) -> Proof:
    """Read a snapshot back and compare it with the slice: a pure function of the slice, the placement and the bytes."""
    own: list[Own] = []

    def read(text: bytes) -> Policy:
        policy, said = read_snapshot(text)
        own.append(said)
        return policy

    proof = prove(slice_, placement, path, content, read, SIDECAR)
    more = tuple(difference for said in own for difference in _differences(slice_, placement, said))
    return replace(proof, differences=(*proof.differences, *more)) if more else proof


def differences(
    index: MeshIndex, slice_: WorkloadSlice, placement: Placement, artifact: Artifact
) -> tuple[Diagnostic, ...]:
    """Return where a workload's snapshot does not mean what the program says, as findings."""
    return findings(prove_snapshot(slice_, placement, artifact.path, artifact.content), slice_, index)


def _listened(slice_: WorkloadSlice, placement: Placement) -> frozenset[tuple[str, int]]:
    """Return the ports of services that the workload reaches by whole connections."""
    return frozenset(
        (one.service.name, one.port.number)
        for one in slice_.services
        if placement.outbound_tcp(slice_.workload, one.service, one.port) is not None
    )


def _differences(slice_: WorkloadSlice, placement: Placement, said: Own) -> Iterator[Difference]:
    workload = slice_.workload
    where = placement.listeners(workload)
    compared: list[tuple[Kind, str, object, object]] = [
        (Kind.IDENTITY, "the workload's name", workload.name, said.workload),
        (Kind.IDENTITY, "the workload's identity", str(workload.spiffe_id), said.spiffe_id),
        (Kind.IDENTITY, "the trust domain", slice_.trust_domain, said.trust_domain),
        (Kind.IDENTITY, "where readiness is asked", (where.readiness.host, where.readiness.port), said.readiness),
        (Kind.IDENTITY, "where metrics are asked", (where.metrics.host, where.metrics.port), said.metrics),
        (Kind.REQUEST, "names of the mesh by their end", _MESH_SUFFIXES, said.mesh_suffixes),
        (Kind.REQUEST, "namespaces of the mesh", frozenset(slice_.namespaces), said.mesh_namespaces),
        (Kind.SETTING, "the access log", "-", said.access_log),
    ]
    compared += [
        (Kind.SETTING, f"the guard {name}", _GUARDS[name], value)
        for name, value in zip(GUARDS, said.guards, strict=True)
    ]
    stated = stated_telemetry(slice_, _listened(slice_, placement))
    compared += [
        (Kind.SETTING, what, stated.get(what), said.telemetry.get(what))
        for what in sorted(stated.keys() | said.telemetry.keys())
    ]
    for kind, what, before, after in compared:
        if before != after:
            yield Difference(
                kind=kind,
                where=workload.name,
                what=what,
                before=show(before),
                after=show(after),
                origin=workload.origin,
            )
