"""How a benchmark measures and prints: processor time of repeated runs, the median, and a table."""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def median_seconds(run: Callable[[], T], times: int = 3) -> tuple[float, T]:
    """Run a function some times; return the median of the processor seconds, and the last result."""
    seconds = []
    for _ in range(times):
        gc.collect()
        before = time.process_time()
        result = run()
        seconds.append(time.process_time() - before)
    return statistics.median(seconds), result


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in which numbers stand under each other."""
    widths = [max(len(str(row[column])) for row in (head, *rows)) for column in range(len(head))]
    print(f"\n{title}")
    for row in (head, *rows):
        cells = [
            str(row[0]).ljust(widths[0]),
            *(str(cell).rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        print("  " + "  ".join(cells))
    sys.stdout.flush()
