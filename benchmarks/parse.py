"""Claim: 20,000 lines of every statement are read, with spans, in 0.6 s; ten times the lines take ten times as long.

Peers read what is as long or as many, where they are installed (`pip install -e '.[bench]'`).
"""

from __future__ import annotations

import importlib.util
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.mixture import mixture
from benchmarks.timing import median_seconds, print_table
from meshc_lang.format import format_file
from meshc_lang.parser import parse
from meshc_lang.source import SourceText
from meshc_lang.tree.file import SourceFile
from meshc_lang.tree.walk import walk

SIZES = (2_000, 20_000, 200_000)
PEERS_LINES = 2_000
"""Peers are given as many policies as there are statements in so many lines: some are slow, and worse than linear."""


def read(text: str) -> SourceFile:
    """Read a text that has no mistakes."""
    file, problems = parse(SourceText("bench.mesh", text))
    if problems:
        raise SystemExit(f"the generated text has errors: {problems[0].primary} {problems[0].message}")
    return file


def peak_growth(run: str) -> int:
    """Return by how many MiB a process that runs some Python grows at its peak, above one that only imports."""
    # Not `ru_maxrss`: that of a child begins with what its parent took.
    report = "; print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
    imports = "from benchmarks.mixture import mixture; from benchmarks.parse import read"
    peaks = []
    for script in (f"{imports}; read(mixture(10))", f"{imports}; {run}"):
        done = subprocess.run([sys.executable, "-c", script + report], check=True, capture_output=True, text=True)
        peaks.append(int(done.stdout))
    return (peaks[1] - peaks[0]) // 1024


def ours() -> None:
    """Measure reading and writing."""
    rows = []
    for size in SIZES:
        text = mixture(size)
        times = 5 if size <= 20_000 else 1
        reading, file = median_seconds(lambda text=text: read(text), times)  # type: ignore[misc]
        writing, _ = median_seconds(lambda file=file: format_file(file), min(times, 3))  # type: ignore[misc]
        lines = text.count("\n")
        nodes = sum(1 for _ in walk(file))
        del file
        rows.append(
            (
                f"{lines:,}",
                f"{len(text) // 1024:,}",
                f"{nodes:,}",
                f"{reading:.3f}",
                f"{reading / lines * 1e6:.1f}",
                f"{len(text) / reading / 1024:,.0f}",
                f"{writing:.2f}",
                f"{writing / lines * 1e6:.1f}",
                f"{peak_growth(f'read(mixture({size}))'):,}",
            )
        )
    head = ("lines", "KiB", "nodes", "read s", "µs/line", "KiB/s", "format s", "µs/line", "peak MiB")
    print_table("reading text to tree, and formatting the tree (processor seconds)", head, rows)


def peers() -> None:
    """Measure what is installed, each with as many policies as we have statements."""
    text = mixture(PEERS_LINES)
    file = read(text)
    count = len(file.statements)
    seconds = {
        "meshc: read": (median_seconds(lambda: read(text), 5)[0], len(text)),
        "meshc: read and format": (median_seconds(lambda: format_file(read(text)), 3)[0], len(text)),
    }
    for name, (size, run) in _installed(count).items():
        seconds[name] = (median_seconds(run, 3)[0], size)
    kubectl = shutil.which("kubectl")
    if kubectl:
        seconds["kubectl kustomize"] = _kustomize(kubectl, count)
    ours_seconds = seconds["meshc: read"][0]
    rows = [
        (
            name,
            f"{size / 1024:.0f}",
            f"{spent * 1000:.0f}",
            f"{size / spent / 1024:,.0f}",
            f"{spent / ours_seconds:.1f}",
        )
        for name, (spent, size) in seconds.items()
    ]
    head = ("what", "KiB", "processor ms", "KiB/s", "times ours")
    print_table(f"peers: {count:,} policies, objects or statements each", head, rows)


def _installed(count: int) -> dict[str, tuple[int, Callable[[], object]]]:
    found: dict[str, tuple[int, Callable[[], object]]] = {}
    if importlib.util.find_spec("cedarpy"):
        import cedarpy

        policies = "\n".join(
            f'permit(principal == User::"u{number}", action in [Action::"GET", Action::"POST"], resource)\n'
            f'when {{ resource.path like "/v1/orders{number}/*" && context.beta == true }};'
            for number in range(count)
        )
        schema = json.dumps(
            {
                "": {
                    "entityTypes": {
                        "User": {"shape": {"type": "Record", "attributes": {}}},
                        "Path": {"shape": {"type": "Record", "attributes": {"path": {"type": "String"}}}},
                    },
                    "actions": {
                        verb: {
                            "appliesTo": {
                                "principalTypes": ["User"],
                                "resourceTypes": ["Path"],
                                "context": {"type": "Record", "attributes": {"beta": {"type": "Boolean"}}},
                            }
                        }
                        for verb in ("GET", "POST")
                    },
                }
            }
        )
        found["cedarpy: validate"] = (len(policies), lambda: cedarpy.validate_policies(policies, schema))
        found["cedarpy: format"] = (len(policies), lambda: cedarpy.format_policies(policies))
    if importlib.util.find_spec("_jsonnet"):
        import _jsonnet

        objects = (
            f"{{ name: 'r{number}', from: 'web', to: 'api', paths: ['/v1/a{number}/*'], timeout: '%dms' % {number} }}"
            for number in range(count)
        )
        snippet = "[\n  " + ",\n  ".join(objects) + "\n]\n"
        found["jsonnet: evaluate"] = (len(snippet), lambda: _jsonnet.evaluate_snippet("bench.jsonnet", snippet))
    return found


def _kustomize(kubectl: str, count: int) -> tuple[float, int]:
    documents = "---\n".join(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c{number}\ndata:\n  path: /v1/orders{number}\n"
        for number in range(count)
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "all.yaml").write_text(documents)
        (Path(folder) / "kustomization.yaml").write_text("namePrefix: a-\nresources: [all.yaml]\n")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([kubectl, "kustomize", folder], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, len(documents)


def main() -> None:
    """Print the figures."""
    ours()
    peers()


if __name__ == "__main__":
    main()
