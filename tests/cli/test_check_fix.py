"""`meshc check --fix`: what is written, what is told, and what is left alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from meshc_compiler.fixing import fix_program
from support.meshc_command import invoke

HEAD = 'mesh shop { trust-domain: "shop.example" }\nservice web {}\nservice api { port: 80/http }\n'
KEPT = HEAD + "allow web -> api : /**\n"
REDUNDANT = KEPT + "allow web -> api : GET /x\n"
MISSPELT = KEPT + "assert only wbe -> api\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.mesh").write_text(REDUNDANT)
    return tmp_path


def test_safe_fixes_are_written_and_counted(folder: Path) -> None:
    (folder / "shop.mesh").chmod(0o640)
    result = invoke("check", "--fix")
    assert result.exit_code == 0
    assert result.stdout == (
        "fixed shop.mesh\nmesh shop: 1 service, 1 rule, 0 asserts proved; no findings (1 finding fixed)\n"
    )
    assert (folder / "shop.mesh").read_text() == KEPT
    assert (folder / "shop.mesh").stat().st_mode & 0o777 == 0o640
    assert [path.name for path in folder.iterdir()] == ["shop.mesh"]
    again = invoke("check", "--fix")
    assert again.stdout == "mesh shop: 1 service, 1 rule, 0 asserts proved; no findings\n"


def test_what_remains_is_told(folder: Path) -> None:
    (folder / "shop.mesh").write_text(REDUNDANT + "assert never web -> api\n")
    result = invoke("check", "--fix")
    assert result.exit_code == 1
    assert result.stdout.startswith("fixed shop.mesh\nerror[MSH310] assertion-violated: ")
    assert result.stdout.endswith("\nerror: 1 error (1 finding fixed)\n")


def test_unsafe_fixes_are_made_on_request_alone(folder: Path) -> None:
    (folder / "shop.mesh").write_text(MISSPELT)
    result = invoke("check", "--fix")
    assert result.exit_code == 1
    assert "error: 1 error (1 fixable with `meshc check --fix --unsafe`)" in result.stdout
    assert (folder / "shop.mesh").read_text() == MISSPELT
    assert invoke("check", "--fix", "--unsafe").exit_code == 0
    assert (folder / "shop.mesh").read_text() == MISSPELT.replace("wbe", "web")


def test_diff_writes_nothing_and_is_a_patch(folder: Path) -> None:
    result = invoke("check", "--diff")
    assert result.exit_code == 1
    assert result.stderr == "would fix 1 finding in 1 file\n"
    assert "-allow web -> api : GET /x\n" in result.stdout
    assert (folder / "shop.mesh").read_text() == REDUNDANT
    if shutil.which("git"):
        subprocess.run(["git", "apply", "-p0"], input=result.stdout.encode(), cwd=folder, check=True)
        assert (folder / "shop.mesh").read_text() == KEPT
    (folder / "shop.mesh").write_text(KEPT)
    clean = invoke("check", "--diff")
    assert (clean.exit_code, clean.stdout, clean.stderr) == (0, "", "nothing to fix\n")


def test_a_program_for_machines_stays_one_document(folder: Path) -> None:
    result = invoke("check", "--fix", "--format", "json")
    assert json.loads(result.stdout) == {"version": 1, "findings": []}
    assert result.stderr == "fixed shop.mesh\n"


def test_links_and_byte_order_marks_stay(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "real" / "shop.mesh").write_bytes(b"\xef\xbb\xbf" + REDUNDANT.encode())
    (folder / "shop.mesh").unlink()
    (folder / "shop.mesh").symlink_to("real/shop.mesh")
    assert invoke("check", "--fix", "shop.mesh").exit_code == 0
    assert (folder / "shop.mesh").is_symlink()
    assert (folder / "real" / "shop.mesh").read_bytes() == b"\xef\xbb\xbf" + KEPT.encode()


def test_a_file_that_changed_meanwhile_is_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worked_out = fix_program

    def and_then_somebody_saves(*arguments: object, **options: object) -> object:
        done = worked_out(*arguments, **options)  # type: ignore[arg-type]
        (folder / "shop.mesh").write_text(REDUNDANT + "# mine\n")
        return done

    monkeypatch.setattr("meshc.fixing.fix_program", and_then_somebody_saves)
    result = invoke("check", "--fix")
    assert result.exit_code == 1
    assert "`shop.mesh` cannot be written: it was changed meanwhile" in result.stdout
    assert (folder / "shop.mesh").read_text() == REDUNDANT + "# mine\n"


@pytest.mark.parametrize("options", [("--unsafe",), ("--diff", "--format", "json"), ("--diff", "--format", "sarif")])
def test_options_that_do_not_go_together(folder: Path, options: tuple[str, ...]) -> None:
    assert invoke("check", *options).exit_code == 2
