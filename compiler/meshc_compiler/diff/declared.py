"""What is declared, part by part, as texts to compare: who is who, whatever requests are made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from meshc_compiler.diff.alignment import port_pairs, ports_of
from meshc_compiler.diff.change import Change, ChangeKind
from meshc_compiler.diff.illustration import Illustrations
from meshc_compiler.ir.jwt import TokenIssuer
from meshc_compiler.ir.mesh import INGRESS, MeshIndex
from meshc_compiler.ir.objective import Objective
from meshc_compiler.ir.workload import External, Labels, Service, ServicePort, TlsOrigination
from meshc_lang.record import dataclass
from meshc_lang.source import Span
from meshc_lang.units import print_duration, print_percent

_MILLIONTHS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One part of a declaration. Two are the same if their `value` is; `text` is how it is told."""

    text: str
    value: str
    span: Span | None
    kind: ChangeKind = ChangeKind.IDENTITY


_Parts = dict[str, _Part]

_PORTS = "ports"
_ABSENT = "absent"
_UNTOLD = ("selector", "host")
"""What goes without saying of a service that came or went."""


def declared_changes(old: MeshIndex, new: MeshIndex) -> tuple[Change, ...]:
    """Return what is declared in one program only, or otherwise. The old one is as written, not aligned."""
    before, after = _declared(old), _declared(new)
    changes: list[Change] = []
    for subject in sorted({*before, *after}):
        one, other = before.get(subject), after.get(subject)
        if one is None or other is None:
            if subject == INGRESS:
                continue  # it is there all the same, and only not mentioned
            whole = one or other or {}
            first = next(iter(whole.values()))
            told = ", ".join(f"{part} {held.text}" for part, held in whole.items() if part not in _UNTOLD)
            text = (told, _ABSENT) if other is None else (_ABSENT, told)
            spans = () if first.span is None else (first.span,)
            changes.append(
                Change(
                    kind=first.kind,
                    callee=subject,
                    requests="declaration",
                    before=text[0],
                    after=text[1],
                    old_spans=spans if other is None else (),
                    new_spans=() if other is None else spans,
                )
            )
            continue
        for part in dict.fromkeys((*one, *other)):
            if part == _PORTS:
                continue  # compared one by one
            left, right = one.get(part), other.get(part)
            if (left and left.value) != (right and right.value):
                changes.append(_change(subject, part, left, right))
    changes += _port_changes(old, new)
    gone, there = Illustrations(old), Illustrations(new)
    return tuple(_illustrated(change, gone if change.after == _ABSENT else there) for change in changes)


def _illustrated(change: Change, illustrations: Illustrations) -> Change:
    """Return a change with a request to or by what was declared, as the program has it that declares it."""
    return replace(change, witness=illustrations.about(change.callee.removeprefix("slo ")))


def _change(subject: str, part: str, left: _Part | None, right: _Part | None) -> Change:
    held = right or left
    return Change(
        kind=ChangeKind.IDENTITY if held is None else held.kind,
        callee=subject,
        requests=part,
        before=_ABSENT if left is None else left.text,
        after=_ABSENT if right is None else right.text,
        old_spans=() if left is None or left.span is None else (left.span,),
        new_spans=() if right is None or right.span is None else (right.span,),
    )


def _declared(index: MeshIndex) -> dict[str, _Parts]:
    mesh = index.mesh
    parts: dict[str, _Parts] = {"mesh": dict(_of_mesh(index))}
    for service in mesh.services:
        parts[service.name] = dict(_of_service(index, service))
    for workload in mesh.workloads:
        if workload.name not in index.services:
            parts[workload.name] = dict(_of_workload(index, workload.name))
    for external in mesh.externals:
        parts[external.name] = dict(_of_external(external))
    for issuer in mesh.token_issuers:
        parts[f"jwt {issuer.name}"] = dict(_of_issuer(issuer))
    for objective in mesh.objectives:
        parts[f"slo {objective.service}"] = dict(_of_objective(objective))
    return parts


def _part(text: str, span: Span | None, value: str | None = None, kind: ChangeKind = ChangeKind.IDENTITY) -> _Part:
    return _Part(text=text, value=text if value is None else value, span=span, kind=kind)


def _of_mesh(index: MeshIndex) -> Iterator[tuple[str, _Part]]:
    mesh = index.mesh
    yield "name", _part(mesh.name, mesh.origin)
    yield "trust domain", _part(mesh.trust_domain, mesh.origin)
    terms = mesh.certificates
    if terms is not None:
        for name, held in (("certificates life", terms.life_ns), ("certificates renewal", terms.renew_before_ns)):
            if held is not None:
                yield name, _part(print_duration(held), terms.origin, kind=ChangeKind.SETTINGS)


def _of_workload(index: MeshIndex, name: str) -> Iterator[tuple[str, _Part]]:
    workload = index.workloads[name]
    # Another trust domain is told of the mesh, once.
    yield "identity", _part(str(workload.spiffe_id), workload.origin, workload.spiffe_id.path)
    yield "selector", _part(_labels(workload.selector), workload.origin)


def _of_service(index: MeshIndex, service: Service) -> Iterator[tuple[str, _Part]]:
    yield _PORTS, _part(", ".join(map(_port_text, service.ports)), service.origin)
    if service.workload in index.workloads:
        yield from _of_workload(index, service.workload)
    yield "host", _part(service.host, service.origin)
    yield "mtls", _part(service.mtls.value, service.mtls_origin or service.origin)
    if service.versions:
        yield "versions", _part(", ".join(service.versions), service.origin)
    yield "replicas", _part(str(service.replicas), service.replicas_origin or service.origin, kind=ChangeKind.SETTINGS)


def _of_external(external: External) -> Iterator[tuple[str, _Part]]:
    yield "hosts", _part(", ".join(external.hosts), external.origin)
    yield _PORTS, _part(_port_text(external.port), external.origin)
    tls = external.tls
    yield "tls", _part("off" if tls is None else _tls(tls), external.origin if tls is None else tls.origin)


def _tls(tls: TlsOrigination) -> str:
    words = [f"min {tls.minimum.value}"]
    if tls.server_name is not None:
        words.append(f"server name {tls.server_name}")
    if tls.ca_file is not None:
        words.append(f"roots {tls.ca_file}")
    if tls.names:
        words.append(f"names {', '.join(tls.names)}")
    return ", ".join(words)


def _of_issuer(issuer: TokenIssuer) -> Iterator[tuple[str, _Part]]:
    yield "issuer", _part(issuer.issuer, issuer.origin)
    yield "audiences", _part(", ".join(issuer.audiences) or "any", issuer.origin)
    yield "jwks", _part(issuer.jwks, issuer.origin)
    yield "token", _part(f"header {json.dumps(issuer.header)}" if issuer.header else "Authorization", issuer.origin)
    yield "forward", _part("true" if issuer.forward else "false", issuer.origin)


def _of_objective(objective: Objective) -> Iterator[tuple[str, _Part]]:
    def part(text: str, span: Span | None) -> _Part:
        return _part(text, span, kind=ChangeKind.SETTINGS)

    yield "window", part(print_duration(objective.window_ns), objective.origin)
    if objective.availability is not None:
        yield "availability", part(print_percent(objective.availability), objective.availability_origin)
    for one in objective.latencies:
        yield f"latency-p{one.share / _MILLIONTHS:g}", part(print_duration(one.bound_ns), one.origin)


def _labels(labels: Labels) -> str:
    return ", ".join(f"{name}: {value}" for name, value in labels)


# ---- ports


def _port_changes(old: MeshIndex, new: MeshIndex) -> Iterator[Change]:
    """Yield the ports that came, went, or are others; those of a callee that came or went itself are told with it."""
    for callee in sorted({*old.services, *old.externals} & {*new.services, *new.externals}):
        for left, right in port_pairs(ports_of(old, callee), ports_of(new, callee)):
            before, after = _port_text(left), _port_text(right)
            if before != after:
                changed = right or left
                yield Change(
                    kind=ChangeKind.IDENTITY,
                    callee=callee,
                    requests=f"port {changed.name}" if changed is not None and changed.name else "port",
                    before=before,
                    after=after,
                    old_spans=_port_span(old, callee, left),
                    new_spans=_port_span(new, callee, right),
                )


def _port_text(port: ServicePort | None) -> str:
    if port is None:
        return _ABSENT
    name = "" if port.name is None else f"{port.name}: "
    target = "" if port.target is None else f" to {port.target}"
    return f"{name}{port.number}/{port.protocol}{target}"


def _port_span(index: MeshIndex, callee: str, port: ServicePort | None) -> tuple[Span, ...]:
    if port is None:
        return ()
    declared = index.services.get(callee) or index.externals.get(callee)
    span = port.origin or (None if declared is None else declared.origin)
    return () if span is None else (span,)
