"""The settings that the page on editors shows can be read by the editors."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from support.node_tools import node_tools

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "editors.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found, language
    return [str(one) for one in found]


@pytest.mark.parametrize("block", blocks("lua"))
def test_neovim(block: str) -> None:
    script = "require('luaparse').parse(require('fs').readFileSync(0, 'utf8'), {luaVersion: 'LuaJIT'})"
    node = shutil.which("node")
    tools = node_tools()
    assert node is not None
    done = subprocess.run([node, "-e", script], input=block, cwd=tools, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert '{ "meshc", "lsp" }' in block


def test_helix() -> None:
    (block,) = blocks("toml")
    settings = tomllib.loads(block)
    server = settings["language-server"]["meshc"]
    assert [server["command"], *server["args"]] == ["meshc", "lsp"]
    (language,) = settings["language"]
    assert language["file-types"] == ["mesh"]
    assert language["language-servers"] == ["meshc"]


def test_emacs() -> None:
    (block,) = blocks("elisp")
    depth = 0
    for piece in re.finditer(r'"(?:[^"\\]|\\.)*"|[()]', block):
        depth += {"(": 1, ")": -1}.get(piece[0], 0)
        assert depth >= 0
    assert depth == 0
    emacs = shutil.which("emacs")
    if emacs is not None:
        script = f"(progn {block})"
        subprocess.run([emacs, "--batch", "--eval", f"(read {json.dumps(script)})"], check=True)


def test_sublime_text() -> None:
    (block,) = blocks("json")
    (client,) = json.loads(block)["clients"].values()
    assert client["command"] == ["meshc", "lsp"]
