"""Claim: `meshc --help` answers within 100 ms of the bare interpreter, `check` on one file within 120 ms in all."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.timing import print_table

ROOT = Path(__file__).resolve().parents[1]
RUNS = 15


def wall_seconds(*commands: list[str]) -> list[float]:
    """Run commands in turn, many times; return each one's median seconds by the wall clock."""
    seconds: list[list[float]] = [[] for _ in commands]
    for _ in range(RUNS):
        for command, series in zip(commands, seconds, strict=True):
            before = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
            series.append(time.perf_counter() - before)
    return [statistics.median(series) for series in seconds]


def main() -> None:
    """Print the figures."""
    meshc = str(Path(sys.executable).with_name("meshc"))
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import click'": [sys.executable, "-c", "import click"],
        "meshc --help": [meshc, "--help"],
        "meshc check examples/shop": [meshc, "check", "examples/shop"],
        "meshc check examples/boutique": [meshc, "check", "examples/boutique"],
    }
    figures = wall_seconds(*commands.values())
    bare = figures[0]
    rows = [(name, f"{s * 1000:.0f}", f"{(s - bare) * 1000:+.0f}") for name, s in zip(commands, figures, strict=True)]
    print_table("start-up, median of wall-clock times", ("command", "ms", "over bare"), rows)


if __name__ == "__main__":
    main()
