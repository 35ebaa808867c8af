"""Programs come from files and directories; what cannot be read is told, never raised."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from meshc_compiler import loader
from meshc_compiler.loader import DiskReader, MemoryReader, Program, load
from meshc_compiler.pipeline import compile_program
from meshc_lang.diagnostic import Diagnostic

GROUP = "group g = a\n"


def written(directory: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return directory


def names(program: Program) -> list[str]:
    return [source.path for source in program.sources]


def told(diagnostics: tuple[Diagnostic, ...]) -> list[str]:
    return [f"{one.code.id} {one.primary.source.path}" for one in diagnostics]


def test_a_directory_is_every_mesh_file_below_it_but_for_hidden_ones(tmp_path: Path) -> None:
    files = {"b.mesh": GROUP, "a/z.mesh": GROUP, "a/notes.txt": "", ".git/x.mesh": GROUP, ".hidden.mesh": GROUP}
    written(tmp_path, dict(files))
    for reader in (DiskReader(tmp_path), MemoryReader(files)):
        program, diagnostics = load((".",), reader)
        assert names(program) == ["a/z.mesh", "b.mesh"]
        assert diagnostics == ()


def test_files_are_read_once_however_often_they_are_named(tmp_path: Path) -> None:
    written(tmp_path, {"a/b.mesh": GROUP})
    program, diagnostics = load(("a", "a/b.mesh", "./a//b.mesh", "."), DiskReader(tmp_path))
    assert names(program) == ["a/b.mesh"]
    assert diagnostics == ()


def test_a_file_that_is_named_needs_no_suffix_and_paths_are_relative(tmp_path: Path) -> None:
    written(tmp_path, {"policy.txt": GROUP})
    program, diagnostics = load((str(tmp_path / "policy.txt"),), DiskReader(tmp_path))
    assert names(program) == ["policy.txt"]
    assert diagnostics == ()


def test_a_byte_order_mark_says_nothing(tmp_path: Path) -> None:
    written(tmp_path, {"a.mesh": b"\xef\xbb\xbf" + GROUP.encode()})
    program, diagnostics = load((".",), DiskReader(tmp_path))
    assert diagnostics == ()
    assert len(program.files[0].statements) == 1


def test_what_cannot_be_read_is_told_and_the_rest_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "LARGEST_FILE", 1000)
    written(tmp_path, {"good.mesh": GROUP, "latin.mesh": "group g = a\n# caf\xe9".encode("latin-1")})
    written(tmp_path, {"large.mesh": "#" * 1001, "empty/readme.txt": ""})
    os.mkfifo(tmp_path / "pipe.mesh")
    program, diagnostics = load((".", "nothing", "empty"), DiskReader(tmp_path))
    assert names(program) == ["good.mesh"]
    assert sorted(told(diagnostics)) == [
        "MSH080 pipe.mesh",
        "MSH081 latin.mesh",
        "MSH082 empty",
        "MSH083 large.mesh",
        "MSH084 nothing",
    ]
    assert "line 2" in next(one.message for one in diagnostics if one.code.id == "MSH081")
    assert "0xE9" in next(one.message for one in diagnostics if one.code.id == "MSH081")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_told(tmp_path: Path) -> None:
    written(tmp_path, {"a.mesh": GROUP})
    (tmp_path / "a.mesh").chmod(0)
    _, diagnostics = load((".",), DiskReader(tmp_path))
    assert told(diagnostics) == ["MSH080 a.mesh"]


def test_links_stay_inside_the_program(tmp_path: Path) -> None:
    outside = written(tmp_path / "outside", {"secret.mesh": GROUP})
    inside = written(tmp_path / "inside", {"a.mesh": GROUP, "deep/b.mesh": GROUP})
    (inside / "out.mesh").symlink_to(outside / "secret.mesh")
    (inside / "away").symlink_to(outside)
    (inside / "again.mesh").symlink_to(inside / "a.mesh")
    (inside / "deep" / "loop").symlink_to(inside)
    (inside / "nowhere.mesh").symlink_to(inside / "gone")
    program, diagnostics = load(("inside",), DiskReader(tmp_path))
    assert len(names(program)) == 2
    assert all(one.code.id == "MSH085" for one in diagnostics)
    assert {one.primary.source.path for one in diagnostics} == {
        "inside/out.mesh",
        "inside/away",
        "inside/deep/loop",
        "inside/nowhere.mesh",
    }


def test_a_program_of_too_many_files_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "MOST_FILES", 3)
    files = {f"{name}.mesh": GROUP for name in "abc"}
    program, diagnostics = load((".",), MemoryReader(files))
    assert (len(program.files), diagnostics) == (3, ())
    program, diagnostics = load((".",), MemoryReader(files | {"d.mesh": GROUP}))
    assert (program.files, program.incomplete) == ((), True)
    assert [one.message for one in diagnostics] == ["the program has 4 files, and more than 3 are not read"]


def test_a_program_that_is_too_large_in_all_is_read_up_to_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "LARGEST_PROGRAM", 2 * len(GROUP))
    program, diagnostics = load((".",), MemoryReader({f"{name}.mesh": GROUP for name in "abcd"}))
    assert (names(program), program.incomplete) == (["a.mesh", "b.mesh"], True)
    assert told(diagnostics) == ["MSH086 c.mesh"]


def test_a_directory_of_too_many_things_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "MOST_ENTRIES", 5)
    written(tmp_path, {"a.mesh": GROUP, **{f"b/{number}.txt": "" for number in range(5)}})
    program, diagnostics = load((".",), DiskReader(tmp_path))
    assert (program.files, told(diagnostics)) == ((), ["MSH086 ."])


def test_directories_are_followed_so_deep_and_no_deeper(tmp_path: Path) -> None:
    depth = loader.DEEPEST_DIRECTORY
    written(tmp_path, {"d/" * depth + "a.mesh": GROUP})
    program, diagnostics = load((".",), DiskReader(tmp_path))
    assert (len(program.files), diagnostics) == (1, ())
    written(tmp_path, {"d/" * (depth + 1) + "b.mesh": GROUP})
    program, diagnostics = load((".",), DiskReader(tmp_path))
    assert (len(program.files), told(diagnostics)) == (1, ["MSH087 " + "d/" * depth + "d"])


def test_what_is_no_file_at_all_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.mesh").mkdir()
    (tmp_path / "null.mesh").symlink_to("/dev/null")
    (tmp_path / "itself.mesh").symlink_to("itself.mesh")
    _, diagnostics = load((".", "/dev/null", "/dev/zero"), DiskReader(tmp_path))
    assert sorted(told(diagnostics)) == [
        "MSH080 /dev/null",
        "MSH080 /dev/zero",
        "MSH085 itself.mesh",
        "MSH085 null.mesh",
    ]


def test_names_that_are_no_text_are_passed_over(tmp_path: Path) -> None:
    written(tmp_path, {"a.mesh": GROUP, "bell\a.mesh": GROUP})
    (tmp_path / os.fsdecode(b"\xff.mesh")).write_text(GROUP)
    program, diagnostics = load((".",), DiskReader(tmp_path))
    assert (names(program), diagnostics) == (["a.mesh"], ())


def test_odd_paths_do_not_raise(tmp_path: Path) -> None:
    _, diagnostics = load(("\0", "a\nb", "x" * 5000), DiskReader(tmp_path))
    assert [one.code.id for one in diagnostics] == ["MSH084"] * 3


@pytest.mark.parametrize(
    "broken",
    [
        'import kubernetes "manifests/" as k8s',
        "import kubernetes manifests/",
        "use webapp(shop /x)",
        "let shop = = 4s",
        "template shop {}",
    ],
)
def test_what_a_broken_statement_would_have_brought_is_not_missed_elsewhere(broken: str) -> None:
    text = (
        f'mesh m {{ trust-domain: "shop.example" }}\nservice web {{ port: 8080/http }}\n{broken}\n'
        "allow web -> shop : GET /x\nallow ingress -> web : GET /x\n"
    )
    result = compile_program((".",), MemoryReader({"a.mesh": text}))
    assert [one.primary.first.line for one in result.diagnostics] == [3]
