"""The target `envoy`: a bootstrap for each workload."""

from __future__ import annotations

from meshc_backends.artifact import Artifact, Emission
from meshc_backends.backend import EmitContext
from meshc_backends.envoy.bootstrap import NamedHost, bootstrap, named_hosts
from meshc_backends.envoy.message import encode
from meshc_backends.envoy.refusal import TARGET, host_taken, protocol_findings, slice_findings
from meshc_backends.envoy.tcp_refusal import tcp_findings
from meshc_backends.placement import Placement
from meshc_compiler.ir.feature import Feature
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.slice import WorkloadSlice
from meshc_lang.diagnostic import Diagnostic


class EnvoyBackend:
    """The target `envoy`: static bootstraps for Envoy 1.40."""

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
            Feature.RING_HASH,
            Feature.SPLIT,
            Feature.REDIRECT,
            Feature.RESPOND,
            Feature.MIRROR,
            Feature.FAULT,
            Feature.HEALTH_CHECK,
            Feature.TLS_SERVER_NAME,
            Feature.TLS_CA,
            Feature.TLS_NAMES,
        }
    )
    leaves = frozenset({Feature.OBJECTIVE})

    def emit(self, index: MeshIndex, context: EmitContext) -> Emission:
        """Return `envoy/<workload>.json` for every workload."""
        refused = tuple(protocol_findings(index.mesh))
        emissions = context.workshop.make(TARGET, index, context.placement, emit_workload, context.reader)
        return Emission(
            artifacts=tuple(artifact for emission in emissions for artifact in emission.artifacts),
            diagnostics=(
                *(diagnostic for diagnostic, _ in refused),
                *(diagnostic for emission in emissions for diagnostic in emission.diagnostics),
            ),
            reservations=tuple(reservation for _, reservation in refused),
        )


ENVOY = EnvoyBackend()
"""The backend, for the registry."""


def emit_workload(slice_: WorkloadSlice, placement: Placement) -> Emission:
    """Return one workload's bootstrap: a function of its slice and of where things listen."""
    problems = (*slice_findings(slice_), *_taken_hosts(slice_), *tcp_findings(slice_, placement))
    if problems:
        return Emission(diagnostics=problems)
    content = encode(bootstrap(slice_, placement))
    return Emission(artifacts=(Artifact(path=f"{TARGET}/{slice_.workload.name}.json", content=content),))


def _taken_hosts(slice_: WorkloadSlice) -> tuple[Diagnostic, ...]:
    """Return a finding for each name that is given twice: Envoy takes no virtual hosts that share a name."""
    first: dict[str, NamedHost] = {}
    problems = []
    for named in named_hosts(slice_):
        earlier = first.setdefault(named.domain.lower(), named)
        if earlier is not named:
            problems.append(host_taken(named.domain, earlier.callee, named.callee, named.origin))
    return tuple(problems)
