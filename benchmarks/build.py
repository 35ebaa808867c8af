"""Claim: a build costs in proportion to the mesh, and one after an edit makes anew only what the edit touches.

Builds as they are run: processes of their own, for envoy and sidecar, from nothing, with all files in the cache, after
one line was added; and each target for itself. The peer is `kubectl kustomize`, where it is installed: it reads and
prints the resources that we emit.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.program import generate
from benchmarks.timing import median_seconds, print_table
from meshc_backends.artifact import Artifact
from meshc_backends.backend import EmitContext
from meshc_backends.placement import KubernetesPlacement
from meshc_backends.registry import BACKENDS
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_lang.diagnostic import has_errors

SIZES = (10, 200)
RUN_SIZES = (10, 1_000)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def emit_all(index: MeshIndex, authority: Path) -> tuple[dict[str, float], tuple[Artifact, ...]]:
    """Emit every target once; return processor seconds by target, and all files."""
    seconds: dict[str, float] = {}
    emitted: tuple[Artifact, ...] = ()
    for target in BACKENDS:
        backend = target.load()
        context = EmitContext(
            placement=KubernetesPlacement(),
            authority=authority,
            now=NOW,
            previous=lambda _path: None,
            emitted=emitted,
        )
        before = time.process_time()
        emission = backend.emit(index, context)
        seconds[target.name] = time.process_time() - before
        if has_errors(emission.diagnostics):
            raise SystemExit(f"{target.name}: {emission.diagnostics[0].message}")
        emitted += emission.artifacts
    return seconds, emitted


def kustomize_seconds(folder: Path, emitted: tuple[Artifact, ...]) -> float | None:
    """Return the wall seconds that `kubectl kustomize` takes to read the emitted resources, or None without kubectl."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        return None
    for artifact in emitted:
        if artifact.path.startswith("kubernetes/"):
            path = folder / artifact.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(artifact.content)
    before = time.perf_counter()
    subprocess.run([kubectl, "kustomize", str(folder / "kubernetes")], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - before


def run(folder: Path, *arguments: str) -> tuple[float, float, int]:
    """Run `meshc` in a folder; return its wall seconds, processor seconds, and MiB at its peak."""
    # Through `exec` of a small shell: the peak that is told of a child begins with what its parent took.
    command = ["/bin/sh", "-c", 'exec "$@"', "sh", sys.executable, "-m", "meshc", *arguments]
    before = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"meshc {' '.join(arguments)} ended with {process.returncode}")
    return time.perf_counter() - before, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024


def as_commands(sizes: tuple[int, ...]) -> None:
    """Measure builds one after the other: without a cache, from nothing, again, after a rule and a service were added.

    Of the rule only what it reaches is compiled; of the service everything is, and nearly all files are in the cache.
    """
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder, text = Path(name), generate(size)
            (folder / "bench.mesh").write_text(text)
            start, _, _ = run(folder, "version")
            build = ("build", "bench.mesh", "--target", "envoy,sidecar", "--quiet")
            measured = [run(folder, *build, "--no-cache"), run(folder, *build), run(folder, *build)]
            (folder / "bench.mesh").write_text(text + f"allow s1 -> s{size - 1} : GET /one-more-line\n")
            measured.append(run(folder, *build))
            more = "service more { port: 1/http, namespace: n1 }\nallow s1 -> more : GET /x\n"
            (folder / "bench.mesh").write_text(text + more)
            measured.append(run(folder, *build))
            peak = max(mebibytes for _, _, mebibytes in measured)
            rows.append(
                (
                    f"{size:,}",
                    *(f"{wall - start:.2f} ({processor:.2f})" for wall, processor, _ in measured),
                    f"{measured[0][0] / size * 1000:.1f}",
                    f"{peak:,}",
                )
            )
    head = ("services", "no cache", "from nothing", "again", "one rule", "a service", "ms/service", "peak MiB")
    print_table("meshc build: wall seconds after start-up (and processor seconds)", head, rows)


def main() -> None:
    """Print the figures; `python -m benchmarks.build 10 1000 10000` for other sizes, of commands only."""
    as_commands(tuple(int(word) for word in sys.argv[1:]) or RUN_SIZES)
    if not sys.argv[1:]:
        by_target(SIZES)


def by_target(sizes: tuple[int, ...]) -> None:
    """Measure each target for itself, and the peer."""
    rows = []
    for size in sizes:
        reader = MemoryReader({"bench.mesh": generate(size)})
        compiling, result = median_seconds(
            lambda reader=reader: compile_program(("bench.mesh",), reader),  # type: ignore[misc]
            times=1,
        )
        if result.index is None:
            raise SystemExit("the generated program has errors")
        with tempfile.TemporaryDirectory() as folder:
            seconds, emitted = emit_all(result.index, Path(folder) / "authority")
            peer = kustomize_seconds(Path(folder), emitted)
        mebibytes = sum(len(artifact.content) for artifact in emitted) / 2**20
        ours = seconds["kubernetes"]
        rows.append(
            (
                f"{size:,}",
                f"{compiling:.2f}",
                *(f"{seconds[target.name]:.2f}" for target in BACKENDS),
                f"{mebibytes:.0f}",
                "-" if peer is None else f"{peer:.2f}",
                "-" if peer is None else f"{ours / peer:.2f}",
            )
        )
    head = ("services", "compile", *(target.name for target in BACKENDS), "MiB", "kustomize", "kubernetes/kustomize")
    print_table("processor seconds of each step (kubectl kustomize: wall)", head, rows)


if __name__ == "__main__":
    main()
