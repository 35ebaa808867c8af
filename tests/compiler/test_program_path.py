"""A path written in a program names a file of that program, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshc_compiler.loader import DiskReader, MemoryReader, Refusal
from meshc_compiler.program_path import resolve_inside


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A program with files, links that stay, and links that do not."""
    program = tmp_path / "shop"
    (program / "teams" / "web").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    for path in (program / "a.mesh", program / "teams" / "b.mesh", tmp_path / "outside" / "secret.mesh"):
        path.write_text("")
    (program / "same.mesh").symlink_to("teams/b.mesh")
    (program / "away.mesh").symlink_to(tmp_path / "outside" / "secret.mesh")
    (program / "far").symlink_to(tmp_path / "outside")
    (program / "loop.mesh").symlink_to("loop.mesh")
    (program / "gone.mesh").symlink_to("nothing")
    (program / "teams" / "up").symlink_to("..")
    return tmp_path


@pytest.mark.parametrize(
    ("base", "path", "found"),
    [
        ("shop", "a.mesh", "shop/a.mesh"),
        ("shop", "./teams//b.mesh", "shop/teams/b.mesh"),
        ("shop/teams", "../a.mesh", "shop/a.mesh"),
        ("shop/teams/web", "../../a.mesh", "shop/a.mesh"),
        ("shop/teams/web", "../b.mesh", "shop/teams/b.mesh"),
        ("shop", "same.mesh", "shop/same.mesh"),
        ("shop", "teams/up/a.mesh", "shop/teams/up/a.mesh"),
        ("shop", "far/../a.mesh", "shop/a.mesh"),
    ],
)
def test_a_path_inside_is_found(tree: Path, base: str, path: str, found: str) -> None:
    assert resolve_inside("shop", base, path, DiskReader(tree)) == found


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "is empty"),
        ("a\0.mesh", "holds a character that cannot be shown"),
        ("a\n.mesh", "holds a character that cannot be shown"),
        ("/etc/passwd", "is absolute, and a program lies elsewhere on every machine"),
        ("C:\\a.mesh", "is absolute, and a program lies elsewhere on every machine"),
        ("~/a.mesh", "begins with `~`, and a program means the same for everyone"),
        ("teams\\b.mesh", "holds a backslash: parts of a path are separated by `/`"),
        ("x" * 2000, "is longer than 1024 characters"),
        ("../outside/secret.mesh", "leads out of the program"),
        ("teams/../../outside/secret.mesh", "leads out of the program"),
        ("../shop/a.mesh", "leads out of the program"),
        ("away.mesh", "leads out of the program, by a link"),
        ("far/secret.mesh", "leads out of the program, by a link"),
        ("loop.mesh", "is a link that leads nowhere, or in a circle"),
        ("gone.mesh", "is a link that leads nowhere, or in a circle"),
        ("nothing.mesh", "does not exist"),
        ("teams", "is a directory"),
        (".", "is a directory"),
    ],
)
def test_any_other_path_is_refused(tree: Path, path: str, reason: str) -> None:
    assert resolve_inside("shop", "shop", path, DiskReader(tree)) == Refusal(reason)


def test_a_file_outside_the_program_names_nothing_in_it(tree: Path) -> None:
    refused = resolve_inside("shop", "outside", "../shop/a.mesh", DiskReader(tree))
    assert refused == Refusal("is named by a file outside the program")


def test_the_working_directory_may_be_the_program(tree: Path) -> None:
    reader = DiskReader(tree / "shop")
    assert resolve_inside(".", "teams", "../a.mesh", reader) == "a.mesh"
    assert resolve_inside(".", ".", "teams/b.mesh", reader) == "teams/b.mesh"
    assert resolve_inside(".", ".", "../outside/secret.mesh", reader) == Refusal("leads out of the program")
    whole = str(tree / "shop")
    assert resolve_inside(whole, whole, "a.mesh", DiskReader()) == f"{whole}/a.mesh"


FILES = {"p/a.mesh": "", "p/d/b.mesh": "", "q.mesh": ""}
PIECES = st.lists(st.sampled_from([".", "..", "", "d", "p", "a.mesh", "b.mesh", "q.mesh", "~", "\0"]), max_size=6)


@given(base=st.sampled_from(["p", "p/d"]), path=st.one_of(PIECES.map("/".join), st.text(max_size=8)))
def test_whatever_is_written_what_is_found_is_a_file_of_the_program(base: str, path: str) -> None:
    found = resolve_inside("p", base, path, MemoryReader(FILES))
    assert isinstance(found, Refusal) or found in ("p/a.mesh", "p/d/b.mesh")
