"""Real Envoys on loopback: start one with a bootstrap, wait until it is ready, read its access log, stop it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.http_call import call

SECONDS = 20.0
"""How long an Envoy may take to start, stop or write its log. It needs a fraction of that."""


def envoy_binary() -> str:
    """Return the path of the Envoy of the running Python's environment."""
    found = shutil.which("envoy", path=str(Path(sys.executable).parent)) or shutil.which("envoy")
    if found is None:
        raise FileNotFoundError("no envoy: install the project's `dev` dependencies")
    return found


def validate(config: Path) -> str:
    """Return what `envoy --mode validate` has against a bootstrap; empty if nothing."""
    result = subprocess.run(
        [envoy_binary(), "--mode", "validate", "-c", str(config), "-l", "warn"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return "" if result.returncode == 0 else result.stdout + result.stderr


class EnvoyProcess:
    """One Envoy, running while its `with` block does. `readiness` is the port of its readiness listener."""

    def __init__(self, name: str, config: bytes, directory: Path, *, readiness: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.name = name
        self._readiness = readiness
        self._config = directory / f"{name}.json"
        self._config.write_bytes(config)
        self._stdout = directory / f"{name}.access.log"
        self._stderr = directory / f"{name}.stderr.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process; `wait_ready` waits for it, so that several can start at once."""
        with self._stdout.open("wb") as out, self._stderr.open("wb") as err:
            self._process = subprocess.Popen(
                [
                    envoy_binary(),
                    *("-c", str(self._config)),
                    "--disable-hot-restart",
                    *("--concurrency", "1"),
                    *("--file-flush-interval-msec", "100"),
                    *("-l", "warn"),
                ],
                stdout=out,
                stderr=err,
            )

    def wait_ready(self) -> None:
        """Return once the Envoy says it is ready; raise with its log if it does not come up."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                if call(self._readiness, "GET", "/ready", seconds=2).status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise RuntimeError(f"envoy {self.name} did not come up:\n{self.stderr}")

    def stop(self) -> None:
        """Stop the process and wait until it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(SECONDS)

    @property
    def pid(self) -> int:
        """The number of the process while it runs."""
        if self._process is None:
            raise RuntimeError(f"envoy {self.name} does not run")
        return self._process.pid

    @property
    def stderr(self) -> str:
        return self._stderr.read_text(errors="replace")

    @property
    def access_log(self) -> list[dict[str, Any]]:
        """The lines written so far."""
        lines = self._stdout.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def logged(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for the first line that is wanted."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            for line in self.access_log:
                if wanted(line):
                    return line
            time.sleep(0.05)
        raise AssertionError(f"no such line in the access log of {self.name}: {self.access_log}")

    def logged_request(self, request_id: str) -> dict[str, Any]:
        """Wait for the line of a request that bore this `x-request-id`."""
        return self.logged(lambda line: line["request_id"] == request_id)

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
