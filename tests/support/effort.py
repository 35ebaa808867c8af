"""How long tests search: a little by default, `MESHC_FUZZ_EFFORT` times as long for `make fuzz`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

EFFORT = int(os.environ.get("MESHC_FUZZ_EFFORT", "1"))


def examples(count: int) -> settings:
    """Return the settings of a property test that tries so many examples, without a deadline for each."""
    return settings(max_examples=count * EFFORT, deadline=None, suppress_health_check=[HealthCheck.too_slow])
