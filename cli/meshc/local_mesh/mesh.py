"""A mesh that runs on this machine: certificates, snapshots, sidecars, stand-ins; started and ended as one."""

from __future__ import annotations

import fcntl
import http.client
import os
import shutil
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType

from meshc.local_mesh.child import Child, start_child, stop_children
from meshc.local_mesh.plan import Instance, LocalPlan, choosing_ports, free_ports, plan_mesh
from meshc.local_mesh.up_file import UpFile
from meshc_backends.artifact import Artifact
from meshc_backends.backend import EmitContext
from meshc_backends.certificates import CERTS
from meshc_backends.feature_refusal import refusals
from meshc_backends.finding import finding, reason_of
from meshc_backends.placement import Address
from meshc_backends.registry import plan
from meshc_backends.sidecar import SIDECAR, emit_workload
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.slice import slice_of
from meshc_lang.codes.targets import LOCAL_MESH_FAILED
from meshc_lang.diagnostic import Diagnostic, has_errors

READY_WITHIN_S = 60.0
GRACE_S = 5.0
_POLL_S = 0.05


class LocalMesh:
    """A mesh on this machine, from `start` to `stop`; a context manager that stops it.

    `folder` holds `logs/` (kept) and `secrets/` (keys and snapshots, removed at the end). One mesh runs in a folder at
    a time.
    """

    def __init__(self, plan: LocalPlan, folder: Path, now: datetime) -> None:
        self.plan = plan
        self.folder = folder.absolute()
        self.children: list[Child] = []
        self._now = now
        self._lock: int | None = None

    @property
    def logs(self) -> Path:
        """The folder of the logs: `<instance>.log` is its sidecar's, `<instance>.app.log` its workload's."""
        return self.folder / "logs"

    @property
    def secrets(self) -> Path:
        """The folder of keys and snapshots, 0700."""
        return self.folder / "secrets"

    def __enter__(self) -> LocalMesh:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, cancelled: Callable[[], bool] = lambda: False) -> tuple[Diagnostic, ...]:
        """Issue certificates, start everything and wait until all of it is ready; with an error nothing runs.

        The wait ends early once `cancelled` says so.
        """
        try:
            problems = self._take_folder() or self._write_secrets()
            if not has_errors(problems):
                self._start_children()
                problems += self._wait_until_ready(cancelled)
        except OSError as error:
            where = f" `{error.filename}`" if error.filename else ""
            problems = (self._failed(f"the mesh cannot be started:{where} {reason_of(error)}"),)
        except BaseException:
            self.stop()
            raise
        if has_errors(problems):
            self.stop()
        return problems

    def stop(self, grace_s: float = GRACE_S) -> None:
        """End every process, wait for it, and remove the secrets."""
        try:
            stop_children(self.children, grace_s)
        finally:
            self.children.clear()
            if self._lock is not None:
                shutil.rmtree(self.secrets, ignore_errors=True)
                os.close(self._lock)
                self._lock = None

    def ended(self) -> tuple[Child, ...]:
        """Return the processes that ended by themselves, each once."""
        gone = tuple(child for child in self.children if child.status is not None)
        self.children = [child for child in self.children if child not in gone]
        stop_children(gone, 0)
        return gone

    def instance(self, name: str) -> Instance:
        """Return an instance by its name: `web`, `api-v1`."""
        return next(one for one in self.plan.instances if one.name == name)

    def log_of(self, name: str) -> Path:
        """Return the log of an instance's sidecar."""
        return self.logs / f"{name}.log"

    def _take_folder(self) -> tuple[Diagnostic, ...]:
        if not self.plan.instances:
            return (self._failed("no part of the mesh can run here: the Python proxy carries none of its ports"),)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return (self._failed(f"another mesh runs in `{self.folder}`"),)
        self._lock = lock
        for old in (self.secrets, self.logs):  # left of a run that was killed
            if old.exists():
                shutil.rmtree(old)
        self.secrets.mkdir(mode=0o700)
        self.logs.mkdir(mode=0o700)
        return ()

    def _write_secrets(self) -> tuple[Diagnostic, ...]:
        index = self.plan.index
        certificates = self.secrets / "certs"
        context = EmitContext(
            placement=self.plan.placement(self.plan.instances[0], certificates),
            authority=self.secrets / "authority",
            now=self._now,
            previous=lambda _: None,
        )
        refused, _ = refusals(index.mesh, plan((SIDECAR.name,))[0])
        if refused:
            return refused
        emission = CERTS.emit(index, context)
        problems = emission.diagnostics
        artifacts = emission.artifacts
        for instance in self.plan.instances:
            own = emit_workload(slice_of(index, instance.workload), self.plan.placement(instance, certificates))
            problems += own.diagnostics
            artifacts += tuple(
                Artifact(path=f"sidecar/{instance.name}.json", content=artifact.content) for artifact in own.artifacts
            )
        for artifact in () if has_errors(problems) else artifacts:
            self._write(artifact)
        return problems

    def _write(self, artifact: Artifact) -> None:
        path = self.secrets / artifact.path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(artifact.content)

    def _start_children(self) -> None:
        for instance in self.plan.instances:
            command = _workload_command(instance)
            if command is not None:
                self._start(f"{instance.name}.app", f"workload of {instance.name}", command, _environment(instance))
        for instance in self.plan.instances:
            snapshot = self.secrets / "sidecar" / f"{instance.name}.json"
            command = (sys.executable, "-m", "meshc_runtime", str(snapshot))
            self._start(instance.name, f"sidecar of {instance.name}", command, {})

    def _start(self, log: str, name: str, command: tuple[str, ...], environment: dict[str, str]) -> None:
        self.children.append(start_child(name, command, self.log_of(log), environment))

    def _wait_until_ready(self, cancelled: Callable[[], bool]) -> tuple[Diagnostic, ...]:
        end = time.monotonic() + READY_WITHIN_S
        waiting = {instance.name: instance.listeners.readiness for instance in self.plan.instances}
        while waiting and not cancelled():
            if gone := next((child for child in self.children if child.status is not None), None):
                words = gone.last_words()
                return (self._failed(f"the {gone.name} {gone.ending}" + (f": {words}" if words else "")),)
            waiting = {name: address for name, address in waiting.items() if not _is_ready(address)}
            if waiting and time.monotonic() > end:
                return (self._failed(f"the sidecar of {min(waiting)} is not ready after {READY_WITHIN_S:.0f} seconds"),)
            if waiting:
                time.sleep(_POLL_S)
        return ()

    def _failed(self, message: str) -> Diagnostic:
        return finding(LOCAL_MESH_FAILED, self.folder, message)


def start_mesh(
    index: MeshIndex, up: UpFile, folder: Path, now: datetime, cancelled: Callable[[], bool] = lambda: False
) -> tuple[LocalMesh, tuple[Diagnostic, ...]]:
    """Choose who runs where, and start it. The mesh is the caller's to stop; with an error nothing of it runs."""
    with choosing_ports():
        mesh = LocalMesh(plan_mesh(index, up, free_ports(folder)), folder, now)
        return mesh, mesh.start(cancelled)


def _workload_command(instance: Instance) -> tuple[str, ...] | None:
    """A workload that runs already, or serves nothing here, is not started."""
    if instance.entry.command is not None:
        return instance.entry.command
    if instance.service is None or instance.entry.address is not None or not instance.applications:
        return None
    version = ("--version", instance.version) if instance.version is not None else ()
    ports = tuple(word for address in instance.applications.values() for word in ("--port", str(address.port)))
    return (
        sys.executable,
        "-m",
        "meshc.local_mesh.stand_in",
        "--service",
        instance.service.name,
        *version,
        *ports,
    )


def _environment(instance: Instance) -> dict[str, str]:
    """Tell a workload of the user's own where to listen and by whom to call."""
    told = {"MESHC_WORKLOAD": instance.workload.name, "MESHC_OUTBOUND": f"http://{instance.listeners.outbound}"}
    if instance.version is not None:
        told["MESHC_VERSION"] = instance.version
    for index, (number, address) in enumerate(instance.applications.items()):
        told[f"PORT_{number}"] = str(address.port)
        if index == 0:
            told["PORT"] = str(address.port)
    return told


def _is_ready(address: Address) -> bool:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=2)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
