"""The command keeps its bytecode in one file: never an old one, and never needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.meshc_command import ROOT

WINGS = ("cli/meshc", "lang/meshc_lang", "compiler/meshc_compiler", "backends/meshc_backends", "runtime/meshc_runtime")
PROGRAM = (
    'mesh shop { trust-domain: "shop.example" }\nservice web { port: 8080/http }\nallow ingress -> web : GET /**\n'
)
CLEAN = "mesh shop: 1 service, 1 rule, 0 asserts proved; no findings\n"
TAKEN = (
    "import sys; from meshc import start; start.put_off(); from meshc.module_pack import use_pack; use_pack()\n"
    "import meshc_compiler.pipeline as p; print(type(p.__loader__).__name__)"
)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a copy of the packages, that the tests may change."""
    folder = tmp_path_factory.mktemp("copy")
    for wing in WINGS:
        shutil.copytree(ROOT / wing, folder / Path(wing).name, ignore=shutil.ignore_patterns("*.pyc", "*.pack"))
    (folder / "one.mesh").write_text(PROGRAM)
    return folder


def python(folder: Path, *arguments: str, **environment: str) -> str:
    """Run Python with the copy in the place of the packages; return what it printed."""
    around = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**around, "PYTHONPATH": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def check(folder: Path, **environment: str) -> str:
    return python(folder, "-m", "meshc", "check", "one.mesh", **environment)


def pack_of(folder: Path) -> Path:
    return folder / "meshc" / "__pycache__" / f"meshc.{sys.implementation.cache_tag}.pack"


def test_modules_are_taken_from_the_pack_after_the_first_run(copied: Path) -> None:
    assert check(copied) == CLEAN
    assert pack_of(copied).exists()
    assert python(copied, "-c", TAKEN) == "_PackedLoader\n"
    before = pack_of(copied).stat().st_ino
    assert check(copied) == CLEAN
    assert pack_of(copied).stat().st_ino == before


def test_a_module_that_changed_is_read_anew_and_packed_again(copied: Path) -> None:
    check(copied)
    source = copied / "meshc" / "checking.py"
    text = source.read_text()
    source.write_text(text.replace("; no findings", "; nothing found"))
    try:
        for _ in range(2):
            assert check(copied) == CLEAN.replace("no findings", "nothing found")
    finally:
        source.write_text(text)
    assert check(copied) == CLEAN


@pytest.mark.parametrize("damage", [b"", b"meshc modules 1\n", b"\xff" * 4000])
def test_a_pack_that_is_none_is_done_without_and_replaced(copied: Path, damage: bytes) -> None:
    check(copied)
    whole = pack_of(copied).read_bytes()
    pack_of(copied).write_bytes(damage)
    assert check(copied) == CLEAN
    assert len(pack_of(copied).read_bytes()) > len(whole) // 2


def test_a_pack_with_a_wrong_bit_anywhere_is_done_without(copied: Path) -> None:
    check(copied)
    whole = pack_of(copied).read_bytes()
    for place in range(7, len(whole), len(whole) // 6):
        pack_of(copied).write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        assert check(copied, PYTHONDONTWRITEBYTECODE="1") == CLEAN


def test_nothing_is_written_where_python_may_not_write_bytecode(copied: Path) -> None:
    pack_of(copied).unlink(missing_ok=True)
    assert check(copied, PYTHONDONTWRITEBYTECODE="1") == CLEAN
    assert check(copied, PYTHONPYCACHEPREFIX=str(copied / "elsewhere")) == CLEAN
    assert not pack_of(copied).exists()


def test_what_isput_off_is_there_when_it_is_asked_for() -> None:
    script = (
        "from meshc import start; start.put_off()\n"
        "import inspect, platform, sys\n"
        "assert 'ast' not in sys.modules\n"
        "assert inspect.cleandoc(' one line ') == 'one line '\n"
        "assert inspect.cleandoc('a\\n  b\\n    c\\n') == 'a\\nb\\n  c'\n"
        "assert inspect.signature(start.run).parameters == {}\n"
        "assert platform.system() == 'Linux' if sys.platform == 'linux' else platform.system()\n"
        "assert platform.python_version().startswith('3.')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
