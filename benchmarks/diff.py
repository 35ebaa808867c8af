"""Claim: a semantic diff of 1,000 services of which 100 were edited takes half a second once both are compiled.

Beside it what `git diff --no-index` takes for the same texts, which tells lines and not requests.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.program import generate
from benchmarks.timing import median_seconds, print_table
from meshc_compiler.diff.program_diff import diff_meshes
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program

SIZES = (100, 1_000)
SHARE = 10
"""One service in so many is edited."""


def edited(text: str, services: int, seed: int = 2026) -> str:
    """Return a program in which one service of ten is changed: a grant more, one less, another path, another time."""
    dice = random.Random(seed)
    for number in dice.sample(range(services), services // SHARE):
        block = re.search(rf"allow s\d+ -> s{number} \{{\n(?:.*\n)+?\}}\n", text)
        if block is None:
            continue
        lines = block.group().splitlines()
        match dice.randrange(4):
            case 0:
                lines.insert(1, "  PATCH /v9/added/{id:int}")
            case 1 if len(lines) > 3:
                del lines[1]
            case 2:
                lines[1] = lines[1].replace("/v1", "/v8").replace("/v2", "/v9")
            case _:
                lines.append(f"defaults s{number} {{ connect-timeout: 250ms }}")
        text = text[: block.start()] + "\n".join(lines) + "\n" + text[block.end() :]
    return text


def compiled(text: str) -> MeshIndex:
    """Compile one side."""
    result = compile_program(("bench.mesh",), MemoryReader({"bench.mesh": text}))
    if result.index is None:
        raise SystemExit(f"the program has errors: {result.diagnostics[0].message}")
    return result.index


def textual(old: str, new: str) -> float:
    """Return the wall-clock seconds of `git diff --no-index`, the best of three."""
    with tempfile.TemporaryDirectory() as folder:
        names = [Path(folder) / "old.mesh", Path(folder) / "new.mesh"]
        for name, text in zip(names, (old, new), strict=True):
            name.write_text(text)
        seconds = []
        for _ in range(3):
            before = time.perf_counter()
            subprocess.run(
                ["git", "diff", "--no-index", "--stat", *map(str, names)],
                check=False,
                capture_output=True,
            )
            seconds.append(time.perf_counter() - before)
        return min(seconds)


def main() -> None:
    """Print the figures; `python -m benchmarks.diff 100 1000` for other sizes."""
    sizes = tuple(int(word) for word in sys.argv[1:]) or SIZES
    rows = []
    for size in sizes:
        text = generate(size)
        changed = edited(text, size)
        old, new = compiled(text), compiled(changed)
        same, nothing = median_seconds(lambda old=old: diff_meshes(old, old))  # type: ignore[misc]
        seconds, changes = median_seconds(lambda old=old, new=new: diff_meshes(old, new))  # type: ignore[misc]
        wide = compiled(text.replace("timeout: 5s", "timeout: 6s"))
        everywhere, _ = median_seconds(lambda old=old, wide=wide: diff_meshes(old, wide), 1)  # type: ignore[misc]
        if nothing:
            raise SystemExit("a program differs from itself")
        kinds = Counter(change.kind.value for change in changes)
        peer = textual(text, changed)
        rows.append(
            (
                f"{size:,}",
                f"{size // SHARE:,}",
                " ".join(f"{count} {kind}" for kind, count in kinds.items()),
                f"{seconds:.3f}",
                f"{same:.3f}",
                f"{everywhere:.2f}",
                f"{peer:.3f}",
                f"{seconds / peer:.1f}",
            )
        )
    head = ("services", "edited", "changes", "diff s", "nothing s", "all calls s", "git diff s", "ratio")
    print_table("processor seconds of a comparison of two compiled programs; git diff is wall clock", head, rows)


if __name__ == "__main__":
    main()
