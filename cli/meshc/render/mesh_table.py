"""What runs on this machine: who, by which identity, and where to call from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from meshc.local_mesh.plan import Instance, LocalPlan, http_ports
from meshc.render.terminal import Ink, Terminal, cell_count
from meshc_compiler.ir.caller import includes
from meshc_compiler.ir.match import PathTemplate, SegmentKind
from meshc_compiler.ir.mesh import INGRESS

_MOST_EXAMPLES = 3
_SHOWN = {
    SegmentKind.LITERAL: "",
    SegmentKind.ANY: "x",
    SegmentKind.INT: "1",
    SegmentKind.SLUG: "x",
    SegmentKind.UUID: "00000000-0000-4000-8000-000000000000",
    SegmentKind.REST: "",
}
"""What stands for a segment of a template in an example."""


def mesh_table(plan: LocalPlan, logs: Path, terminal: Terminal) -> str:
    """Return the running instances as a table, what does not run and why, and calls to try."""
    mesh = plan.index.mesh
    lines = [terminal.paint(f"mesh {mesh.name} runs on this machine; Ctrl-C stops it", Ink.STRONG), ""]
    rows: list[tuple[str, ...]] = [
        (one.name, str(one.workload.spiffe_id), f"http://{one.listeners.outbound}", _runs(one))
        for one in plan.instances
    ]
    lines += _table(("workload", "identity", "calls go out by", "runs"), rows, terminal)
    if plan.not_run:
        lines += ["", terminal.paint("not run", Ink.WARNING)]
        lines += [f"  {terminal.safe(one.what)}: {one.reason}" for one in plan.not_run]
    if examples := _examples(plan):
        lines += ["", "try"]
        lines += [f"  {example}" for example in examples]
    lines += ["", f"logs: {terminal.safe(str(logs))}", ""]
    return "\n".join(lines) + "\n"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]], terminal: Terminal) -> list[str]:
    widths = [max(cell_count(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [terminal.paint(_row(head, widths), Ink.FAINT)]
    lines += [_row(row, widths) for row in rows]
    return lines


def _row(cells: tuple[str, ...], widths: list[int]) -> str:
    padded = (cell + " " * (width - cell_count(cell)) for cell, width in zip(cells, widths, strict=True))
    return "  " + "  ".join(padded).rstrip()


def _runs(instance: Instance) -> str:
    if not instance.applications:
        return "the gateway" if instance.workload.name == INGRESS else "calls only"
    if instance.entry.command is not None:
        return " ".join(instance.entry.command)
    if instance.entry.address is not None:
        return f"yours at {instance.entry.address}"
    return "a stand-in"


def _examples(plan: LocalPlan) -> list[str]:
    """Return a call for each of the first edges: whether it is allowed, the answer says."""
    examples: dict[str, str] = {}
    for instance in sorted(plan.instances, key=lambda one: one.workload.name != INGRESS):
        call = next(_calls(plan, instance), None)
        if call is not None:
            examples.setdefault(instance.workload.name, call)
    return list(examples.values())[:_MOST_EXAMPLES]


def _calls(plan: LocalPlan, instance: Instance) -> Iterator[str]:
    for callee, number in plan.index.callees_of(instance.workload.spiffe_id):
        service = plan.index.services.get(callee)
        if service is not None and any(port.number == number for port in http_ports(service)):
            host = callee if number == service.ports[0].number else f"{callee}:{number}"
            path = _some_path(plan, instance, callee, number)
            yield f"curl -i -H 'Host: {host}' 'http://{instance.listeners.outbound}{path}'"


def _some_path(plan: LocalPlan, instance: Instance, callee: str, number: int) -> str:
    """Return a path that some grant without conditions lets the instance GET; the root if there is none."""
    for rule in plan.index.rules_of(callee, number):
        gets = not rule.match.methods or "GET" in rule.match.methods
        granted = rule.effect == "allow" and includes(rule.callers, instance.workload.spiffe_id)
        if granted and gets and rule.match.condition is None and isinstance(rule.match.path, PathTemplate):
            return "/" + "/".join(segment.literal or _SHOWN[segment.kind] for segment in rule.match.path.segments)
    return "/"
