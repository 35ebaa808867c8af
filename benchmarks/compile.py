"""Claim: parsing and compiling cost in proportion to the program, from 10 services to 10,000."""

from __future__ import annotations

import resource
import sys

from benchmarks.program import generate
from benchmarks.timing import median_seconds, print_table
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_lang.parser import parse
from meshc_lang.source import SourceText

SIZES = (10, 1_000, 10_000)


def main() -> None:
    """Print the figures; `python -m benchmarks.compile 100 1000` for other sizes."""
    sizes = tuple(int(word) for word in sys.argv[1:]) or SIZES
    rows = []
    for size in sizes:
        text = generate(size)
        times = 3 if size <= 1_000 else 1
        parsing, _ = median_seconds(lambda text=text: parse(SourceText("bench.mesh", text)), times)  # type: ignore[misc]
        reader = MemoryReader({"bench.mesh": text})
        whole, result = median_seconds(lambda reader=reader: compile_program(("bench.mesh",), reader), times)  # type: ignore[misc]
        errors = [d for d in result.diagnostics if d.severity == "error"]
        if errors:
            raise SystemExit(f"the generated program has errors: {errors[0].code} {errors[0].message}")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        lines = text.count("\n")
        rows.append(
            (f"{size:,}", f"{lines:,}", f"{parsing:.2f}", f"{whole:.2f}", f"{whole / size * 1e3:.2f}", f"{peak:,}")
        )
    head = ("services", "lines", "parse s", "compile s", "ms/service", "peak MiB")
    print_table("processor seconds; compile includes parse and all checks", head, rows)


if __name__ == "__main__":
    main()
