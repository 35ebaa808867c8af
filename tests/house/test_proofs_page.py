"""The programs of docs/proofs.md are found what the page says of them, and its bounds are the compiler's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from meshc.main import cli
from meshc_compiler.automaton import MOST_GIVEN_UP
from meshc_compiler.automaton import MOST_STATES as MOST_STATES_OF_AUTOMATA
from meshc_compiler.lower.precedence import MOST_RULES
from meshc_compiler.space.diagram import MOST_NODES
from meshc_compiler.space.path_atoms import MOST_STATES
from meshc_compiler.space.path_search import MOST_TEMPLATES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "proofs.md").read_text(encoding="utf-8")
_LINES = r"((?:(?!```).*\n)*)"
CHECKED = re.compile(rf"^```mesh\n{_LINES}```\n\n```\n\$ meshc (check .*)\n{_LINES}```", re.MULTILINE)


@pytest.mark.parametrize(("program", "arguments", "shown"), CHECKED.findall(PAGE))
def test_a_program_of_the_page_is_found_what_it_shows(
    program: str, arguments: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.mesh").write_text(program, encoding="utf-8")
    result = CliRunner().invoke(cli, shlex.split(arguments))
    assert result.output.strip() == shown.strip()


def test_every_program_of_the_page_is_checked() -> None:
    assert len(CHECKED.findall(PAGE)) + 1 == PAGE.count("```mesh\n") == 3


def test_the_questions_of_the_page_are_answered_as_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    part = PAGE.split("## Who can call, and what would change it\n")[1].split("\n## ")[0]
    (program,) = re.findall(r"^```mesh\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
    (tmp_path / "program.mesh").write_text(program, encoding="utf-8")
    assert CliRunner().invoke(cli, ["check", "program.mesh", "--strict"]).exit_code == 0
    sessions = re.findall(r"^```\n\$ meshc (.*?)\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
    assert [arguments.split()[0] for arguments, _ in sessions] == ["who-can", "why", "why"]
    for arguments, shown in sessions:
        assert CliRunner().invoke(cli, shlex.split(arguments)).output.strip() == shown.strip()


def test_the_bounds_of_the_page_are_those_of_the_compiler() -> None:
    told = [int(number.replace(",", "")) for number in re.findall(r"^\| [a-z].*? \| ([\d,]+)", PAGE, re.MULTILINE)]
    assert told == [MOST_STATES, MOST_STATES_OF_AUTOMATA, MOST_GIVEN_UP, MOST_TEMPLATES, MOST_NODES, MOST_RULES]
