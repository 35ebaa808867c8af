"""A whole mesh on loopback, enforced by one kind of proxy, with stand-ins for its workloads.

Versions of these names stand for trouble, so that programs can route to it:

* `gone`: nothing listens at its sidecar's address;
* `silent`: its sidecar's address takes connections and closes them, and counts them;
* `bare`: the workload ends TLS itself, with its own certificate and no sidecar, so its misbehaviour reaches the caller;
* `impostor`, `rogue`, `expired`: somebody ends TLS with the certificate of another workload, with one by another
  authority, with one that is no longer valid. Connections to them are counted too.
"""

from __future__ import annotations

import itertools
import json
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from meshc_backends.backend import Backend, EmitContext
from meshc_backends.envoy.backend import ENVOY
from meshc_backends.placement import Address, Listeners, LoopbackPlacement, host_names, server_name
from meshc_backends.sidecar import SIDECAR
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.workload import ServicePort, Workload
from meshc_lang.diagnostic import has_errors
from support.agreement_certificates import STRANGER, Certificates
from support.agreement_client import Answer, Message, exchange, exchange_http2, head_of
from support.agreement_connections import Connections
from support.agreement_probe import Credential, Entrance, Observation, Probe
from support.agreement_process import ProxyProcess, Voice, end_all
from support.loopback_ports import Ports
from support.recorder import ID_HEADER, SCRIPT_HEADER, Place, Recorder

LOOPBACK: Final = "127.0.0.1"
GONE: Final = "gone"
SILENT: Final = "silent"
BARE: Final = "bare"
IMPOSTOR: Final = "impostor"
COUNTED: Final = frozenset({SILENT, IMPOSTOR, "rogue", "expired"})
"""Places that get connections and no requests."""
TROUBLED: Final = COUNTED | {GONE, BARE}

_POSED_AS = {"rogue": Credential.ROGUE, "expired": Credential.EXPIRED, BARE: Credential.OWN}

_START_WITHIN = 60.0
_COPIED_WITHIN = 5.0
_BACKENDS: dict[Voice, Backend] = {Voice.ENVOY: ENVOY, Voice.PYTHON: SIDECAR}

Edit = Callable[[str, Any], Any]
"""A change of an emitted document before it is enforced: (workload's name, JSON value) to JSON value."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One running copy of a workload: of a version, or the only one."""

    workload: Workload
    version: str | None

    @property
    def name(self) -> str:
        """Return the name by which logs and files go."""
        return self.workload.name if self.version is None else f"{self.workload.name}-{self.version}"


class AgreementMesh:
    """A mesh that runs from `launch` to `close`; `send` asks it one question.

    `voice_of` says for each workload which proxy enforces. `edit` changes what was emitted, to plant mistakes.
    `raw_applications` are ports of loopback at which applications of tcp ports listen, by service and port number.
    With `keep_alive` questions share connections. `external_tls` gives the server context of an external's host;
    `roots` the file by which sidecars verify them.
    """

    def __init__(
        self,
        index: MeshIndex,
        voice: Voice | Callable[[str], Voice],
        directory: Path,
        ports: Ports,
        certificates: Certificates,
        *,
        edit: Edit | None = None,
        keep_alive: bool = False,
        external_tls: dict[str, ssl.SSLContext] | None = None,
        roots: Path | None = None,
        raw_applications: dict[tuple[str, int], int] | None = None,
    ) -> None:
        self.index = index
        self.name = voice.value if isinstance(voice, Voice) else "mixed"
        self.recorder = Recorder()
        self.certificates = certificates
        self._voice_of = (lambda _: voice) if isinstance(voice, Voice) else voice
        self.voices = frozenset(self._voice_of(name) for name in index.workloads)
        self._directory = directory
        self._ports = ports
        self._edit = edit
        self._connections = Connections() if keep_alive else None
        self._external_tls = external_tls or {}
        self._roots = roots
        self._raw_applications = raw_applications or {}
        self._outbound_tcp: dict[tuple[str, str, int], Address] = {}
        self._numbers = itertools.count(1)
        self._processes: list[ProxyProcess] = []
        self._listeners: dict[Instance, Listeners] = {}
        self._applications: dict[tuple[Instance, int], Address] = {}

    # -- the mesh's life

    def launch(self) -> None:
        """Open the stand-ins, emit, and start every proxy; does not wait for them."""
        instances = [one for workload in self.index.mesh.workloads for one in self._instances(workload)]
        for instance in instances:
            self._listeners[instance] = Listeners(**{part: self._free() for part in _LISTENER_PARTS})
            service = self.index.services.get(instance.workload.name)
            for port in service.ports if service else ():
                self._stand_in(instance, port)
        for caller in self.index.workloads:
            for service in self.index.mesh.services:
                for port in service.ports:
                    if not port.protocol.is_http:
                        self._outbound_tcp[caller, service.name, port.number] = self._free()
        external_table = {host: self._external(name, host) for name, host in self._external_hosts()}
        for instance, document in self._emitted(instances, external_table):
            if instance.version not in TROUBLED:
                self._start(instance, document)

    def wait_until_ready(self) -> None:
        """Return once every proxy serves."""
        deadline = time.monotonic() + _START_WITHIN
        for process in self._processes:
            process.wait_until_ready(deadline)

    def close(self) -> None:
        """End proxies and stand-ins."""
        if self._connections is not None:
            self._connections.close()
        try:
            end_all(self._processes)
        finally:
            self.recorder.close()

    # -- questions

    def send(self, probe: Probe) -> Observation:
        """Send one request and tell what became of it."""
        number = str(next(self._numbers))
        request = probe.request
        headers = (*request.headers, (ID_HEADER, number), (SCRIPT_HEADER, probe.script))
        target = request.path + (f"?{request.query}" if request.query else "")
        host = probe.host or self.host_of(probe)
        line = f"http://{host}{target}" if probe.absolute else target
        named = host if probe.second_host is None else f"{host}\r\nHost: {probe.second_host}"
        message = head_of(request.method, line, named, headers, probe.body)
        kept = self._connections
        ask: Callable[..., Answer] = exchange if kept is None else kept.exchange
        if probe.http2:
            parts = (request.method, target, host, headers, probe.body)
            ask = _as_http2(exchange_http2 if kept is None else kept.exchange_http2, parts)
        before = self._hung_up()
        begun = time.monotonic()
        match probe.entrance:
            case Entrance.OUTBOUND:
                answer = ask(self.outbound(request.caller), message)
            case Entrance.INBOUND:
                answer = self._send_inbound(probe, message, ask)
        seconds = time.monotonic() - begun
        self.recorder.release(number)
        hung_up = self._hung_up() - before
        return Observation(answer, self.recorder.received(number), seconds, number, hung_up)

    def settled(self, seen: Observation, tries: int) -> Observation:
        """Return what was seen of a request once there were so many tries: copies come when they come."""
        deadline = time.monotonic() + _COPIED_WITHIN
        while len(self.recorder.received(seen.number)) + seen.hung_up < tries and time.monotonic() < deadline:
            time.sleep(0.01)
        return replace(seen, tries=self.recorder.received(seen.number))

    def application(self, workload: str) -> tuple[str, int]:
        """Return where a workload itself listens."""
        address = next(address for (one, _), address in self._applications.items() if one.workload.name == workload)
        return address.host, address.port

    def late_tries(self, seen: Observation) -> int:
        """Return how many tries have come in since a request was answered."""
        return len(self.recorder.received(seen.number)) - len(seen.tries)

    def port_of(self, probe: Probe) -> ServicePort:
        """Return the port that a probe's request is about."""
        callee, name = probe.request.callee, probe.request.port
        if callee in self.index.externals:
            return self.index.externals[callee].port
        ports = self.index.services[callee].ports
        return next(port for port in ports if name is None or port.name == name)

    def host_of(self, probe: Probe) -> str:
        """Return the shortest Host that means the callee's port."""
        callee = probe.request.callee
        if callee in self.index.externals:
            return self.index.externals[callee].hosts[0]
        return host_names(self.index.services[callee], self.port_of(probe))[0]

    def outbound(self, caller: str) -> tuple[str, int]:
        """Return where a workload's sidecar takes its calls."""
        instance = next(one for one in self._listeners if one.workload.name == caller and one.version not in TROUBLED)
        address = self._listeners[instance].outbound
        return address.host, address.port

    def outbound_tcp(self, caller: str, callee: str, port: int) -> int:
        """Return the port of loopback at which a workload's sidecar takes its connections to a port of a callee."""
        return self._outbound_tcp[caller, callee, port].port

    def inbound(self, callee: str) -> tuple[str, int]:
        """Return where a callee's sidecar takes calls: of its first instance that has one."""
        instance = next(one for one in self._listeners if one.workload.name == callee and one.version not in TROUBLED)
        address = self._listeners[instance].inbound
        return address.host, address.port

    def logs(self, about: set[str]) -> str:
        """Return what the proxies logged last about some paths, and the end of what they said besides."""
        time.sleep(0.25)  # the proxies write their logs in the background
        return "\n".join(lines for process in self._processes if (lines := process.lines(about)))

    def printed(self, workload: str) -> tuple[str, ...]:
        """Return the lines that a workload's sidecars have printed so far, their access logs among them."""
        names = {one.name for one in self._listeners if one.workload.name == workload}
        return tuple(line for process in self._processes if process.name in names for line in process.printed())

    # -- inside

    def _send_inbound(self, probe: Probe, message: bytes, ask: Callable[..., Answer]) -> Answer:
        callee = self.index.services[probe.request.callee]
        address = self.inbound(callee.name)
        if probe.credential is Credential.PLAINTEXT:
            return ask(address, message)
        return ask(
            address,
            message,
            tls=self.certificates.client(probe.request.caller, probe.credential),
            server_name=probe.server_name or server_name(callee, self.port_of(probe)),
            server_identity=str(self.index.workloads[callee.workload].spiffe_id),
        )

    def _hung_up(self) -> int:
        counted = (one for one in self._listeners if one.version in COUNTED)
        return sum(self.recorder.connections(place) for one in counted for place in self._places_of(one))

    def _places_of(self, instance: Instance) -> Iterator[Place]:
        service = self.index.services.get(instance.workload.name)
        for port in service.ports if service else ():
            yield Place(instance.workload.name, instance.version, port.number)

    def _instances(self, workload: Workload) -> Iterator[Instance]:
        service = self.index.services.get(workload.name)
        for version in (service.versions if service else ()) or (None,):
            yield Instance(workload, version)

    def _stand_in(self, instance: Instance, port: ServicePort) -> None:
        place = Place(instance.workload.name, instance.version, port.number)
        inbound = self._listeners[instance].inbound
        match instance.version:
            case "gone":
                return
            case "silent":
                self.recorder.hang_up(place, (inbound.host, inbound.port))
            case "impostor":
                self.recorder.listen(place, (inbound.host, inbound.port), self.certificates.server(STRANGER))
            case "bare" | "rogue" | "expired" as pose:
                tls = self.certificates.server(instance.workload.name, _POSED_AS[pose])
                self.recorder.listen(place, (inbound.host, inbound.port), tls)
            case _:
                application = self._applications[instance, port.number] = self._free()
                self.recorder.listen(place, (application.host, application.port))

    def _external_hosts(self) -> Iterator[tuple[str, str]]:
        for external in self.index.mesh.externals:
            for host in external.hosts:
                yield external.name, host

    def _external(self, name: str, host: str) -> Address:
        address = self._free()
        place = Place(name, None, self.index.externals[name].port.number)
        self.recorder.listen(place, (address.host, address.port), self._external_tls.get(host))
        return address

    def _emitted(self, instances: list[Instance], external_table: dict[str, Address]) -> Iterator[tuple[Instance, Any]]:
        """Yield each instance's document: one emission for each round of instances, as `meshc up` would."""
        nowhere = Address(LOOPBACK, 1)
        rounds: dict[int, dict[str, Instance]] = {}
        for instance in instances:
            number = sum(instance.workload.name in taken for taken in rounds.values())
            rounds.setdefault(number, {})[instance.workload.name] = instance
        first = rounds[0]
        for chosen in rounds.values():
            current = first | chosen
            placement = LoopbackPlacement(
                listener_table={name: self._listeners[instance] for name, instance in current.items()},
                application_table={
                    (service.name, port.number): self._application(current[service.name], port.number, nowhere)
                    for service in self.index.mesh.services
                    for port in service.ports
                },
                endpoint_table=dict(self._endpoints(instances)),
                external_table=external_table,
                outbound_tcp_table=self._outbound_tcp,
                certificate_directories={
                    name: str(self.certificates.directory_of(name)) for name in self.index.workloads
                },
                roots=str(self._roots or self.certificates.directory_of(next(iter(current))) / "trust-bundle.pem"),
            )
            documents = {voice: self._emit(voice, placement) for voice in self.voices}
            for name, instance in chosen.items():
                yield instance, documents[self._voice_of(name)][name]

    def _application(self, instance: Instance, number: int, nowhere: Address) -> Address:
        raw = self._raw_applications.get((instance.workload.name, number))
        return self._applications.get((instance, number), nowhere) if raw is None else Address(LOOPBACK, raw)

    def _emit(self, voice: Voice, placement: LoopbackPlacement) -> dict[str, Any]:
        backend = _BACKENDS[voice]
        context = EmitContext(
            placement=placement, authority=self._directory, now=datetime.now(UTC), previous=lambda _: None
        )
        emission = backend.emit(self.index, context)
        assert not has_errors(emission.diagnostics), emission.diagnostics
        return {
            artifact.path.removeprefix(f"{backend.name}/").removesuffix(".json"): json.loads(artifact.content)
            for artifact in emission.artifacts
        }

    def _endpoints(self, instances: list[Instance]) -> Iterator[tuple[tuple[str, str | None], tuple[Address, ...]]]:
        for service in self.index.mesh.services:
            mine = [one for one in instances if one.workload.name == service.workload]
            yield (service.name, None), tuple(self._listeners[one].inbound for one in mine)
            for one in mine:
                if one.version is not None:
                    yield (service.name, one.version), (self._listeners[one].inbound,)

    def _start(self, instance: Instance, document: Any) -> None:
        if self._edit is not None:
            document = self._edit(instance.workload.name, document)
        voice = self._voice_of(instance.workload.name)
        self._directory.mkdir(parents=True, exist_ok=True)
        configuration = self._directory / f"{instance.name}.json"
        configuration.write_text(json.dumps(document, indent=1))
        readiness = self._listeners[instance].readiness
        self._processes.append(ProxyProcess(voice, instance.name, configuration, (readiness.host, readiness.port)))

    def _free(self) -> Address:
        return Address(LOOPBACK, self._ports.take())


def _as_http2(send: Callable[..., Answer], parts: Message) -> Callable[..., Answer]:
    def ask(address: tuple[str, int], _: bytes, *, server_identity: str = "", **how: Any) -> Answer:
        return send(address, parts, **how)

    return ask


_LISTENER_PARTS = ("inbound", "outbound", "admin", "readiness", "metrics")
