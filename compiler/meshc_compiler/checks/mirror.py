"""Mirrors: that somebody may send the copies."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.ir.caller import AnyCaller, TheseCallers
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect
from meshc_compiler.ir.traffic import Mirror
from meshc_lang.codes import routing
from meshc_lang.diagnostic import Diagnostic


def check_mirrors(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find mirrors to a service that a caller of the mirrored one may not call at all."""
    for mirror in subject.mesh.mirrors:
        if mirror.target_service == mirror.service and mirror.target_port == mirror.port:
            continue
        refused = _refused_callers(subject.index, mirror)
        if refused and mirror.origin is not None:
            first, *others = refused
            whose = f"`{first}`" if not others else f"`{first}` and {len(others)} more"
            yield Diagnostic(
                code=routing.MIRROR_DENIED,
                message=f"copies of what {whose} sends to `{mirror.service}` are refused by `{mirror.target_service}`",
                primary=mirror.origin,
                help=f"let those who call `{mirror.service}` call `{mirror.target_service}` too",
                subject=mirror.id,
            )


def _refused_callers(index: MeshIndex, mirror: Mirror) -> list[str]:
    """Return who may call the mirrored port, and nothing of the target, by name."""
    granted: set[object] = set()
    for rule in index.rules_of(mirror.target_service, mirror.target_port):
        if rule.effect is Effect.ALLOW:
            if isinstance(rule.callers, AnyCaller):
                return []
            if isinstance(rule.callers, TheseCallers):
                granted.update(rule.callers.ids)
    refused: set[str] = set()
    for rule in index.rules_of(mirror.service, mirror.port):
        if rule.effect is not Effect.ALLOW:
            continue
        match rule.callers:
            case TheseCallers(ids):
                workloads = index.workloads_by_id
                # Whoever is not declared has no sidecar of ours that would send copies.
                refused.update(workloads[one].name for one in ids if one in workloads and one not in granted)
            case AnyCaller():
                if not granted:
                    refused.add("any")
            case _:
                pass  # calls without an identity are those of nobody's sidecar: there is none to copy them
    return sorted(refused)
