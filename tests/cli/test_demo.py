"""The demonstration shows what is so, and fails when it is not."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path

from support.meshc_command import COMMAND, ROOT, alive, descendants, run

EXAMPLES = ROOT / "examples"


def test_the_demonstration_runs_and_everything_is_as_the_programs_say(tmp_path: Path) -> None:
    done = run("demo", EXAMPLES, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for title in ("allowed", "denied", "identified", "split", "retried", "timed out", "limited"):
        assert f"\n{title}   " in done.stdout
    assert "✗" not in done.stdout
    assert "All as the program says." in done.stdout
    assert (tmp_path / ".meshc" / "demo" / "boutique" / "manifest.json").exists()
    assert not (tmp_path / ".meshc" / "demo" / "up" / "secrets").exists()


def test_a_demonstration_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    output = tmp_path / "output.txt"
    with output.open("wb") as file:
        demo = subprocess.Popen([*COMMAND, "demo", str(EXAMPLES)], stdout=file, stderr=file, cwd=tmp_path)
    end = time.monotonic() + 60
    while b"sidecars with mutual TLS" not in output.read_bytes() and time.monotonic() < end:
        time.sleep(0.05)
    below = descendants(demo.pid)
    assert len(below) == 11
    demo.send_signal(signal.SIGTERM)
    assert demo.wait(timeout=60) == 130
    assert not alive(below)
    assert not (tmp_path / ".meshc" / "demo" / "up" / "secrets").exists()


def test_a_mesh_that_does_otherwise_is_noticed(tmp_path: Path) -> None:
    examples = tmp_path / "examples"
    shutil.copytree(EXAMPLES, examples)
    shop = examples / "shop" / "shop.mesh"
    text = shop.read_text()
    assert "v1 90%, v2 10%" in text
    shop.write_text(text.replace("v1 90%, v2 10%", "v1 10%, v2 90%").replace("GET|HEAD /**", "GET /x"))
    done = run("demo", cwd=tmp_path)
    assert done.returncode == 1
    assert "2 of these are not as the program says" in done.stdout
    assert done.stdout.count("✗") == 2
