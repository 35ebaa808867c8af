"""`python -m meshc` is the command itself."""

from __future__ import annotations

from meshc.start import run

run()
