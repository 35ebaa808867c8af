"""Python's collector of cycles, kept from walking what grows: trees and meshes have no cycles, it would find none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collector_paused"]

_MANY = 5_000
"""So many new objects are worth more than the two calls that make them old ones."""


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the collector: else it walks what is being made again and again, a third of a large program's time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            # What was made is put among the old objects at once, or all of it would be walked as soon as this ends.
            if gc.get_count()[0] > _MANY and not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()
