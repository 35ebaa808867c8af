"""Where things listen: the addresses that the same policy is enforced at, in a cluster or on one machine."""

from __future__ import annotations

from typing import Protocol

from meshc_compiler.ir.mesh import INGRESS
from meshc_compiler.ir.workload import External, Service, ServicePort, Workload
from meshc_lang.record import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A host name or IP address, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """The addresses of one sidecar. `outbound`, `admin` are for the workload alone and so on loopback."""

    inbound: Address = Address("0.0.0.0", 15006)  # noqa: S104 - peers connect to the pod's address
    outbound: Address = Address("127.0.0.1", 15001)
    admin: Address = Address("127.0.0.1", 15000)
    readiness: Address = Address("0.0.0.0", 15021)  # noqa: S104 - the kubelet probes the pod's address
    metrics: Address = Address("0.0.0.0", 15090)  # noqa: S104 - Prometheus scrapes the pod's address


class Placement(Protocol):
    """Answers where each part of the mesh is found."""

    def listeners(self, workload: Workload) -> Listeners:
        """Return where the workload's sidecar listens."""
        ...

    def application(self, workload: Workload, port: ServicePort) -> Address:
        """Return where the workload itself listens, as its sidecar reaches it."""
        ...

    def outbound_tcp(self, workload: Workload, service: Service, port: ServicePort) -> Address | None:
        """Return where the workload's sidecar takes its connections to a tcp or tls port of a callee; None: nowhere."""
        ...

    def endpoints(self, service: Service, version: str | None) -> tuple[Address, ...]:
        """Return the inbound addresses of the service's sidecars: all, or those of one version. Names are resolved."""
        ...

    def external(self, external: External, host: str) -> Address:
        """Return where a host of an external is reached."""
        ...

    def external_roots(self) -> str:
        """Return the path of the file of root certificates by which externals are verified."""
        ...

    def certificates(self, workload: Workload) -> str:
        """Return the directory, as the sidecar sees it, of cert-chain.pem, key.pem and trust-bundle.pem."""
        ...


SYSTEM_ROOTS = "/etc/ssl/certs/ca-certificates.crt"
"""Where Debian, Alpine and the images made from them keep the public root certificates."""

POD_CERTIFICATES = "/var/run/meshc/certs"
"""Where a pod mounts its workload's Secret."""


def mesh_service_name(service: str, version: str | None) -> str:
    """Return the name of the headless Kubernetes Service that resolves to the sidecars of a service's pods."""
    return f"{service}-mesh" if version is None else f"{service}-{version}-mesh"


class KubernetesPlacement:
    """The mesh in a cluster: one sidecar a pod on the fixed ports, found through headless Services."""

    def listeners(self, workload: Workload) -> Listeners:
        """Return the fixed ports of a pod; only the gateway takes its outbound calls from outside the pod."""
        if workload.name == INGRESS:
            return Listeners(outbound=Address("0.0.0.0", 15001))  # noqa: S104 - it is the mesh's front door
        return Listeners()

    def application(self, workload: Workload, port: ServicePort) -> Address:
        """Return the port on which the workload listens, on the pod's loopback."""
        del workload
        return Address("127.0.0.1", port.target or port.number)

    def outbound_tcp(self, workload: Workload, service: Service, port: ServicePort) -> Address | None:
        """Return the callee's own port number on the pod's loopback, for the gateway too: nobody else calls there."""
        del workload, service
        return Address("127.0.0.1", port.number)

    def endpoints(self, service: Service, version: str | None) -> tuple[Address, ...]:
        """Return the headless Service's name."""
        name = mesh_service_name(service.host, version)
        return (Address(f"{name}.{service.namespace}.svc.cluster.local", 15006),)

    def external(self, external: External, host: str) -> Address:
        """Return the host itself."""
        return Address(host, external.port.number)

    def external_roots(self) -> str:
        """Return the image's public roots."""
        return SYSTEM_ROOTS

    def certificates(self, workload: Workload) -> str:
        """Return the mount of the workload's Secret."""
        del workload
        return POD_CERTIFICATES


@dataclass(frozen=True, kw_only=True)
class LoopbackPlacement:
    """The mesh on one machine: every address from tables, for `meshc up` and for tests.

    `listener_table` is by workload; `application_table` by workload and port number; `endpoint_table` by service and
    version (None: all); `external_table` by host; `certificate_directories` by workload; `outbound_tcp_table` by
    calling workload, service and port number.
    """

    listener_table: dict[str, Listeners]
    application_table: dict[tuple[str, int], Address]
    endpoint_table: dict[tuple[str, str | None], tuple[Address, ...]]
    external_table: dict[str, Address] = field(default_factory=dict)
    certificate_directories: dict[str, str] = field(default_factory=dict)
    outbound_tcp_table: dict[tuple[str, str, int], Address] = field(default_factory=dict)
    roots: str = SYSTEM_ROOTS

    def listeners(self, workload: Workload) -> Listeners:
        """Return the workload's entry."""
        return self.listener_table[workload.name]

    def application(self, workload: Workload, port: ServicePort) -> Address:
        """Return the entry of the workload's port."""
        return self.application_table[workload.name, port.number]

    def outbound_tcp(self, workload: Workload, service: Service, port: ServicePort) -> Address | None:
        """Return the entry of the call; None where the table has none, which a backend refuses."""
        return self.outbound_tcp_table.get((workload.name, service.name, port.number))

    def endpoints(self, service: Service, version: str | None) -> tuple[Address, ...]:
        """Return the entries of the service's version."""
        return self.endpoint_table[service.name, version]

    def external(self, external: External, host: str) -> Address:
        """Return the host's entry, or the host itself."""
        return self.external_table.get(host, Address(host, external.port.number))

    def external_roots(self) -> str:
        """Return the file of roots."""
        return self.roots

    def certificates(self, workload: Workload) -> str:
        """Return the workload's directory."""
        return self.certificate_directories[workload.name]


def server_name(service: Service, port: ServicePort) -> str:
    """Return the TLS server name (SNI) by which a caller's sidecar asks for a service's port."""
    return f"{port.number}.{service.name}.{service.namespace}.mesh.internal"


def host_names(service: Service, port: ServicePort) -> tuple[str, ...]:
    """Return the `Host` values that mean this port of the service, most common first.

    A name without a port number means the first port, so only that port has names without one.
    """
    names = (
        service.host,
        f"{service.host}.{service.namespace}",
        f"{service.host}.{service.namespace}.svc",
        f"{service.host}.{service.namespace}.svc.cluster.local",
    )
    bare = names if port == service.ports[0] else ()
    return (*bare, *(f"{name}:{port.number}" for name in names))
