"""The proxy without the compiler: its own distribution, installed into a fresh environment, and its unit of systemd."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from meshc_runtime.snapshot import render_snapshot
from support.proxy_authority import ProxyAuthority
from support.proxy_mesh import caller, plain_cluster, route, service

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "runtime" / "systemd" / "meshc-proxy@.service"
NEEDS_NO = ("meshc", "lark", "jinja2", "kubernetes", "click", "yaml")


def project(path: Path) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads(path.read_text())["project"]
    return table


def test_it_is_the_proxy_of_this_version_of_the_compiler() -> None:
    whole, alone = project(ROOT / "pyproject.toml"), project(ROOT / "runtime" / "pyproject.toml")
    for name in ("version", "license", "requires-python"):
        assert alone[name] == whole[name]
    assert set(alone["dependencies"]) < set(whole["dependencies"])
    assert alone["scripts"]["meshc-proxy"] == whole["scripts"]["meshc-proxy"]
    assert (ROOT / "runtime" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def without_network(*arguments: str) -> None:
    """Run uv on what is at hand; skip where that is not enough."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    ended = subprocess.run([uv, *arguments, "--offline"], capture_output=True, text=True, timeout=300)
    if ended.returncode:
        missing = ("network was disabled", "no versions", "not found in the cache", "offline")
        if any(text in ended.stderr for text in missing):
            pytest.skip(f"wheels that it takes are not at hand: {ended.stderr.strip()[-300:]}")
        raise AssertionError(ended.stderr)


def test_it_is_built_installed_and_run_by_itself(tmp_path: Path) -> None:
    without_network("build", "--wheel", str(ROOT / "runtime"), "--out-dir", str(tmp_path / "dist"))
    (wheel,) = (tmp_path / "dist").glob("meshc_proxy-*.whl")
    without_network("venv", str(tmp_path / "venv"))
    python = tmp_path / "venv" / "bin" / "python"
    without_network("pip", "install", "--python", str(python), str(wheel))
    assert (tmp_path / "venv" / "share" / "meshc-proxy" / UNIT.name).read_bytes() == UNIT.read_bytes()
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    asked = f"import importlib.util as u; print([n for n in {NEEDS_NO!r} if u.find_spec(n)])"
    found = subprocess.run([python, "-c", asked], capture_output=True, text=True, env=clean, check=True)
    assert found.stdout.strip() == "[]"

    files = ProxyAuthority(tmp_path / "certs").issue("web")
    snapshot = tmp_path / "web.json"
    snapshot.write_text(render_snapshot(caller(files, [service([route("c")])], [plain_cluster("c", 1)])))
    command = str(tmp_path / "venv" / "bin" / "meshc-proxy")
    subprocess.run([command, "--check", str(snapshot)], env=clean, check=True, timeout=60)
    with subprocess.Popen([command, str(snapshot)], stderr=subprocess.PIPE, text=True, env=clean) as running:
        assert running.stderr is not None
        assert '"event": "ready"' in running.stderr.readline()
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_unit_of_systemd_is_one(tmp_path: Path) -> None:
    unit = tmp_path / "meshc-proxy@web.service"
    unit.write_bytes(UNIT.read_bytes())
    ended = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60)
    own = [line for line in ended.stderr.splitlines() if "meshc-proxy" in line]
    assert (ended.returncode, own) == (0, [])
