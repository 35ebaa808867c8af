"""One snapshot a workload, and what the proxy refuses for want of the protocol."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from meshc_backends.artifact import Artifact, Emission, Loss, Reservation
from meshc_backends.backend import EmitContext
from meshc_backends.measured import SIDECAR_PROTOCOLS
from meshc_backends.outbound_address import address_findings
from meshc_backends.placement import Placement
from meshc_backends.sidecar.inbound import address, inbound_ports
from meshc_backends.sidecar.outbound import outbound_services, settings_problems
from meshc_backends.sidecar.telemetry import tracing
from meshc_compiler.ir.feature import Feature
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.setting import Settings
from meshc_compiler.ir.slice import WorkloadSlice
from meshc_compiler.ir.workload import ServicePort
from meshc_lang.codes.targets import SIDECAR_CANNOT_HOLD, SIDECAR_PROTOCOL
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.source import SourceText, Span
from meshc_runtime import snapshot as out

TARGET = "sidecar"

_MILLISECOND = 1_000_000

CARRIED = SIDECAR_PROTOCOLS
"""The protocols of requests that the Python proxy speaks; of others it carries whole connections inside the mesh."""


class SidecarBackend:
    """The target `sidecar`: snapshots of the Python proxy."""

    name = TARGET
    carries = frozenset(
        {
            Feature.TIMEOUT,
            Feature.CONNECT_TIMEOUT,
            Feature.IDLE_TIMEOUT,
            Feature.RETRY,
            Feature.RETRY_KEY_HEADER,
            Feature.BREAKER,
            Feature.EJECTION,
            Feature.LEAST_REQUEST,
            Feature.RANDOM,
            Feature.PEAK_EWMA,
            Feature.RING_HASH,
            Feature.TRACING,
            Feature.ACCESS_LOG,
            Feature.METRICS_OFF,
            Feature.SPLIT,
            Feature.REDIRECT,
            Feature.RESPOND,
            Feature.FAULT,
            Feature.LIMIT_KEY,
            Feature.TLS_SERVER_NAME,
            Feature.TLS_CA,
            Feature.TLS_NAMES,
        }
    )
    leaves = frozenset({Feature.OBJECTIVE})

    def emit(self, index: MeshIndex, context: EmitContext) -> Emission:
        """Return `sidecar/<workload>.json` for every workload."""
        artifacts: list[Artifact] = []
        diagnostics: list[Diagnostic] = []
        reservations: list[Reservation] = []
        for external in index.mesh.externals:
            if external.port.protocol not in CARRIED:
                what = f"external `{external.name}`"
                diagnostics.append(_not_carried(what, external.port))
                reservations.append(_refused(what, external.port))
        for emission in context.workshop.make(TARGET, index, context.placement, emit_workload, context.reader):
            artifacts += emission.artifacts
            diagnostics += emission.diagnostics
        return Emission(artifacts=tuple(artifacts), diagnostics=tuple(diagnostics), reservations=tuple(reservations))


SIDECAR = SidecarBackend()
"""The backend, for the registry."""


def emit_workload(slice_: WorkloadSlice, placement: Placement) -> Emission:
    """Return one workload's snapshot: a function of its slice and of where things listen."""
    name = slice_.workload.name
    problems = (*_setting_findings(slice_), *address_findings(slice_, placement, TARGET))
    if problems:
        return Emission(diagnostics=problems)
    try:
        snapshot = _snapshot(slice_, placement)
    except ValidationError as error:
        return Emission(diagnostics=(_unfit(slice_, error),))
    content = out.render_snapshot(snapshot).encode()
    return Emission(artifacts=(Artifact(path=f"{TARGET}/{name}.json", content=content),))


def _snapshot(slice_: WorkloadSlice, placement: Placement) -> out.Snapshot:
    workload = slice_.workload
    where = placement.listeners(workload)
    certificates = placement.certificates(workload).rstrip("/")
    services, connections, clusters = outbound_services(slice_, placement)
    return out.Snapshot(
        workload=out.WorkloadIdentity(
            name=workload.name, spiffe_id=str(workload.spiffe_id), trust_domain=slice_.trust_domain
        ),
        certificates=out.CertificateFiles(
            cert_chain=f"{certificates}/cert-chain.pem",
            private_key=f"{certificates}/key.pem",
            trust_bundle=f"{certificates}/trust-bundle.pem",
        ),
        listeners=out.Listeners(
            inbound=address(where.inbound) if slice_.inbound else None,
            outbound=address(where.outbound),
            admin=address(where.admin),
            readiness=address(where.readiness),
            metrics=address(where.metrics),
        ),
        inbound=inbound_ports(slice_, placement),
        outbound=services,
        connections=connections,
        clusters=clusters,
        tracing=tracing(slice_),
        mesh_hosts=out.MeshHosts(namespaces=slice_.namespaces),
    )


def _not_carried(what: str, port: ServicePort) -> Diagnostic:
    return Diagnostic(
        code=SIDECAR_PROTOCOL,
        message=f"the Python proxy refuses calls to {what}: it does not carry `{port.protocol.value}` out of the mesh",
        primary=port.origin or _nowhere(),
        label=f"port {port.number}",
        help="a service of the mesh may be called so; for an external use `http`, or `443/tls` with a `tls` block",
        subject=f"sidecar {what} {port.number}",
    )


def _refused(what: str, port: ServicePort) -> Reservation:
    return Reservation(
        target=TARGET,
        loss=Loss.REFUSED,
        subject=f"{what} port {port.number}/{port.protocol.value}",
        reason=f"no listener carries {port.protocol.value} out of the mesh: such calls find no way out of a sidecar",
    )


def _setting_findings(slice_: WorkloadSlice) -> Iterator[Diagnostic]:
    faults = [fault for port in slice_.inbound for fault in port.faults]
    faults += [fault for external in slice_.externals for fault in external.faults]
    for fault in faults:
        if fault.delay_ns is not None and fault.delay_ns % _MILLISECOND:
            yield Diagnostic(
                code=SIDECAR_CANNOT_HOLD,
                message=f"the fault `{fault.name}` has a delay finer than a millisecond, and the Python proxy counts "
                "whole ones",
                primary=fault.origin or slice_.workload.origin or _nowhere(),
                help="write it in `ms`, or leave the target `sidecar` out",
                subject=f"sidecar fault {fault.name}",
            )
    calls: list[tuple[str, Settings]] = [
        (service.service.name, rule.settings) for service in slice_.services for rule in service.rules
    ]
    calls += [(external.external.name, external.settings) for external in slice_.externals]
    for callee, settings in calls:
        for problem in settings_problems(settings):
            yield Diagnostic(
                code=SIDECAR_CANNOT_HOLD,
                message=f"calls to `{callee}` have {problem}, and the Python proxy counts whole milliseconds",
                primary=_stated(settings) or slice_.workload.origin or _nowhere(),
                help="write it in `ms`, or leave the target `sidecar` out",
                subject=f"sidecar {callee} {problem}",
            )


def _stated(settings: Settings) -> Span | None:
    for setting in (
        settings.timeout_ns,
        settings.per_try_timeout_ns,
        settings.connect_timeout_ns,
        settings.idle_timeout_ns,
        settings.outlier_eject_ns,
        settings.outlier_interval_ns,
        settings.retry_backoff,
    ):
        if setting is not None and setting.origin is not None:
            return setting.origin
    return None


def _unfit(slice_: WorkloadSlice, error: ValidationError) -> Diagnostic:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = " ".join(str(step) for step in first["loc"]) or "document"
    reason = str(first["msg"]).removeprefix("Value error, ")
    return Diagnostic(
        code=SIDECAR_CANNOT_HOLD,
        message=f"the snapshot of `{slice_.workload.name}` cannot hold a value: {place}: {reason}",
        primary=slice_.workload.origin or _nowhere(),
        subject=f"sidecar {slice_.workload.name} {place}",
    )


def _nowhere() -> Span:
    return SourceText(TARGET, "").span(0, 0)
