"""The page that sets our diagnostics beside those of others shows what meshc really says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meshc.render.terminal import Terminal
from meshc.reporting import findings_text
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program

PAGE = Path(__file__).resolve().parents[2] / "docs" / "diagnostics-compared.md"
SESSION = re.compile(
    r"```mesh\n(?P<program>.*?)```\n\n```\n\$ meshc check shop\.mesh\n(?P<shown>.*?)\n```\n", re.DOTALL
)


def said(program: str) -> str:
    result = compile_program(("shop.mesh",), MemoryReader({"shop.mesh": program}))
    return findings_text(result.diagnostics, Terminal(), 50).strip()


def test_the_outputs_of_the_page_are_the_real_ones(update_golden: bool) -> None:
    text = PAGE.read_text(encoding="utf-8")
    sessions = list(SESSION.finditer(text))
    assert len(sessions) == text.count("\n## ") == 6
    if update_golden:
        for session in reversed(sessions):
            text = text[: session.start("shown")] + said(session["program"]) + text[session.end("shown") :]
        PAGE.write_text(text, encoding="utf-8")
        return
    for session in sessions:
        assert session["shown"] == said(session["program"]), "run pytest with --update-golden, and read what it writes"


@pytest.mark.parametrize(
    "section", PAGE.read_text(encoding="utf-8").split("\n## ")[1:], ids=lambda text: text.split("\n")[0]
)
def test_every_mistake_is_told_with_its_place_and_a_way_out(section: str) -> None:
    shown = SESSION.search(section)
    assert shown is not None
    findings = shown["shown"].split("\n\n")[:-1]
    assert findings
    for finding in findings:
        assert " --> shop.mesh:" in finding
        assert re.search(r"^(help|fix[^:]*): ", finding, re.MULTILINE), finding
        assert finding.splitlines()[-1].startswith("explain: meshc explain MSH")
