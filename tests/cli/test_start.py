"""What a command does before its first costly import changes nothing that a user can see."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshc.checking import plain_check
from meshc.commands import VERBS
from meshc.start import _cleaned
from support.meshc_command import ROOT, run

EXAMPLES = ROOT / "examples"


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        (["check"], (".",)),
        (["check", "a", "b.mesh"], ("a", "b.mesh")),
        (["check", "a", "--fix"], None),
        (["check", "-"], None),
        (["--version"], None),
        (["fmt", "a"], None),
        ([], None),
    ],
)
def test_a_check_without_options_is_known_as_one(arguments: list[str], paths: tuple[str, ...] | None) -> None:
    assert plain_check(arguments) == paths


def test_a_check_without_options_tells_what_one_with_them_tells(tmp_path: Path) -> None:
    head = 'edition 2026\nmesh m { trust-domain: "m.example" }\nservice a { port: 80/http }\n'
    (tmp_path / "clean.mesh").write_text(head + "allow ingress -> a : GET /**\n")
    (tmp_path / "wrong.mesh").write_text(head + "allow ingress -> b : GET /**\n")
    (tmp_path / "odd.mesh").write_text(head + "allow ingress -> a : GET /**\nassert never ingress -> a\n")
    for path in ("clean.mesh", "wrong.mesh", "odd.mesh", "absent.mesh", str(EXAMPLES / "shop")):
        plain, whole = (run("check", *words, cwd=tmp_path) for words in ((path,), (path, "--format", "text")))
        assert (plain.returncode, plain.stdout, plain.stderr) == (whole.returncode, whole.stdout, whole.stderr)
        assert plain.stdout


def test_a_reader_that_went_away_ends_a_plain_check_quietly() -> None:
    command = f"{sys.executable} -m meshc check {EXAMPLES / 'shop'} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "141")  # written before the reader was gone, or after


@pytest.mark.parametrize("columns", ["", "60", "100", "wide"])
def test_pages_of_help_are_what_click_makes_of_them(columns: str) -> None:
    pages = f"from meshc.main import main; [main([*w, '--help']) for w in {[[], *([verb.name] for verb in VERBS)]}]"
    scripts = (pages, "from meshc.start import put_off; put_off(); " + pages)
    shown, expected = (
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            env={**os.environ, "COLUMNS": columns},
            stdin=subprocess.DEVNULL,
            check=True,
        ).stdout
        for script in scripts
    )
    assert shown == expected
    assert "Find every mistake" in shown


@given(st.text(alphabet=" \t\nab", max_size=40))
def test_help_texts_are_cleaned_as_python_cleans_them(text: str) -> None:
    assert _cleaned(text) == inspect.cleandoc(text)
