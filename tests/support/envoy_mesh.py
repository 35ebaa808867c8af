"""A mesh that runs: a real Envoy and a small application for each workload, certificates, all on loopback."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from meshc_backends.envoy.backend import emit_workload
from meshc_backends.placement import Address, Listeners, LoopbackPlacement
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.mesh import Mesh, MeshIndex
from meshc_compiler.ir.slice import slice_of
from support.authority import Issued, TestAuthority
from support.echo_backend import EchoBackend
from support.envoy_process import EnvoyProcess
from support.http_call import client_context
from support.loopback_ports import own_ports

LOOPBACK = "127.0.0.1"


class EnvoyMesh:
    """Starts a sidecar for each workload of a mesh, and an `EchoBackend` for each port that a workload serves.

    `instances` gives the names of the applications of a service's versions (by default one for each version, else one
    named like the service); each instance has a sidecar of its own. `externals` says where hosts outside are.
    """

    def __init__(
        self,
        mesh: Mesh,
        directory: Path,
        *,
        externals: dict[str, Address] | None = None,
        roots: Path | None = None,
        applications: dict[tuple[str, int], Address] | None = None,
    ) -> None:
        self.mesh = mesh
        self.index = MeshIndex(mesh)
        self.directory = directory
        self.authority = TestAuthority(directory / "certs", mesh.trust_domain)
        self.ports = own_ports()
        self.backends: dict[tuple[str, int], EchoBackend] = {}
        self.sidecars: dict[str, EnvoyProcess] = {}
        self.listeners: dict[str, Listeners] = {}
        self.issued: dict[str, Issued] = {}
        self._externals = externals or {}
        self._roots = roots
        self._applications = applications or {}
        self.outbound_tcp: dict[tuple[str, str, int], Address] = {}
        """Where each instance's sidecar takes its connections to a tcp port: by instance, service and port."""
        self._stack = contextlib.ExitStack()

    def instances(self, workload: str) -> tuple[str, ...]:
        """Return the names of a workload's instances: one for each version, or itself."""
        service = self.index.services.get(workload)
        return (
            tuple(f"{workload}-{version}" for version in service.versions)
            if service and service.versions
            else (workload,)
        )

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _start(self) -> None:
        endpoints: dict[tuple[str, str | None], tuple[Address, ...]] = {}
        for workload in self.mesh.workloads:
            self.issued[workload.name] = self.authority.issue(workload.name, str(workload.spiffe_id))
            for instance in self.instances(workload.name):
                self.listeners[instance] = Listeners(
                    inbound=Address(LOOPBACK, self.ports.take()),
                    outbound=Address(LOOPBACK, self.ports.take()),
                    admin=Address(LOOPBACK, self.ports.take()),
                    readiness=Address(LOOPBACK, self.ports.take()),
                    metrics=Address(LOOPBACK, self.ports.take()),
                )
        for service in self.mesh.services:
            instances = self.instances(service.name)
            endpoints[service.name, None] = tuple(self.listeners[instance].inbound for instance in instances)
            for version, instance in zip(service.versions, instances, strict=False):
                endpoints[service.name, version] = (self.listeners[instance].inbound,)
            for instance in instances:
                for port in service.ports:
                    if (service.name, port.number) not in self._applications:
                        backend = self._stack.enter_context(EchoBackend(instance))
                        self.backends[instance, port.number] = backend
        tcp = [(one.name, port) for one in self.mesh.services for port in one.ports if not port.protocol.is_http]
        for instance in self.listeners:
            for callee, port in tcp:
                self.outbound_tcp[instance, callee, port.number] = Address(LOOPBACK, self.ports.take())
        for workload in self.mesh.workloads:
            for instance in self.instances(workload.name):
                self._start_sidecar(workload.name, instance, endpoints)
        for sidecar in self.sidecars.values():
            sidecar.wait_ready()

    def _start_sidecar(
        self, name: str, instance: str, endpoints: dict[tuple[str, str | None], tuple[Address, ...]]
    ) -> None:
        workload = self.index.workloads[name]
        service = self.index.services.get(name)
        applications = dict(self._applications)
        for port in service.ports if service else ():
            if (name, port.number) not in applications:
                applications[name, port.number] = Address(LOOPBACK, self.backends[instance, port.number].port)
        placement = LoopbackPlacement(
            listener_table={name: self.listeners[instance]},
            application_table=applications,
            endpoint_table=endpoints,
            external_table=self._externals,
            certificate_directories={name: str(self.issued[name].directory)},
            roots=str(self._roots or self.issued[name].bundle),
            outbound_tcp_table={
                (name, callee, number): address
                for (caller, callee, number), address in self.outbound_tcp.items()
                if caller == instance
            },
        )
        emission = emit_workload(slice_of(self.index, workload), placement)
        if not emission.artifacts:
            raise AssertionError(f"nothing emitted for {name}: {emission.diagnostics}")
        sidecar = EnvoyProcess(
            instance,
            emission.artifacts[0].content,
            self.directory / "envoy",
            readiness=self.listeners[instance].readiness.port,
        )
        sidecar.start()
        self._stack.callback(sidecar.stop)
        self.sidecars[instance] = sidecar

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def restarted(self, instance: str) -> Iterator[None]:
        """Start a sidecar anew, for instance after its certificate was replaced."""
        sidecar = self.sidecars[instance]
        sidecar.stop()
        sidecar.start()
        sidecar.wait_ready()
        yield

    def outbound(self, instance: str) -> int:
        """Return the port on which an instance's sidecar takes its calls."""
        return self.listeners[instance].outbound.port

    def inbound(self, instance: str) -> int:
        """Return the port on which an instance's sidecar takes calls of the mesh."""
        return self.listeners[instance].inbound.port

    def backend(self, instance: str, port: int = 8080) -> EchoBackend:
        """Return an instance's application."""
        return self.backends[instance, port]

    def identity(self, workload: str) -> SpiffeId:
        return self.index.workloads[workload].spiffe_id

    def peer(self, workload: str) -> ssl.SSLContext:
        """Return a client that bears a workload's certificate, to speak to inbound ports directly."""
        return client_context(self.issued[workload])
