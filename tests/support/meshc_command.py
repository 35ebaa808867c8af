"""The command as a user runs it: a process of its own, or inside the test for speed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from click.testing import CliRunner, Result

from meshc.main import cli

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "meshc")


def invoke(*arguments: str | Path, stdin: str | bytes | None = None) -> Result:
    """Run the command inside this process; an exception that is not an exit fails the test."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
        check=False,
        timeout=120,
    )


def descendants(pid: int) -> set[int]:
    """Return the processes below a process."""
    found: set[int] = set()
    todo = [pid]
    while todo:
        for task in Path(f"/proc/{todo.pop()}/task").glob("*/children"):
            try:
                children = {int(word) for word in task.read_text().split()}
            except OSError:
                continue
            todo += children - found
            found |= children
    return found


def alive(pids: set[int]) -> set[int]:
    """Return those of the processes that still run (a zombie does not)."""
    running = set()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            running.add(pid)
    return running


class RunningUp:
    """`meshc up` as a process; ends it, hard if need be, when the test is over."""

    def __init__(self, *arguments: str | Path, cwd: Path) -> None:
        self.output = cwd / "up-output.txt"
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                [*COMMAND, "up", *map(str, arguments)],
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def __enter__(self) -> RunningUp:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def wait_for(self, text: str) -> str:
        """Wait until the output holds a text, and return the output."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            shown = self.output.read_text(encoding="utf-8", errors="replace")
            if text in shown:
                return shown
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"{text!r} did not come; the output is:\n{self.output.read_text(errors='replace')}")

    def outbound(self, workload: str) -> tuple[str, int]:
        """Return where a workload's calls go out, as the table says."""
        for line in self.wait_for("logs: ").splitlines():
            words = line.split()
            if words and words[0] == workload:
                host, _, port = words[2].removeprefix("http://").rpartition(":")
                return host, int(port)
        raise AssertionError(f"no {workload} in the table")

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)
