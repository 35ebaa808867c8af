"""What docs/diff.md shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

from meshc.commands.diff import KINDS
from support.meshc_command import ROOT, run

PAGE = (ROOT / "docs" / "diff.md").read_text(encoding="utf-8")


def test_the_comparison_of_the_page(tmp_path: Path) -> None:
    programs = re.findall(r"```mesh\n(.*?)```", PAGE, re.DOTALL)
    assert len(programs) == 2
    for name, text in zip(("old", "new"), programs, strict=True):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shop.mesh").write_text(text)
    (shown,) = re.findall(r"```\n\$ meshc diff old new\n(.*?)```", PAGE, re.DOTALL)
    assert run("diff", "old", "new", cwd=tmp_path).stdout == shown


def test_the_page_names_every_kind_of_change() -> None:
    assert tuple(re.findall(r"^\| `([a-z]+)` \| `.` \|", PAGE, re.MULTILINE)) == KINDS
