"""The extension for VS Code: its grammar is that of the language, its files are there, and npm's tests of it pass."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from meshc_lang.recovery import STATEMENTS
from support.node_tools import node_tools

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "editors" / "vscode"


def generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate_grammar", FOLDER / "generate_grammar.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_grammar_is_made_of_the_language_s_own() -> None:
    written = (FOLDER / "syntaxes" / "mesh.tmLanguage.json").read_text(encoding="utf-8")
    assert written == generator().text(), "run `python editors/vscode/generate_grammar.py`"


def test_every_word_of_the_language_is_in_it() -> None:
    made = generator()
    text = json.dumps(made.grammar()["repository"])
    words = set(made.keywords(made.terminals()).values())
    assert set(STATEMENTS) <= words
    for word in words | {"->", "GET"}:
        assert re.search(rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])", text), word


def test_the_files_that_the_extension_names_are_there() -> None:
    package = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
    contributed = package["contributes"]
    named = [package["main"]]
    named += [language["configuration"] for language in contributed["languages"]]
    named += [grammar["path"] for grammar in contributed["grammars"]]
    for name in named:
        assert (FOLDER / name).exists(), name
    json.loads((FOLDER / "language-configuration.json").read_text(encoding="utf-8"))
    read = set(re.findall(r'get\("([a-z]+)"', (FOLDER / "extension.js").read_text(encoding="utf-8")))
    assert {f"meshc.{name}" for name in read} <= contributed["configuration"]["properties"].keys()


def test_the_client_is_a_program() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not there")
    subprocess.run([node, "--check", str(FOLDER / "extension.js")], check=True)


@pytest.mark.parametrize(
    ("tool", "files"), [("vscode-tmgrammar-test", "tests/*.test.mesh"), ("vscode-tmgrammar-snap", "tests/*.snap.mesh")]
)
def test_the_colours_are_those_that_are_expected(tool: str, files: str) -> None:
    command = [str(node_tools() / ".bin" / tool), files]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
