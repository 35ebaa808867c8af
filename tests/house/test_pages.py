"""The programs and outputs that the documents show are the real ones."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from meshc.main import cli
from meshc_compiler.examples import run_examples
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_all

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```mesh\n(.*?)^```", re.MULTILINE | re.DOTALL)
SESSION = re.compile(r"^```\n\$ meshc (.*?)\n(.*?)^```", re.MULTILINE | re.DOTALL)
README = ROOT / "README.md"
PAGES = [README, ROOT / "docs" / "language.md"]


def program(page: Path) -> str:
    """Return a page's `mesh` blocks as one program."""
    return "\n".join(BLOCK.findall(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_blocks_of_a_page_are_one_program_without_findings(page: Path) -> None:
    result = compile_all((page.name,), MemoryReader({page.name: program(page)}))
    assert [f"{d.code.id} {d.message} at {d.primary}" for d in result.diagnostics] == []
    assert result.index is not None
    cases = run_examples(result.index)
    assert cases
    assert [case for case in cases if not case.passed] == []


def test_the_sessions_of_the_readme_print_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = program(README)
    lines = text.splitlines(keepends=True)
    beta = next(number for number, line in enumerate(lines) if "as beta" in line)
    ambiguous = "".join([*lines[: beta + 1], "  POST /v1/orders => v1 as orders\n", *lines[beta + 1 :]])
    monkeypatch.chdir(tmp_path)
    sessions = SESSION.findall(README.read_text(encoding="utf-8"))
    assert [arguments.split()[0] for arguments, _ in sessions] == ["check", "why", "why", "who-can", "diff"]
    unguarded = text.replace(' if header "x-csrf" present', "")
    assert unguarded != text
    commit(tmp_path, text)
    changed = {"check": ambiguous, "diff": unguarded}
    for arguments, shown in sessions:
        (tmp_path / "shop.mesh").write_text(changed.get(arguments.split()[0], text), encoding="utf-8")
        result = CliRunner().invoke(cli, shlex.split(arguments))
        assert result.output.strip() == shown.strip()


def commit(folder: Path, text: str) -> None:
    """Make a repository of a folder, with the program as its one revision."""
    (folder / "shop.mesh").write_text(text, encoding="utf-8")
    who = ("-c", "user.name=n", "-c", "user.email=n@example.com")
    for words in (("init", "-q"), ("add", "shop.mesh"), (*who, "commit", "-q", "-m", "policy")):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
