"""No text takes more time or memory than its length allows: long ones are read in a process with limits."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from support import fuzz_targets
from support.adversarial import SHAPES
from support.effort import EFFORT

ONCE = """
import sys
from support.adversarial import SHAPES
from support import fuzz_targets
text = SHAPES[sys.argv[1]](int(sys.argv[2]))
fuzz_targets.{target}(text.encode())
"""


@pytest.mark.parametrize("shape", SHAPES)
def test_a_text_that_strains_is_read_or_refused(shape: str) -> None:
    for length in (0, 1, 2, 63, 64, 65, 300):
        data = SHAPES[shape](length).encode()
        fuzz_targets.program(data)
        fuzz_targets.request(b"a -> b " + data)
    fuzz_targets.compilation(SHAPES[shape](40).encode())


def limits() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))


@pytest.mark.skipif(EFFORT == 1, reason="`make fuzz` reads a million characters of each shape")
@pytest.mark.parametrize(("target", "length"), [("program", 1_000_000), ("compilation", 100_000)])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_long_text_that_strains_is_read_or_refused_within_limits(shape: str, target: str, length: int) -> None:
    count = length // max(len(SHAPES[shape](100)) // 100, 1)
    script = ONCE.format(target=target)
    done = subprocess.run(
        [sys.executable, "-c", script, shape, str(count)],
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=limits,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
