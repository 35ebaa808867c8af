"""`--watch`: a verb runs again when a file changes, whatever happens to the files, and ends on Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from meshc.watching import state_of
from support.meshc_command import COMMAND, invoke

GOOD = (
    'mesh shop { trust-domain: "shop.example" }\nservice web {}\nservice api { port: 80/http }\n'
    "allow web -> api : GET /x\n"
    'test "t" { web -> api GET /x is allowed }\n'
)
BAD = GOOD.replace("allow web", "allow wbe")


class Watching:
    """A watching `meshc` as a process, its output read as it comes."""

    def __init__(self, output: Path, process: subprocess.Popen[bytes]) -> None:
        self.output = output
        self.process = process
        self.read = 0

    def wait_for(self, pattern: str) -> str:
        """Wait until something new in the output matches, and return what came up to there."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            text = self.output.read_text(encoding="utf-8", errors="replace")
            found = re.compile(pattern).search(text, self.read)
            if found is not None:
                begun, self.read = self.read, found.end()
                return text[begun : found.end()]
            assert self.process.poll() is None, text
            time.sleep(0.02)
        raise AssertionError(f"{pattern} did not come: {self.output.read_text()}")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)


@contextmanager
def watching(cwd: Path, *arguments: str, stderr: int | None = None) -> Iterator[Watching]:
    output = cwd.parent / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen([*COMMAND, *arguments], stdout=file, stderr=stderr or subprocess.STDOUT, cwd=cwd)
    try:
        yield Watching(output, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "program"
    place.mkdir()
    (place / "shop.mesh").write_text(GOOD)
    return place


def test_check_runs_again_on_every_kind_of_change(folder: Path) -> None:
    with watching(folder, "check", "--watch") as watch:
        first = watch.wait_for("Ctrl-C ends")
        assert first == "mesh shop: 1 service, 1 rule, 0 asserts proved; no findings\nwatching 1 file; Ctrl-C ends"

        (folder / "shop.mesh").write_text(BAD)
        told = watch.wait_for("Ctrl-C ends")
        assert re.match(r"\n\d\d:\d\d:\d\d shop\.mesh changed\nerror\[MSH101\]", told)

        replacement = folder.parent / "new.mesh"  # as editors save: a new file in the place of the old one
        replacement.write_text(GOOD)
        replacement.replace(folder / "shop.mesh")
        assert "no findings" in watch.wait_for("Ctrl-C ends")

        (folder / "sub").mkdir()
        (folder / "sub" / "more.mesh").write_text("servce x {}\n")
        told = watch.wait_for("Ctrl-C ends")
        assert "sub/more.mesh is new" in told
        assert "error[MSH001]" in told
        assert "watching 2 files" in told

        (folder / "sub" / "more.mesh").unlink()
        assert "sub/more.mesh is gone" in watch.wait_for("no findings")
        watch.wait_for("Ctrl-C ends")

        (folder / "shop.mesh").write_bytes(b"\xff\xfe")
        watch.wait_for(r"error\[MSH081\][^$]*Ctrl-C ends")

        (folder / "shop.mesh").unlink()
        assert "watching 0 files" in watch.wait_for(r"error\[MSH082\][^$]*Ctrl-C ends")

        (folder / "shop.mesh").write_text(GOOD)
        watch.wait_for("no findings\n.*Ctrl-C ends")
        assert watch.stop() == 130
        assert "Traceback" not in watch.output.read_text()


def test_a_directory_may_go_and_come_back(folder: Path) -> None:
    with watching(folder.parent, "check", "program", "--watch") as watch:
        watch.wait_for("no findings\n.*Ctrl-C ends")
        folder.rename(folder.parent / "away")
        watch.wait_for(r"error\[MSH084\][^$]*Ctrl-C ends")
        (folder.parent / "away").rename(folder)
        watch.wait_for("no findings\n.*Ctrl-C ends")
        assert watch.stop() == 130


def test_a_file_behind_a_link_is_seen(folder: Path) -> None:
    (folder / "shop.mesh").rename(folder.parent / "real.mesh")
    (folder / "shop.mesh").symlink_to("../real.mesh")
    with watching(folder, "check", "shop.mesh", "--watch") as watch:
        watch.wait_for("no findings\n.*Ctrl-C ends")
        (folder.parent / "real.mesh").write_text(BAD)
        watch.wait_for(r"shop\.mesh changed\nerror\[MSH101\]")
        assert watch.stop() == 130


def test_test_runs_again(folder: Path) -> None:
    with watching(folder, "test", "--watch") as watch:
        watch.wait_for("1 case, all as expected\n.*Ctrl-C ends")
        (folder / "shop.mesh").write_text(GOOD.replace("GET /x is", "GET /y is"))
        watch.wait_for("1 case, 1 failed\n.*Ctrl-C ends")
        (folder / "shop.mesh").write_text(BAD)
        watch.wait_for(r"error\[MSH101\][^$]*Ctrl-C ends")
        assert watch.stop() == 130


@pytest.mark.parametrize(("verb", "key"), [("check", "findings"), ("test", "cases")])
def test_json_is_a_line_for_each_run(folder: Path, verb: str, key: str) -> None:
    with watching(folder, verb, "--watch", "--format", "json", stderr=subprocess.PIPE) as watch:
        assert key in json.loads(watch.wait_for("\n"))
        (folder / "shop.mesh").write_text(BAD)
        assert json.loads(watch.wait_for("\n"))["findings"][0]["code"] == "MSH101"
        assert watch.stop() == 130


def test_a_terminal_is_cleared_before_each_run(folder: Path) -> None:
    reader, writer = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "check", "--watch"], stdout=writer, stderr=writer, cwd=folder, env={**os.environ, "TERM": "xterm"}
    )
    os.close(writer)
    shown = b""
    try:
        while b"Ctrl-C" not in shown:
            shown += os.read(reader, 4096)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        os.close(reader)
    assert shown.startswith(b"\x1b[2J\x1b[3J\x1b[H")


def test_what_is_looked_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "sub").mkdir()
    (folder / "sub" / "a.mesh").write_text("")
    (folder / "sub" / "circle").symlink_to("..")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "b.mesh").write_text("")
    (folder / "notes.txt").write_text("")
    (folder / "broken.mesh").symlink_to("nowhere")
    assert set(state_of((".", "gone"))) == {"shop.mesh", "sub/a.mesh", "broken.mesh", "gone"}
    assert {path for path, one in state_of((".", "gone")).items() if one is None} == {"broken.mesh", "gone"}


@pytest.mark.parametrize("form", ["sarif", "github", "junit", "gitlab"])
@pytest.mark.parametrize("verb", ["check", "test"])
def test_formats_of_one_document_are_refused(verb: str, form: str) -> None:
    result = invoke(verb, "--watch", "--format", form)
    assert result.exit_code == 2
    assert f"`--watch` goes with `--format text` or `json`, not `{form}`" in result.output


@pytest.mark.parametrize("option", ["--fix", "--diff"])
def test_what_changes_files_is_not_watched(option: str) -> None:
    result = invoke("check", "--watch", option)
    assert result.exit_code == 2
    assert f"`--watch` and `{option}` do not go together" in result.output


def test_what_a_program_imports_is_watched_too(folder: Path) -> None:
    manifests = folder / "manifests"
    manifests.mkdir()
    service = (
        "apiVersion: v1\nkind: Service\nmetadata: {name: NAME}\n"
        "spec: {selector: {app: NAME}, ports: [{name: http, port: 80}]}\n"
    )
    (manifests / "cart.yaml").write_text(service.replace("NAME", "cart"))
    (folder / "shop.mesh").write_text(
        'mesh shop { trust-domain: "shop.example" }\nservice web {}\nimport kubernetes "manifests/"\n'
        "allow web -> cart : GET /x\n"
    )
    with watching(folder, "check", "shop.mesh", "--watch") as watch:
        watch.wait_for("no findings\n.*Ctrl-C ends")
        (manifests / "cart.yaml").write_text(service.replace("NAME", "basket"))
        told = watch.wait_for(r"error\[MSH101\][^$]*Ctrl-C ends")
        assert "manifests/cart.yaml changed" in told
        (manifests / "more.yaml").write_text(service.replace("NAME", "cart"))
        assert "manifests/ changed" in watch.wait_for("Ctrl-C ends")
        assert watch.stop() == 130


def test_an_overlay_may_go_and_come_back(folder: Path) -> None:
    with_overlay = GOOD + 'overlay staging { deny any -> api : POST /** because "not here" }\n'
    (folder / "shop.mesh").write_text(with_overlay)
    with watching(folder, "check", "--overlay", "staging", "--watch") as watch:
        watch.wait_for("Ctrl-C ends")
        (folder / "shop.mesh").write_text(GOOD)
        watch.wait_for("there is no overlay `staging`[^$]*Ctrl-C ends")
        (folder / "shop.mesh").write_text(with_overlay)
        assert "there is no" not in watch.wait_for("Ctrl-C ends")
        assert watch.stop() == 130
