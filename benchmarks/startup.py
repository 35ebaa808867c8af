"""Claim: `meshc --help` answers within 100 ms of the bare interpreter, `check` on one file within 120 ms in all.

Both depend on the machine and on what else it does, so each command is timed in turn with the bare interpreter, and the
ratios are what to compare. Peers are timed in the same run where they are installed (`pip install -e '.[bench]'`).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.timing import print_table

ROOT = Path(__file__).resolve().parents[1]
RUNS = 21
BARE = "python -c pass"

POLICY = 'permit(principal == User::"web", action == Action::"GET", resource == Service::"api");'
KUSTOMIZATION = "resources: [map.yaml]\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {b: c}\n"


class Cost(NamedTuple):
    """What a process took: seconds by the clock, and of the processor (its own and the kernel's)."""

    wall: float
    processor: float


def cost_of(command: list[str], environment: dict[str, str]) -> Cost:
    """Run a command once."""
    before = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Cost(time.perf_counter() - before, usage.ru_utime + usage.ru_stime)


def costs(commands: dict[str, list[str]]) -> dict[str, tuple[Cost, Cost]]:
    """Run commands in turn, many times; return each one's median and least cost."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for command in commands.values():
        cost_of(command, environment)  # so that bytecode and tables are there
    series: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(RUNS):
        for name, command in commands.items():
            series[name].append(cost_of(command, environment))
    return {name: (_each(statistics.median, found), _each(min, found)) for name, found in series.items()}


def _each(choose: object, found: list[Cost]) -> Cost:
    assert callable(choose)
    return Cost(*(choose(column) for column in zip(*found, strict=True)))


def peers(folder: Path) -> dict[str, list[str]]:
    """Return the peers that are installed, each on the smallest input that it works on."""
    found: dict[str, list[str]] = {}
    ruff = Path(sys.executable).with_name("ruff")
    if ruff.exists():
        (folder / "one.py").write_text("x = 1\n")
        found["ruff check one.py"] = [str(ruff), "check", "--isolated", "--no-cache", str(folder / "one.py")]
    if importlib.util.find_spec("_jsonnet"):
        script = "import _jsonnet; print(_jsonnet.evaluate_snippet('a', '{a: 1}'))"
        found["jsonnet (its Python binding)"] = [sys.executable, "-c", script]
    if importlib.util.find_spec("cedarpy"):
        found["cedarpy: one policy"] = [sys.executable, "-c", f"import cedarpy; cedarpy.format_policies({POLICY!r})"]
    kubectl = shutil.which("kubectl")
    if kubectl:
        (folder / "kustomization.yaml").write_text(KUSTOMIZATION)
        (folder / "map.yaml").write_text(CONFIG_MAP)
        found["kubectl kustomize: one map"] = [kubectl, "kustomize", str(folder)]
    return found


def main() -> None:
    """Print the figures."""
    meshc = str(Path(sys.executable).with_name("meshc"))
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            BARE: [sys.executable, "-c", "pass"],
            "python -c 'import click'": [sys.executable, "-c", "import click"],
            "meshc --help": [meshc, "--help"],
            "meshc check examples/shop": [meshc, "check", "examples/shop"],
            "meshc check examples/boutique": [meshc, "check", "examples/boutique"],
            "meshc fmt --check examples/shop": [meshc, "fmt", "--check", "examples/shop"],
            **peers(Path(folder)),
        }
        figures = costs(commands)
    bare = figures[BARE][0]
    rows = [
        (
            name,
            f"{middle.wall * 1000:.0f}",
            f"{(middle.wall - bare.wall) * 1000:+.0f}",
            f"{middle.wall / bare.wall:.1f}",
            f"{middle.processor * 1000:.0f}",
            f"{least.processor * 1000:.0f}",
        )
        for name, (middle, least) in figures.items()
    ]
    head = ("command", "wall ms", "over bare", "times bare", "processor ms", "at least")
    print_table(f"start-up: medians of {RUNS} runs in turn, and the least processor time", head, rows)


if __name__ == "__main__":
    main()
