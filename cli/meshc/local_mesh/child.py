"""Processes of the mesh: started in groups of their own, logged into files, stopped together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from meshc_lang.record import dataclass

_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Child:
    """A running process, what it is called, and where its output goes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs.

        The process is looked at and not yet waited for, so that nobody else gets its number while its group may live.
        """
        if self.process.returncode is not None:
            return self.process.returncode
        if not hasattr(os, "waitid"):
            return self.process.poll()
        seen = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if seen is None:
            return None
        return seen.si_status if seen.si_code == os.CLD_EXITED else -seen.si_status

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        status = self.status
        if status is None:
            return "still runs"
        return f"ended with status {status}" if status >= 0 else f"was ended by {signal.Signals(-status).name}"

    def last_words(self) -> str:
        """Return the last line it logged."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def send(self, number: int) -> None:
        """Send a signal to it and to what it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


def start_child(name: str, command: Iterable[str], log: Path, environment: Mapping[str, str]) -> Child:
    """Start a command, tethered to the calling thread so that it cannot outlive it. Its input is empty.

    Raises:
        OSError: the log cannot be written.
    """
    tethered = [sys.executable, "-m", "meshc.local_mesh.tether", str(os.getpid()), *command]
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - a list of words, no shell
            tethered,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            start_new_session=True,  # Ctrl-C reaches this process alone, which stops the others in order
        )
    return Child(name, process, log)


def stop_children(children: Iterable[Child], grace_s: float) -> None:
    """Ask all to end, wait for so long, and kill what is left. Every process is waited for."""
    children = tuple(children)
    running = [child for child in children if child.status is None]
    for child in running:
        child.send(signal.SIGTERM)
    end = time.monotonic() + grace_s
    try:
        while any(child.status is None for child in running) and time.monotonic() < end:
            time.sleep(_POLL_S)
    finally:
        for child in children:
            child.send(signal.SIGKILL)  # the group may hold more than the child itself
            child.process.wait()
