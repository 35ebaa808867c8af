"""`meshc lsp` starts only where it can, and leaves as the protocol says."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from click.testing import CliRunner

from meshc.main import cli


def test_without_pygls_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "pygls" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    result = CliRunner().invoke(cli, ["lsp"])
    assert result.exit_code == 2
    assert "pip install 'meshc[lsp]'" in result.output


def test_no_other_verb_imports_it(tmp_path: Path) -> None:
    (tmp_path / "shop.mesh").write_text("", encoding="utf-8")
    script = (
        "import sys\nfrom meshc.main import main\n"
        "main(['check', sys.argv[1]])\nmain(['--help'])\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('pygls', 'lsprotocol') or '.lsp' in name])"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == "[]"


def test_an_editor_that_goes_away_ends_it() -> None:
    command = [sys.executable, "-m", "meshc", "lsp", "--stdio"]
    process = subprocess.run(command, input=b"", capture_output=True, check=False, timeout=60)
    assert process.returncode == 1
    assert process.stdout == b""
    assert b"Traceback" not in process.stderr
