"""Two programs compared: by themselves and in each of their overlays. What is equal is passed over unread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from meshc_compiler.diff.alignment import aligned, port_pairs, ports_of
from meshc_compiler.diff.change import Change, ChangeKind
from meshc_compiler.diff.declared import declared_changes
from meshc_compiler.diff.fate import CalleeSide, MatchShelf
from meshc_compiler.diff.port_diff import PortDiff
from meshc_compiler.ir.mesh import Mesh, MeshIndex

Environments = Mapping[str | None, MeshIndex]
"""A program by itself (None) and with each of its overlays, by name."""


def diff_meshes(old: MeshIndex, new: MeshIndex) -> tuple[Change, ...]:
    """Return what differs between two meshes, in order; nothing if every request fares the same in both.

    Sound and complete for requests whose caller is told by its workload's name: one is in a class that is told if, and
    only if, it fares otherwise in the new mesh. Costs grow with what differs, once both were compared callee by callee.
    """
    changes = list(declared_changes(old, new))
    before = aligned(old, new)
    workloads = before.workloads_by_id.keys() | new.workloads_by_id.keys()
    left, right = _by_callee(before.mesh), _by_callee(new.mesh)
    everywhere = before.mesh.mesh_settings != new.mesh.mesh_settings or bool(before.mesh.token_issuers) is not bool(
        new.mesh.token_issuers
    )
    for callee in sorted({*left, *right}):
        if not everywhere and left.get(callee) == right.get(callee):
            continue
        for old_port, new_port in port_pairs(ports_of(before, callee), ports_of(new, callee)):
            shelf = MatchShelf()
            sides = CalleeSide(before, callee, old_port, shelf), CalleeSide(new, callee, new_port, shelf)
            changes += PortDiff(*sides, workloads).changes()
    return tuple(sorted(changes, key=lambda change: change.sort_key))


def _by_callee(mesh: Mesh) -> dict[str, list[object]]:
    """Return all that a mesh says about each callee: if that is equal, so is the fate of every request to it."""
    said: dict[str, list[object]] = {}
    for service in mesh.services:
        said.setdefault(service.name, []).append((service.ports, service.mtls, service.health))
    for external in mesh.externals:
        said.setdefault(external.name, []).append(external.port)
    for rule in mesh.rules:
        said.setdefault(rule.callee, []).append(rule)
    for limit in mesh.limits:
        said.setdefault(limit.callee, []).append(limit)
    for route in mesh.routes:
        said.setdefault(route.service, []).append(route)
    for mirror in mesh.mirrors:
        said.setdefault(mirror.service, []).append(mirror)
    for fault in mesh.faults:
        said.setdefault(fault.callee, []).append(fault)
    for callee, settings in mesh.service_settings:
        said.setdefault(callee, []).append(settings)
    for caller, callee, settings in mesh.edge_settings:
        said.setdefault(callee, []).append((caller, settings))
    for caller, callee, port, settings in mesh.port_settings:
        said.setdefault(callee, []).append((caller, port, settings))
    return said


def diff_programs(old: Environments, new: Environments) -> tuple[Change, ...]:
    """Return what differs between two programs by themselves and in each overlay that both have.

    A change that the programs have by themselves is told once; one that only overlays have names them. An overlay that
    only one of them has is told as such.
    """
    told: dict[tuple[str, ...], Change] = {}
    common: set[tuple[str, ...]] = set()
    for name in _in_order(old, new):
        before, after = old.get(name), new.get(name)
        if before is None or after is None:
            there = ("present", "absent") if after is None else ("absent", "present")
            change = Change(
                kind=ChangeKind.IDENTITY,
                callee=f"overlay {name}",
                requests="declaration",
                before=there[0],
                after=there[1],
            )
            told[change.key] = change
            continue
        for change in diff_meshes(before, after):
            if name is None:
                common.add(change.key)
                told[change.key] = change
            elif change.key not in common:
                known = told.get(change.key, change)
                told[change.key] = replace(known, overlays=(*known.overlays, name))
    return tuple(sorted(told.values(), key=lambda change: change.sort_key))


def _in_order(old: Environments, new: Environments) -> Iterable[str | None]:
    names = {*old, *new}
    return ([None] if None in old and None in new else []) + sorted(name for name in names if name is not None)
