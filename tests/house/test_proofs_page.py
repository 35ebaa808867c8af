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
CHECKED = re.compile(r"^```mesh\n(.*?)^```\n\n```\n\$ meshc (check .*?)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("program", "arguments", "shown"), CHECKED.findall(PAGE))
def test_a_program_of_the_page_is_found_what_it_shows(
    program: str, arguments: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.mesh").write_text(program, encoding="utf-8")
    result = CliRunner().invoke(cli, shlex.split(arguments))
    assert result.output.strip() == shown.strip()


def test_every_program_of_the_page_is_checked() -> None:
    assert len(CHECKED.findall(PAGE)) == PAGE.count("```mesh\n") == 2


def test_the_bounds_of_the_page_are_those_of_the_compiler() -> None:
    told = [int(number.replace(",", "")) for number in re.findall(r"^\| [a-z].*? \| ([\d,]+)", PAGE, re.MULTILINE)]
    assert told == [MOST_STATES, MOST_STATES_OF_AUTOMATA, MOST_GIVEN_UP, MOST_TEMPLATES, MOST_NODES, MOST_RULES]
