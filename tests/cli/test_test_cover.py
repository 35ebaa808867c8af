"""`meshc test --cover` and `--fill`, as people and servers run them."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from support.meshc_command import ROOT, invoke, run

PROGRAM = """mesh shop { trust-domain: "shop.example" }
service web {}
service api { port: 8080/http, versions: [v1, v2] }
allow web -> api : GET /orders/**
deny any -> api : /orders/secret
route api { /orders/** => v2 as orders }
test "reading" {
  web -> api GET /orders/1 is allowed
  web -> api GET /orders/secret is denied
}
"""

WRITTEN = """# Cases that `meshc test --fill` wrote: read them, and say so where the policy should decide otherwise.

test "what decides calls of api" {
  # a caller of `api` asks for what nothing grants
  web -> api POST / is denied
  # somebody calls `api` whom nothing lets call it
  ingress -> api GET / is denied
}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.mesh").write_text(PROGRAM)
    return tmp_path


def test_what_no_case_is_about_is_shown_with_a_request(folder: Path) -> None:
    result = invoke("test", "--cover", "--quiet")
    assert result.exit_code == 0
    assert result.stdout == (
        "2 cases, all as expected\n\n"
        "api  3/5\n"
        "  ✗ a caller of `api` asks for what nothing grants\n"
        "      web -> api POST /\n"
        "  ✗ somebody calls `api` whom nothing lets call it\n"
        "      ingress -> api GET /\n"
        "coverage: 3 of 5 classes, 60 %\n"
    )


def test_a_sentence_that_is_left_out_is_told_with_its_place(folder: Path) -> None:
    (folder / "shop.mesh").write_text(PROGRAM.replace("  web -> api GET /orders/secret is denied\n", ""))
    shown = invoke("test", "--cover", "-q").stdout
    assert "  ✗ deny any -> api : * /orders/secret   shop.mesh:5:19\n      web -> api GET /orders/secret\n" in shown


def test_a_case_that_fails_exercises_nothing(folder: Path) -> None:
    (folder / "shop.mesh").write_text(PROGRAM.replace("GET /orders/1 is allowed", "GET /orders/1 is denied"))
    result = invoke("test", "--cover")
    assert result.exit_code == 1
    assert "coverage: 1 of 5 classes, 20 %" in result.stdout


@pytest.mark.parametrize(("least", "status"), [("60", 0), ("60.1", 1), ("0", 0)])
def test_less_than_the_least_fails(folder: Path, least: str, status: int) -> None:
    result = run("test", "--cover-min", least, cwd=folder)
    assert result.returncode == status
    assert ("meshc test: coverage is 60 %, beneath 60.1 %" in result.stderr) is (status == 1)


def test_the_least_is_a_percentage(folder: Path) -> None:
    assert invoke("test", "--cover-min", "101").exit_code == 2


def test_json_counts_classes_and_lists_them_if_asked(folder: Path) -> None:
    assert json.loads(invoke("test", "--format", "json").stdout)["coverage"] == {"classes": 5, "covered": 3}
    coverage = json.loads(invoke("test", "--cover", "--format", "json").stdout)["coverage"]
    assert {key: coverage[key] for key in ("classes", "covered", "undecided", "percent")} == {
        "classes": 5,
        "covered": 3,
        "undecided": 0,
        "percent": 60.0,
    }
    assert [(one["kind"], one["state"]) for one in coverage["list"]] == [
        ("allow", "covered"),
        ("deny", "covered"),
        ("route", "covered"),
        ("no-rule", "uncovered"),
        ("stranger", "uncovered"),
    ]
    assert coverage["list"][0]["span"]["line"] == 4
    assert coverage["list"][3]["witness"]["text"] == "web -> api POST /"


def test_junit_has_properties_and_formats_of_findings_have_findings(folder: Path) -> None:
    suites = ET.fromstring(invoke("test", "--cover", "--format", "junit").stdout)
    properties = {one.get("name"): one.get("value") for one in suites.iter("property")}
    assert properties == {"coverage.classes": "5", "coverage.covered": "3", "coverage.undecided": "0"}
    told = json.loads(invoke("test", "--cover", "--format", "sarif").stdout)["runs"][0]["results"]
    assert [one["ruleId"] for one in told] == ["MSH480", "MSH480"]
    assert "::warning file=shop.mesh,line=3," in invoke("test", "--cover", "--format", "github").stdout


def test_fill_writes_what_is_missing_once(folder: Path) -> None:
    shown = invoke("test", "--fill", "--diff")
    assert shown.exit_code == 0
    assert "+  web -> api POST / is denied\n" in shown.stdout
    assert not (folder / "coverage.test.mesh").exists()
    result = invoke("test", "--fill")
    assert (result.exit_code, result.stdout) == (0, "wrote 2 cases into coverage.test.mesh\n")
    assert result.stderr == "coverage: 5 of 5 classes, 100 % (before: 3 of 5)\n"
    assert (folder / "coverage.test.mesh").read_text() == WRITTEN
    again = invoke("test", "--fill")
    assert again.stdout == "nothing to write: there are cases for all of which a request is known\n"
    assert (folder / "coverage.test.mesh").read_text() == WRITTEN
    assert sorted(path.name for path in folder.iterdir()) == ["coverage.test.mesh", "shop.mesh"]
    assert invoke("test", "--cover-min", "100").exit_code == 0


def test_fill_writes_into_the_file_that_was_named(folder: Path) -> None:
    (folder / "tests.mesh").write_text("# by hand\n")
    assert invoke("test", "--fill", "--into", "tests.mesh").stdout == "wrote 2 cases into tests.mesh\n"
    assert (folder / "tests.mesh").read_text().startswith('# by hand\n\ntest "what decides calls of api" {\n')
    assert invoke("fmt", "--check").exit_code == 0
    (folder / "shop.mesh").write_text(PROGRAM.replace("test ", "allow web -> api : POST /orders\ntest ", 1))
    assert invoke("test", "--fill", "--into", "tests.mesh").stdout == "wrote 1 case into tests.mesh\n"
    assert "web -> api POST /orders is allowed, routed v2, by orders" in (folder / "tests.mesh").read_text()


def test_a_program_of_one_file_gets_its_tests_at_the_end(folder: Path) -> None:
    assert invoke("test", "shop.mesh", "--fill").stdout == "wrote 2 cases into shop.mesh\n"
    assert (folder / "shop.mesh").read_text().startswith(PROGRAM)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--fill", "--into", "../elsewhere.mesh"), "is no file of the program"),
        (("--fill", "--into", "notes.txt"), "is no file of the program"),
        (("--fill", "--overlay", "staging"), "do not go together"),
        (("--fill", "-k", "reading"), "do not go together"),
        (("--fill", "--format", "json"), "`--fill` goes with `--format text`"),
        (("--fill", "--watch"), "do not go together"),
        (("--diff",), "`--diff` goes with `--fill`"),
        (("--into", "x.mesh"), "`--into` goes with `--fill`"),
    ],
)
def test_what_cannot_be_filled_is_refused(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    result = invoke("test", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert [path.name for path in folder.iterdir()] == ["shop.mesh"]


def test_nothing_is_written_while_a_case_fails(folder: Path) -> None:
    (folder / "shop.mesh").write_text(PROGRAM.replace("GET /orders/1 is allowed", "GET /orders/1 is denied"))
    result = invoke("test", "--fill")
    assert result.exit_code == 1
    assert "nothing is written while a case fails" in result.stderr
    assert [path.name for path in folder.iterdir()] == ["shop.mesh"]


def test_a_folder_that_cannot_be_written_is_told(folder: Path) -> None:
    (folder / "coverage.test.mesh").symlink_to("nowhere/else.mesh")
    result = invoke("test", "--fill")
    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["shop", "boutique"])
def test_the_examples_are_filled_to_the_last_class(tmp_path: Path, name: str) -> None:
    shutil.copytree(ROOT / "examples" / name, tmp_path / name)
    assert run("test", name, "--cover-min", "100", cwd=tmp_path).returncode == 1
    filled = run("test", name, "--fill", cwd=tmp_path)
    assert (filled.returncode, filled.stdout[:5]) == (0, "wrote")
    after = run("test", name, "--cover-min", "100", "-q", cwd=tmp_path)
    assert after.returncode == 0, after.stdout + after.stderr
    assert after.stdout.splitlines()[-1].endswith("100 %")
    assert run("fmt", "--check", name, cwd=tmp_path).returncode == 0
    assert run("check", "--strict", name, cwd=tmp_path).returncode == 0
    assert run("test", name, "--fill", cwd=tmp_path).stdout.startswith("nothing to write")
