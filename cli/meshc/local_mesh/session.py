"""One `meshc up`: plan, start, tell, watch, stop."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from meshc.local_mesh.log_tail import LogTail
from meshc.local_mesh.mesh import GRACE_S, LocalMesh, start_mesh
from meshc.local_mesh.up_file import read_up_file
from meshc.render.mesh_table import mesh_table
from meshc.render.terminal import Ink, terminal_of
from meshc.reporting import Reporting
from meshc_compiler.ir.mesh import MeshIndex
from meshc_lang.diagnostic import has_errors

_POLL_S = 0.1
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _StopFlag:
    """Set by the first signal; the second asks for haste."""

    def __init__(self) -> None:
        self.signals = 0
        self.last = 0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.signals += 1
        self.last = number


def run_until_stopped(index: MeshIndex, up_file: Path, folder: Path, *, follow_logs: bool) -> int:
    """Run a mesh until a signal says stop, and return the exit status: 0 after a stop that was asked for."""
    workloads = {
        one.name: index.services[one.name].versions if one.name in index.services else ()
        for one in index.mesh.workloads
    }
    up, problems = read_up_file(up_file, workloads)
    if has_errors(problems):
        Reporting().tell(problems)
        return 1
    with _stop_flag() as stop:
        mesh, problems = start_mesh(index, up, folder, datetime.now(UTC), lambda: bool(stop.signals))
        try:
            Reporting().tell(problems)
            if has_errors(problems):
                return 1
            if not stop.signals:
                sys.stdout.write(mesh_table(mesh.plan, mesh.logs, terminal_of(sys.stdout)))
                sys.stdout.flush()
            return _watch(mesh, stop, follow_logs)
        finally:
            mesh.stop(0 if stop.signals > 1 else GRACE_S)


def _watch(mesh: LocalMesh, stop: _StopFlag, follow_logs: bool) -> int:
    terminal = terminal_of(sys.stdout)
    tail = LogTail(mesh.logs)
    while not stop.signals:
        for child in mesh.ended():
            words = child.last_words()
            told = f"the {child.name} {child.ending}" + (f": {words}" if words else "")
            sys.stdout.write(terminal.paint(terminal.safe(told), Ink.WARNING) + "\n")
        for name, line in tail.lines() if follow_logs else ():
            sys.stdout.write(f"{terminal.paint(f'{name:>16}', Ink.FRAME)} {terminal.safe(line)}\n")
        sys.stdout.flush()
        if not mesh.children:
            sys.stdout.write("nothing is left to run\n")
            return 1
        time.sleep(_POLL_S)
    sys.stdout.write("\nstopping the mesh ...\n")
    sys.stdout.flush()
    return 0


@contextmanager
def _stop_flag() -> Iterator[_StopFlag]:
    flag = _StopFlag()
    before = {number: signal.signal(number, flag) for number in _STOPPING}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
