"""Run every benchmark in turn, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

CLAIMS = (
    "benchmarks.startup",
    "benchmarks.parse",
    "benchmarks.compile",
    "benchmarks.prove",
    "benchmarks.callers",
    "benchmarks.build",
    "benchmarks.diff",
    "benchmarks.lsp",
    "benchmarks.proxy",
)
"""The modules, cheapest first."""


def main() -> int:
    """Run them; a benchmark that fails does not stop the rest."""
    failed = []
    for claim in CLAIMS:
        print(f"\n== python -m {claim}", flush=True)
        if subprocess.run([sys.executable, "-m", claim], check=False).returncode:
            failed.append(claim)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
