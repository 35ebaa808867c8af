"""A build leaves a whole bundle or changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import meshc_backends.bundle as bundle_module
from meshc_backends.build import BuildInput, build
from meshc_backends.bundle import read_bundle, verify_bundle
from meshc_backends.registry import plan
from support.bundles import NOW, build_small, codes, small_mesh, tree

TESTS = Path(__file__).resolve().parents[2]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_manifest_lists_every_file_truly(tmp_path: Path) -> None:
    out = tmp_path / "build"
    result = build_small(out)
    assert result.written
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["version"] == 1
    assert manifest["targets"] == ["certs", "sidecar"]
    assert manifest["mesh"] == "small"
    assert manifest["trust_domain"] == "test.example"
    assert manifest["program"].startswith("sha256:")
    files = tree(out)
    del files["manifest.json"]
    assert {entry["path"] for entry in manifest["files"]} == set(files)
    for entry in manifest["files"]:
        assert entry["sha256"] == hashlib.sha256(files[entry["path"]]).hexdigest()
        assert entry["size"] == len(files[entry["path"]])
        assert int(entry["mode"], 8) == mode(out / entry["path"])
    assert result.files == result.changed == len(files)


def test_only_the_owner_can_read_keys(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        build_small(tmp_path / "build")
    finally:
        os.umask(before)
    keys = list((tmp_path / "build").rglob("key.pem"))
    assert len(keys) == 2
    assert {mode(key) for key in keys} == {0o600}
    assert {mode(key.parent) for key in keys} == {0o700}
    assert mode(tmp_path / "build" / "sidecar" / "web.json") == 0o644
    assert mode(tmp_path / "build" / "sidecar") == 0o755


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    out = tmp_path / "build"
    build_small(out)
    first = tree(out)
    again = build_small(out)
    assert tree(out) == first
    assert (again.changed, again.removed) == (0, 0)
    build_small(tmp_path / "one", "sidecar")
    build_small(tmp_path / "two", "sidecar")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_a_bundle_is_exactly_the_last_build(tmp_path: Path) -> None:
    out = tmp_path / "build"
    build_small(out, names=("api", "extra", "web"))
    kept = (out / "certs" / "web" / "key.pem").read_bytes()
    result = build_small(out)
    assert not (out / "sidecar" / "extra.json").exists()
    assert not (out / "certs" / "extra").exists()
    assert (out / "certs" / "web" / "key.pem").read_bytes() == kept
    assert (result.changed, result.removed) == (0, 4)
    result = build_small(out, "sidecar", path="/v2/**")
    assert result.dropped_targets == ("certs",)
    assert not (out / "certs").exists()
    assert result.changed == 1  # of two snapshots, that of the callee


def test_kubernetes_brings_what_it_needs() -> None:
    chosen, added = plan(["kubernetes"])
    assert [target.name for target in chosen] == ["certs", "envoy", "kubernetes"]
    assert added == ("certs", "envoy")
    chosen, added = plan(["kubernetes", "sidecar"])
    assert [target.name for target in chosen] == ["certs", "sidecar", "kubernetes"]
    assert added == ("certs",)
    assert plan(["envoy"])[1] == ()


def test_a_file_edited_by_hand_is_put_right_and_counted(tmp_path: Path) -> None:
    out = tmp_path / "build"
    build_small(out)
    before = tree(out)
    (out / "sidecar" / "web.json").write_text("{}")
    result = build_small(out)
    assert (result.changed, result.removed) == (1, 0)
    assert tree(out) == before


def test_a_directory_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "build"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    result = build_small(out)
    assert (result.written, codes(result)) == (False, ["MSH860"])
    assert tree(out) == {"thesis.txt": b"years of work"}
    assert [path.name for path in tmp_path.iterdir()] == ["build"]


@pytest.mark.parametrize("place", [".", "authority", "certs/../deep/authority"])
def test_an_authority_inside_the_output_would_be_lost_and_is_refused(tmp_path: Path, place: str) -> None:
    out = tmp_path / "build"
    source = BuildInput(program="0" * 64, compiler="0", tests=(0, 0), authority=out / place, now=NOW)
    assert codes(build(small_mesh(), ("certs",), out, source)) == ["MSH866"]
    assert not out.exists()


def test_a_file_of_somebody_else_inside_a_bundle_is_not_removed(tmp_path: Path) -> None:
    out = tmp_path / "build"
    build_small(out)
    (out / "sidecar" / "notes.txt").write_text("mine")
    before = tree(out)
    result = build_small(out, path="/v2/**")
    assert codes(result) == ["MSH860"]
    assert "sidecar/notes.txt" in result.diagnostics[0].message
    assert tree(out) == before


def test_an_empty_directory_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    assert build_small(tmp_path / "build").written


@pytest.mark.parametrize("kind", ["file", "link", "dangling", "fifo"])
def test_what_is_no_directory_stays(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "build"
    (tmp_path / "elsewhere").mkdir()
    if kind == "file":
        out.write_text("mine")
    elif kind == "fifo":
        os.mkfifo(out)
    else:
        out.symlink_to(tmp_path / ("elsewhere" if kind == "link" else "nowhere"))
    before = out.lstat()
    result = build_small(out)
    assert (result.written, codes(result)) == (False, ["MSH861"])
    assert out.lstat().st_ino == before.st_ino
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("place", ["/proc/meshc/build", "/proc/build", "file/build"])
def test_a_place_that_cannot_be_written_is_a_finding(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("mine")
    result = build_small(tmp_path / place, "sidecar")
    assert (result.written, codes(result)) == (False, ["MSH862"])
    assert tree(tmp_path) == {"file": b"mine"}


def test_parents_are_made_and_taken_back_if_nothing_is_written(tmp_path: Path) -> None:
    assert build_small(tmp_path / "a" / "b" / "build").written
    too_long = "n" * 250  # no room is left for the temporary name beside it
    assert not build_small(tmp_path / "c" / "d" / too_long, "sidecar").written
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("name", [".", "sub/.."])
def test_the_working_directory_can_be_the_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    out = tmp_path / "here"
    build_small(out, "sidecar")
    (out / "sidecar" / "sub").mkdir()
    monkeypatch.chdir(out / ("sidecar" if ".." in name else ""))
    result = build_small(Path(name), "sidecar", path="/v9/**")
    if name == ".":
        assert result.written
        assert b"/v9/" in (tmp_path / "here" / "sidecar" / "api.json").read_bytes()
    else:
        assert codes(result) == ["MSH860"]


def test_a_full_disk_leaves_the_old_bundle_whole(tmp_path: Path) -> None:
    out = tmp_path / "build"
    build_small(out, "sidecar")
    before = tree(tmp_path)
    script = (
        "import resource, sys; from pathlib import Path; from support.bundles import build_small, codes\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))\n"
        "result = build_small(Path(sys.argv[1]), 'sidecar', path='/v2/**')\n"
        "print(result.written, codes(result))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(out)], capture_output=True, text=True, cwd=TESTS, check=True
    )
    assert done.stdout == "False ['MSH862']\n"
    assert tree(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["build"]


def test_a_build_that_is_killed_leaves_one_whole_bundle(tmp_path: Path) -> None:
    out = tmp_path / "build"
    build_small(out, "sidecar")
    script = (
        "import sys; from pathlib import Path; from support.bundles import build_small\n"
        "print('ready', flush=True)\n"
        "for n in range(100_000): build_small(Path(sys.argv[1]), 'sidecar', path=f'/v{n % 2}/**')\n"
    )
    for pause in (0.0, 0.003, 0.011, 0.023, 0.05):
        child = subprocess.Popen([sys.executable, "-c", script, str(out)], stdout=subprocess.PIPE, cwd=TESTS)
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(pause)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        whole, problems = read_bundle(out)
        assert whole is not None, problems
        assert verify_bundle(whole) == ()
    assert build_small(out, "sidecar").written
    assert [path.name for path in tmp_path.iterdir()] == ["build"]


def test_what_a_killed_build_left_is_put_right(tmp_path: Path) -> None:
    out = tmp_path / "build"
    build_small(out, "sidecar")
    before = tree(out)
    out.rename(tmp_path / ".build.meshc-abc.old")  # killed between the two renames
    (tmp_path / ".build.meshc-abc.new").mkdir()
    result = build_small(out, "sidecar")
    assert (result.changed, result.removed) == (0, 0)
    assert tree(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["build"]


def test_without_an_exchange_in_one_step_two_renames_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "build"
    build_small(out, "sidecar")
    monkeypatch.setattr(bundle_module, "_exchange", lambda new, out: False)
    assert build_small(out, "sidecar", path="/v2/**").changed == 1
    assert [path.name for path in tmp_path.iterdir()] == ["build"]


def test_builds_at_the_same_time_take_turns(tmp_path: Path) -> None:
    out = tmp_path / "build"
    script = (
        "import sys; from pathlib import Path; from support.bundles import build_small\n"
        "for n in range(10): assert build_small(Path(sys.argv[1]), 'sidecar', path=f'/{sys.argv[2]}{n}/**').written\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", script, str(out), name], cwd=TESTS) for name in "ab"]
    assert [child.wait() for child in running] == [0, 0]
    whole, _ = read_bundle(out)
    assert whole is not None
    assert verify_bundle(whole) == ()
    assert [path.name for path in tmp_path.iterdir()] == ["build"]


def test_verify_notices_every_kind_of_damage(tmp_path: Path) -> None:
    out = tmp_path / "build"
    build_small(out)
    whole, _ = read_bundle(out)
    assert whole is not None
    assert verify_bundle(whole) == ()
    (out / "sidecar" / "web.json").write_text("{}")
    (out / "sidecar" / "api.json").unlink()
    (out / "certs" / "web" / "key.pem").chmod(0o644)
    (out / "extra").symlink_to("/")
    told = {(d.primary.source.path.removeprefix(f"{out}/"), d.message.split(":")[0]) for d in verify_bundle(whole)}
    assert told == {
        ("sidecar/web.json", "a file of the bundle was changed after the build"),
        ("sidecar/api.json", "a file of the bundle cannot be read"),
        ("certs/web/key.pem", "a secret file is open to others"),
        ("extra", "a file that the manifest does not list lies in the bundle"),
    }


def test_a_manifest_that_is_none_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"version": 2}')
    whole, problems = read_bundle(tmp_path)
    assert whole is None
    assert [problem.code.id for problem in problems] == ["MSH863"]
    assert read_bundle(tmp_path / "nothing")[1][0].code.id == "MSH860"
