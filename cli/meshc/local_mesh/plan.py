"""Who runs on this machine, and where each listens."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meshc.local_mesh.up_file import InstanceEntry, UpFile
from meshc_backends.placement import Address, Listeners, LoopbackPlacement
from meshc_backends.sidecar import CARRIED
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.slice import slice_of
from meshc_compiler.ir.workload import Protocol, Service, ServicePort, Workload
from meshc_lang.record import dataclass

LOOPBACK = "127.0.0.1"
FIRST_PORT, LAST_PORT = 21000, 32000
"""Below the ports that Linux gives to outgoing connections (ip(7), ip_local_port_range), so that none is snatched."""
_BLOCKS, _BLOCK = 90, 100


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One workload, or one version of it, on this machine: a sidecar, and the workload or a stand-in beside it.

    `applications` are by the service's port number; a gateway, which serves nothing, has none.
    """

    name: str
    workload: Workload
    service: Service | None
    version: str | None
    listeners: Listeners
    applications: dict[int, Address]
    entry: InstanceEntry


@dataclass(frozen=True, kw_only=True)
class NotRun:
    """A part of the mesh that does not run here, and why."""

    what: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class LocalPlan:
    """The whole mesh on this machine."""

    index: MeshIndex
    instances: tuple[Instance, ...]
    not_run: tuple[NotRun, ...]
    externals: dict[str, Address]
    roots: str = ""
    """The file of root certificates by which externals are verified; none means those of this machine."""

    def placement(self, instance: Instance, certificates: Path) -> LoopbackPlacement:
        """Return where everything is, as one instance's sidecar sees it."""
        endpoints: dict[tuple[str, str | None], tuple[Address, ...]] = {}
        for service in self.index.mesh.services:
            own = [one for one in self.instances if one.service is not None and one.service.name == service.name]
            endpoints[service.name, None] = tuple(one.listeners.inbound for one in own)
            for version in service.versions:
                endpoints[service.name, version] = tuple(
                    one.listeners.inbound for one in own if one.version in {version, None}
                )
        name = instance.workload.name
        refused = Address(LOOPBACK, 1)  # ports that the proxy refuses have no application here
        ports = instance.service.ports if instance.service is not None else ()
        return LoopbackPlacement(
            listener_table={name: instance.listeners},
            application_table={(name, port.number): instance.applications.get(port.number, refused) for port in ports},
            endpoint_table=endpoints,
            external_table=self.externals,
            roots=self.roots,
            certificate_directories={name: str(certificates / name)},
        )


def free_ports(folder: Path) -> Iterator[int]:
    """Yield ports of the loopback that nobody listens on, in order.

    Where the search begins follows from the run folder: a mesh gets the same ports again, and two do not compete.
    """
    first = FIRST_PORT + zlib.crc32(os.fsencode(folder.absolute())) % _BLOCKS * _BLOCK
    for port in (*range(first, LAST_PORT), *range(FIRST_PORT, first)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        yield port
    raise OSError("no free port is left on the loopback address")


@contextmanager
def choosing_ports() -> Iterator[None]:
    """Keep other meshes of this user from choosing ports until this one listens on its own.

    A port that was found free could be given away twice otherwise. Where there is no room for the lock, none is held.
    """
    path = Path(tempfile.gettempdir()) / f"meshc-ports-{os.getuid()}.lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        yield
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def plan_mesh(index: MeshIndex, up: UpFile, ports: Iterator[int]) -> LocalPlan:
    """Decide who runs and where. What the Python proxy cannot carry does not run, and is listed."""
    instances: list[Instance] = []
    not_run: list[NotRun] = []
    taken = up.ports
    ports = (port for port in ports if port not in taken)
    for workload in index.mesh.workloads:
        service = index.services.get(workload.name)
        not_run += _left_out(service, up)
        if not _has_work(index, workload, service):
            continue
        versions = service.versions if service is not None and service.versions else (None,)
        instances += [_instance(workload, service, version, up, ports) for version in versions]
    externals = {host: _address(entry.address) for host, entry in up.external.items()}
    return LocalPlan(
        index=index,
        instances=tuple(instances),
        not_run=tuple(not_run),
        externals=externals,
        roots=str(Path(up.roots).absolute()) if up.roots else "",
    )


def http_ports(service: Service) -> tuple[ServicePort, ...]:
    """Return the ports of a service that the Python proxy carries."""
    return tuple(port for port in service.ports if port.protocol in CARRIED)


def _left_out(service: Service | None, up: UpFile) -> list[NotRun]:
    if service is None:
        return []
    versions = service.versions or (None,)
    real = all(up.entry(service.workload, version).address is not None for version in versions)
    left_out = []
    for port in service.ports:
        what = f"{service.name}:{port.number}"
        if port.protocol not in CARRIED:
            left_out.append(NotRun(what=what, reason=f"there is no stand-in for {port.protocol.value}"))
        elif port.protocol is not Protocol.HTTP and not real:
            reason = f"stand-ins do not speak {port.protocol.value}: calls are answered once a real address is given"
            left_out.append(NotRun(what=what, reason=reason))
    return left_out


def _has_work(index: MeshIndex, workload: Workload, service: Service | None) -> bool:
    if service is not None and http_ports(service):
        return True
    own = slice_of(index, workload)
    return any(one.port.protocol in CARRIED for one in own.services) or any(
        one.external.port.protocol in CARRIED for one in own.externals
    )


def _instance(
    workload: Workload, service: Service | None, version: str | None, up: UpFile, ports: Iterator[int]
) -> Instance:
    entry = up.entry(workload.name, version)
    listeners = Listeners(
        outbound=Address(LOOPBACK, entry.outbound or next(ports)),
        inbound=Address(LOOPBACK, next(ports)),
        admin=Address(LOOPBACK, next(ports)),
        readiness=Address(LOOPBACK, next(ports)),
        metrics=Address(LOOPBACK, next(ports)),
    )
    carried = http_ports(service) if service is not None else ()
    applications = {port.number: Address(LOOPBACK, next(ports)) for port in carried}
    if entry.address is not None and carried:
        applications[carried[0].number] = _address(entry.address)
    return Instance(
        name=workload.name if version is None else f"{workload.name}-{version}",
        workload=workload,
        service=service,
        version=version,
        listeners=listeners,
        applications=applications,
        entry=entry,
    )


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return Address(host, int(port))
