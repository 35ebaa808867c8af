"""A build with a cache, or in several processes, is the build without, byte for byte, whatever lies in the cache."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshc_backends import artifact_cache, workers
from meshc_backends.artifact import Artifact
from meshc_backends.artifact_cache import ArtifactCache, open_cache, user_secret
from meshc_backends.build import BuildInput, build, emit
from meshc_backends.registry import plan
from meshc_backends.workers import work_on
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_lang.diagnostic import Diagnostic
from support.bundles import NOW, tree
from support.correct_programs import CorrectProgram, correct_programs
from support.program_changes import edited, meshes_of, without_promises

TARGETS, _ = plan(("envoy", "sidecar"))


@pytest.fixture(autouse=True)
def _own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))


def source(cache: Path | None, processes: int = 1) -> BuildInput:
    return BuildInput(
        program="0" * 64,
        compiler="0.0.0",
        tests=(0, 0),
        authority=Path("unused"),
        now=NOW,
        cache=cache,
        processes=processes,
    )


def emitted(
    index: MeshIndex, cache: Path | None, processes: int = 1
) -> tuple[tuple[Artifact, ...], tuple[Diagnostic, ...]]:
    made = emit(index, TARGETS, source(cache, processes), None)
    return made.artifacts, made.diagnostics


def compiled(text: str) -> MeshIndex:
    result = compile_program(("b.mesh",), MemoryReader({"b.mesh": text}))
    assert result.index is not None, result.diagnostics
    return result.index


def generate(services: int, rules: int, seed: int = 1) -> str:
    """Return a program in which each service may be called by three others."""
    dice = random.Random(seed)
    lines = ['mesh many { trust-domain: "many.example" }', "defaults mesh { timeout: 5s }"]
    for number in range(services):
        lines.append(f"service s{number} {{ port: 8080/http, versions: [v1, v2] }}")
        for caller in sorted({dice.randrange(services) for _ in range(3)} - {number} or {(number + 1) % services}):
            paths = ", ".join(f"/p{dice.randrange(99)}/{rule}" for rule in range(rules))
            lines.append(f"allow s{caller} -> s{number} : GET {paths}")
        lines.append(f"route s{number} {{ /p1/** => v1 90%, v2 10% as canary }}")
    return "\n".join(lines) + "\n"


def entries(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if len(path.name) == 64]


@given(data=st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_builds_of_a_program_that_is_edited_again_and_again_are_never_stale(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.mktemp("cached") / "cache"
    program: CorrectProgram = without_promises(data.draw(correct_programs()))
    for _ in range(4):
        meshes = meshes_of(program.text)
        if meshes is not None:
            (index,) = meshes.values()
            assert emitted(index, cache) == emitted(index, None)
            assert emitted(index, cache) == emitted(index, None)
        program = data.draw(edited(program))


def test_an_edit_makes_anew_what_it_touches_and_takes_the_rest_from_the_cache(tmp_path: Path) -> None:
    text = generate(12, rules=4)
    emitted(compiled(text), tmp_path / "cache")
    before = {path.name for path in entries(tmp_path / "cache")}
    assert len(before) == 24
    emitted(compiled(text.replace("timeout: 5s", "timeout: 5s", 1)), tmp_path / "cache")
    assert {path.name for path in entries(tmp_path / "cache")} == before
    changed = text + "allow s3 -> s7 : GET /edited\n"
    assert emitted(compiled(changed), tmp_path / "cache") == emitted(compiled(changed), None)
    new = {path.name for path in entries(tmp_path / "cache")} - before
    assert 2 <= len(new) <= 4  # the callee's two files, and the caller's if it could not call before


@pytest.mark.parametrize("damage", ["cut", "bit", "swapped", "empty", "folder", "link"])
def test_an_entry_that_no_build_of_this_user_wrote_is_as_if_it_were_not_there(tmp_path: Path, damage: str) -> None:
    index, cache = compiled(generate(6, rules=3)), tmp_path / "cache"
    expected = emitted(index, cache)
    first, *rest = entries(cache)
    for path in (first, *rest):
        content = path.read_bytes()
        match damage:
            case "cut":
                path.write_bytes(content[:-5])
            case "bit":
                path.write_bytes(content[:60] + bytes([content[60] ^ 1]) + content[61:])
            case "swapped":
                path.write_bytes(first.read_bytes() if path is not first else rest[0].read_bytes())
            case "empty":
                path.write_bytes(b"")
            case "folder":
                path.unlink()
                path.mkdir()
            case _:
                path.rename(tmp_path / path.name)
                path.symlink_to(tmp_path / path.name)
    assert emitted(index, cache) == expected


def test_a_cache_that_came_with_somebody_elses_project_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, cache = compiled(generate(4, rules=3)), tmp_path / "cache"
    expected = emitted(index, cache)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "stranger"))
    stranger = open_cache(cache, NOW.timestamp())
    assert stranger is not None
    for path in entries(cache):
        stranger.put(path.name, b"{}\n")  # as well formed as can be, but sealed with another key
        assert stranger.get(path.name) == b"{}\n"
    stranger.close()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert emitted(index, cache) == expected


def test_the_folder_is_the_users_alone_and_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, cache = compiled(generate(4, rules=3)), tmp_path / ".meshc" / "cache"
    expected = emitted(index, cache)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in cache.iterdir()} == {0o600}
    assert (cache / ".gitignore").read_text() == "*\n"
    cache.chmod(0o777)
    assert emitted(index, cache) == expected
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert emitted(index, tmp_path / "link") == expected
    assert list((tmp_path / "elsewhere").iterdir()) == []
    key = tmp_path / "home" / "meshc" / "cache.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.chmod(0o644)
    assert user_secret() is None
    assert emitted(index, cache) == expected
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nothing")
    assert open_cache(cache, 0.0) is None
    assert emitted(index, cache) == expected


def test_what_was_not_used_for_longest_is_dropped_when_there_is_no_room(tmp_path: Path) -> None:
    tmp_path.joinpath("cache").mkdir()
    handle = os.open(tmp_path / "cache", os.O_RDONLY)
    cache = ArtifactCache(handle, b"k" * 32, now=10_000_000.0, room=4_000)
    keys = [cache.key("target", str(number)) for number in range(10)]
    for age, key in enumerate(reversed(keys)):
        cache.put(key, os.urandom(700))
        when = 9_000_000.0 - age * 200_000
        os.utime(tmp_path / "cache" / key, (when, when))
    left = tmp_path / "cache" / f"{keys[0]}.77"
    left.write_bytes(b"left by a build that was killed")
    os.utime(left, (0, 0))
    assert cache.get(keys[2]) is not None  # used just now
    cache.tidy()
    kept = {path.name for path in entries(tmp_path / "cache")}
    assert keys[2] in kept
    assert 4 <= len(kept) <= 5
    assert kept - {keys[2]} == set(keys[10 - len(kept) + 1 :])
    assert not left.exists()
    cache.close()


def test_what_other_code_made_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, cache = compiled(generate(4, rules=3)), tmp_path / "cache"
    emitted(index, cache)
    before = len(entries(cache))
    monkeypatch.setattr(artifact_cache, "code_fingerprint", lambda: "of another version")
    emitted(index, cache)
    assert len(entries(cache)) == 2 * before
    module = tmp_path / "package" / "inner" / "module.py"
    module.parent.mkdir(parents=True)
    module.write_text("x = 1\n")
    told = artifact_cache._sources(str(tmp_path / "package"), "")
    module.write_text("x = 12\n")
    assert artifact_cache._sources(str(tmp_path / "package"), "") != told


def _build_in(folder: Path, text: str) -> None:
    build(compiled(text), ("envoy", "sidecar"), folder / "build", source(folder.parent / "cache"))


def test_builds_at_the_same_time_share_a_cache(tmp_path: Path) -> None:
    texts = [generate(8, rules=4, seed=number % 2) for number in range(4)]
    fork = multiprocessing.get_context("fork")
    running = [fork.Process(target=_build_in, args=(tmp_path / str(n), text)) for n, text in enumerate(texts)]
    for one in running:
        one.start()
    for one in running:
        one.join()
        assert one.exitcode == 0
    for number, text in enumerate(texts):
        alone = {artifact.path: artifact.content for artifact in emitted(compiled(text), None)[0]}
        assert {
            path: content for path, content in tree(tmp_path / str(number) / "build").items() if "/" in path
        } == alone


def test_several_processes_make_the_same_files_and_find_the_same(tmp_path: Path) -> None:
    index = compiled(generate(60, rules=3))
    assert emitted(index, None, 3) == emitted(index, None, 1)
    assert emitted(index, tmp_path / "cache", 2) == emitted(index, tmp_path / "cache", 3) == emitted(index, None)
    lines = generate(60, rules=3) + "edge s1 -> s3 { timeout: 1500us }\nallow s1 -> s3 : GET /x\n"
    broken = compiled(lines)
    found = emitted(broken, None, 1)[1]
    assert found
    assert emitted(broken, None, 2) == emitted(broken, None, 1)


def _dies(number: int) -> bytes | None:
    if os.getpid() != _dies.parent and number == 41:  # type: ignore[attr-defined]
        os.kill(os.getpid(), signal.SIGKILL)
    return str(number).encode()


def test_what_a_worker_did_not_finish_is_left_for_the_one_who_asked() -> None:
    _dies.parent = os.getpid()  # type: ignore[attr-defined]
    results = work_on(range(100), _dies, 2)
    assert results[::2] == [str(number).encode() for number in range(0, 100, 2)]
    assert set(results[1::2]) - {None} <= {str(number).encode() for number in range(1, 100, 2)}
    assert results[41] is None


def test_an_exception_is_that_of_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(number: int) -> bytes | None:
        if number == 50:
            raise ValueError("fifty")
        return b""

    with pytest.raises(ValueError, match="fifty"):
        work_on(range(100), broken, 2)
    assert work_on(range(100), lambda number: None if number == 51 else b"x", 2)[51] is None
    monkeypatch.setattr(sys, "platform", "darwin")
    assert workers.processors() == 1


def test_files_that_stay_as_they_were_are_taken_over_unless_somebody_changed_them(tmp_path: Path) -> None:
    index, out = compiled(generate(4, rules=3)), tmp_path / "build"
    build(index, ("envoy",), out, source(None))
    one, two, three, four = sorted((out / "envoy").iterdir())[:4]
    inodes = {path.name: path.stat().st_ino for path in (one, two, three, four)}
    two.write_text("{}")
    three.chmod(0o666)
    os.link(four, tmp_path / "kept by somebody")
    result = build(index, ("envoy",), out, source(None))
    assert (result.written, result.changed) == (True, 1)
    assert one.stat().st_ino == inodes[one.name]
    for path in (two, three, four):
        assert path.stat().st_ino != inodes[path.name]
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert two.read_text() != "{}"
