"""The proxies of a mesh under test, as processes: started together, waited for, and always ended."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from support.agreement_client import exchange, head_of

ENVOY = Path(sys.executable).parent / "envoy"

_RUNNING: set[subprocess.Popen[bytes]] = set()
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


class Voice(StrEnum):
    """Which proxy enforces."""

    PYTHON = "python"
    ENVOY = "envoy"


class ProxyProcess:
    """One proxy. `ready` is the address that answers `/ready` once it serves."""

    def __init__(self, voice: Voice, name: str, configuration: Path, ready: tuple[str, int]) -> None:
        self.voice = voice
        self.name = name
        self._ready = ready
        self.log = configuration.with_suffix(".log")
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                _command(voice, configuration),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent,
            )
        _RUNNING.add(self._process)

    def wait_until_ready(self, deadline: float) -> None:
        """Return once the proxy serves; AssertionError with its log if it ends or the deadline (monotonic) passes."""
        request = head_of("GET", "/ready", "ready", (("Connection", "close"),))
        while exchange(self._ready, request, patience=2).status != 200:
            assert self._process.poll() is None, f"{self} ended at its start:\n{self.tail(30)}"
            assert time.monotonic() < deadline, f"{self} does not get ready:\n{self.tail(30)}"
            time.sleep(0.02)

    def tail(self, lines: int) -> str:
        """Return the last lines of what the proxy printed."""
        return self._shown(self.printed()[-lines:])

    def lines(self, about: set[str]) -> str:
        """Return the last access log lines about some paths, and the last lines that are no access log."""
        printed = self.printed()
        accesses = [line for line in printed if any(json.dumps(path) in line for path in about)]
        return self._shown(accesses[-4:] + [line for line in printed if not line.startswith("{")][-4:])

    def printed(self) -> list[str]:
        """Return the lines that the proxy printed so far."""
        return self.log.read_text(errors="replace").splitlines()

    def _shown(self, lines: list[str]) -> str:
        return "\n".join(f"    {self.name}| {line[:1000]}" for line in lines)

    def begin_end(self) -> None:
        """Ask the process to end."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """Wait for the end, by force if need be."""
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _RUNNING.discard(self._process)

    def __str__(self) -> str:
        return f"{self.voice} proxy of {self.name}"


def end_all(processes: Sequence[ProxyProcess]) -> None:
    """End processes together."""
    for process in processes:
        process.begin_end()
    for process in processes:
        process.end()


def _command(voice: Voice, configuration: Path) -> list[str]:
    match voice:
        case Voice.PYTHON:
            return [sys.executable, "-m", "meshc_runtime", str(configuration)]
        case Voice.ENVOY:
            quiet = ["--concurrency", "1", "--disable-hot-restart", "--file-flush-interval-msec", "100", "-l", "warn"]
            return [str(ENVOY), "-c", str(configuration), *quiet]


def _die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@atexit.register
def _kill_what_is_left() -> None:
    for process in _RUNNING:
        with contextlib.suppress(OSError):
            process.kill()
            process.wait()
