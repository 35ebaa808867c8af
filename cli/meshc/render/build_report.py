"""What a build did, in a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from meshc.render.count import counted
from meshc.render.terminal import Ink, Terminal

if TYPE_CHECKING:
    from meshc_backends.build import BuildResult


def build_report(out: Path, result: BuildResult, terminal: Terminal) -> str:
    """Return what was written, what changed, what was added unasked, and what the targets do not carry."""
    head = terminal.paint(f"wrote {terminal.safe(str(out))}", Ink.STRONG)
    head += "" if result.overlay is None else terminal.safe(f" (overlay {result.overlay})")
    lines = [f"{head}: {counted(result.files, 'file')} for {', '.join(result.targets)} ({_difference(result)})"]
    if result.added:
        lines.append(f"added {' and '.join(result.added)}, which {_needing(result)}")
    if result.dropped_targets:
        lines.append(f"gone from the bundle: {', '.join(result.dropped_targets)} (not a target of this build)")
    if equal := [one for one in result.proofs if one.meaning == "equal" and one.files]:
        workloads = counted(max(one.files for one in equal), "workload")
        named = ", ".join(one.target for one in equal)
        lines.append(f"proved equal to the program: {workloads} × {counted(len(equal), 'target')} ({named})")
    passed, failed = result.tests
    if failed:
        told = f"{failed} of {counted(passed + failed, 'test case')} not as expected: see `meshc test`"
        lines.append(terminal.paint(told, Ink.WARNING))
    by_loss: dict[str, list[str]] = {}
    for reservation in result.reservations:
        by_loss.setdefault(f"{reservation.loss.value} by {reservation.target}", []).append(reservation.subject)
    for loss, subjects in by_loss.items():
        lines.append(terminal.safe(f"{loss}: {counted(len(subjects), 'part')} of the program, see manifest.json"))
    return "\n".join(lines) + "\n"


def _needing(result: BuildResult) -> str:
    from meshc_backends.registry import BACKENDS

    names = [
        target.name
        for target in BACKENDS
        if target.name in result.targets and {*target.needs, *target.needs_one_of} & set(result.added)
    ]
    return f"{' and '.join(names)} {'needs' if len(names) == 1 else 'need'}"


def _difference(result: BuildResult) -> str:
    if not result.changed and not result.removed:
        return "nothing changed"
    parts = [f"{result.changed:,} changed"] if result.changed else []
    if result.removed:
        parts.append(f"{result.removed:,} removed")
    return ", ".join(parts)
