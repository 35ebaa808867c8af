"""What things are called inside a bootstrap: names that a person meets in statistics, logs and config dumps."""

from __future__ import annotations

from collections.abc import Iterable

from meshc_backends.envoy.cluster_terms import ClusterTerms
from meshc_compiler.ir.workload import External, Service, ServicePort

ADMIN_CLUSTER = "admin"
"""Envoy's own administration interface, of which readiness and metrics show one page each."""


def application_cluster(port: ServicePort) -> str:
    """Return the name of the cluster that is the workload itself, on one of its ports."""
    return f"application:{port.number}"


def service_cluster(service: Service, port: ServicePort, version: str | None, terms: ClusterTerms) -> str:
    """Return the name of the cluster of a callee's sidecars, all or those of one version, called on these terms."""
    name = f"{service.name}:{port.number}"
    if version is not None:
        name += f"/{version}"
    return f"{name} {terms.label}".rstrip()


def external_cluster(external: External, host: str) -> str:
    """Return the name of the cluster of one host of an external."""
    return f"{external.name}/{host}"


def outbound_tcp_listener(service: Service, port: ServicePort) -> str:
    """Return the name of the listener that takes the workload's connections to a callee."""
    return f"outbound {service.name}:{port.number}"


OUTBOUND_STAT_PREFIX = "outbound"
"""The statistics prefix of the requests that the workload makes."""


def unique_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names with a number after each repetition, so that none replaces another in a map of Envoy's."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(result)
