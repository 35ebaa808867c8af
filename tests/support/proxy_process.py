"""A proxy as users run it: the command in a process of its own, on ports the system chooses."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from meshc_runtime.snapshot import Address, Listeners, Snapshot, render_snapshot
from support.proxy_wire import Wire, WireResponse

ROOT = Path(__file__).parents[2]
ANYWHERE = Address(host="127.0.0.1", port=0)


def chosen_ports(*, inbound: bool = True) -> Listeners:
    return Listeners(
        inbound=ANYWHERE if inbound else None,
        outbound=ANYWHERE,
        admin=ANYWHERE,
        readiness=ANYWHERE,
        metrics=ANYWHERE,
    )


def proxy_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "meshc_runtime", *arguments]


def proxy_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "runtime"), "PYTHONWARNINGS": "error::ResourceWarning"}


def series_parts(text: str) -> tuple[str, set[tuple[str, str]]]:
    """The name of a series and its labels."""
    name, _, labels = text.partition("{")
    return name, set(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels))


class RunningProxy:
    """`python -m meshc_runtime` with this snapshot; its access log is a file that `log` reads."""

    def __init__(self, snapshot: Snapshot, folder: Path, *arguments: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log_path = folder / "access.log"
        snapshot = snapshot.model_copy(update={"access_log": str(self.log_path)})
        path = folder / "snapshot.json"
        path.write_text(render_snapshot(snapshot))
        self._errors = (folder / "stderr.txt").open("w+")
        self.process = subprocess.Popen(
            proxy_command(str(path), *arguments), stderr=self._errors, env=proxy_environment()
        )
        self.notes: list[str] = []
        try:
            self.addresses = self._wait_until_ready()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> RunningProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        errors = self.close()
        if error is None:
            assert "Traceback" not in errors, errors

    def close(self) -> str:
        """Stop the process if it still runs; what it wrote to standard error."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)
        if self._errors.closed:
            return ""
        errors = self.errors()
        self._errors.close()
        return errors

    def errors(self) -> str:
        return Path(self._errors.name).read_text()

    def outbound(self) -> Wire:
        return Wire(self.addresses["outbound"])

    def page(self, listener: str, path: str) -> WireResponse:
        with Wire(self.addresses[listener]) as wire:
            return wire.ask("GET", path, "localhost")

    def metric(self, series: str) -> float:
        """The sum of all series of this name that have these labels, whatever others they have; 0 where none does."""
        wanted, labels = series_parts(series)
        total = 0.0
        for line in self.page("metrics", "/metrics").body.decode().splitlines():
            if not line.startswith("#"):
                text, _, value = line.rpartition(" ")
                name, found = series_parts(text)
                if name == wanted and labels <= found:
                    total += float(value)
        return total

    def log(
        self, wanted: Callable[[dict[str, Any]], bool] = lambda record: True, count: int = 1
    ) -> list[dict[str, Any]]:
        """The first matching records of the access log, waiting for `count` of them."""
        for _ in range(200):
            text = self.log_path.read_text() if self.log_path.exists() else ""
            found = [record for record in map(json.loads, text.splitlines()) if wanted(record)]
            if len(found) >= count:
                return found
            time.sleep(0.05)
        raise AssertionError(f"the access log has only {found}")

    def _wait_until_ready(self) -> dict[str, str]:
        for _ in range(400):
            for line in self.errors().splitlines():
                if line.startswith("{") and line.endswith("}"):
                    document = json.loads(line)
                    if document.get("event") == "ready":
                        return {name: str(value) for name, value in document.items()}
            if self.process.poll() is not None:
                break
            time.sleep(0.025)
        raise AssertionError(f"the proxy did not start: {self.errors()}")
