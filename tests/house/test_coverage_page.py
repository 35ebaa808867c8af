"""The page about coverage shows what meshc really says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from support.meshc_command import invoke

PAGE = Path(__file__).resolve().parents[2] / "docs" / "coverage.md"
PROGRAM = re.compile(r"^```mesh\n(.*?)^```", re.MULTILINE | re.DOTALL)
SESSION = re.compile(r"^```\n\$ meshc (?P<arguments>.*?)\n(?P<shown>.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_sessions_of_the_page_print_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, update_golden: bool
) -> None:
    text = PAGE.read_text(encoding="utf-8")
    (tmp_path / "shop.mesh").write_text("\n".join(PROGRAM.findall(text)), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert invoke("check", "--strict").exit_code == 0
    sessions = list(SESSION.finditer(text))
    assert sessions
    for session in reversed(sessions):
        shown = invoke(*shlex.split(session["arguments"])).stdout
        if update_golden:
            text = text[: session.start("shown")] + shown + text[session.end("shown") :]
        else:
            assert session["shown"] == shown, "run pytest with --update-golden, and read what it writes"
    if update_golden:
        PAGE.write_text(text, encoding="utf-8")
