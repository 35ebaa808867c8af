"""Tools of npm that tests run, where node is there."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

TOOLS = ("vscode-tmgrammar-test@0.1.3", "luaparse@0.3.1")
"""What is installed from npm for tests, and nothing else of what the extension needs."""


@cache
def node_tools() -> Path:
    """Return the folder of npm's tools, installed once into the user's cache; skips where that can't be done."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not there")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "meshc-tests" / hashlib.sha256(" ".join(TOOLS).encode()).hexdigest()[:12]
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), *TOOLS]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip("npm did not install its tools in two minutes")
        if done.returncode:
            pytest.skip(f"npm can't install its tools: {done.stderr.strip()[:200]}")
        (folder / "complete").touch()
    return folder / "node_modules"
