"""Claim: who reaches a service is answered in a fifth of a second for 1,000 services, each call with a request."""

from __future__ import annotations

import gc
import sys

from benchmarks.program import generate
from benchmarks.timing import median_seconds, print_table
from meshc_compiler.callers.chain import chains_to
from meshc_compiler.callers.direct import direct_callers
from meshc_compiler.callers.question import read_question
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program

SIZES = (100, 1_000)


def main() -> None:
    """Print the figures; `python -m benchmarks.callers 100 5000` for other sizes."""
    rows = []
    for size in tuple(int(word) for word in sys.argv[1:]) or SIZES:
        result = compile_program(("bench.mesh",), MemoryReader({"bench.mesh": generate(size)}))
        index = result.index
        question, _ = (None, ()) if index is None else read_question(index, result.program, f"s{size // 2}")
        if index is None or question is None:
            raise SystemExit("the generated program has errors")
        gc.freeze()
        direct_seconds, direct = median_seconds(lambda i=index, q=question: direct_callers(i, q))  # type: ignore[misc]
        seconds, chains = median_seconds(lambda i=index, q=question, d=direct: chains_to(i, q, d))  # type: ignore[misc]
        longest = max((len(chain.names) - 1 for chain in chains), default=0)
        rows.append(
            (
                f"{size:,}",
                f"{len(direct):,}",
                f"{direct_seconds:.3f}",
                f"{len(chains):,}",
                str(longest),
                f"{seconds:.3f}",
            )
        )
    head = ("services", "direct", "s", "through others", "longest", "s")
    print_table("processor seconds; the program is compiled already", head, rows)


if __name__ == "__main__":
    main()
