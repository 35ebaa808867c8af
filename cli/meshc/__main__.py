"""`python -m meshc` is the command itself."""

from __future__ import annotations

from meshc.main import run

run()
