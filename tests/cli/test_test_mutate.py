"""`meshc test --mutate`, as people and servers run it."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from support.meshc_command import ROOT, invoke, run

PROGRAM = """mesh shop { trust-domain: "shop.example" }
service web {}
service api { port: 8080/http }
allow web -> api : GET|POST /orders
deny any -> api : /admin
assert never any -> api : DELETE /**
test "reading" {
  web -> api GET /orders is allowed
}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.mesh").write_text(PROGRAM)
    return tmp_path


def test_what_nothing_notices_is_shown_with_a_request_and_what_would_become_of_it(folder: Path) -> None:
    result = invoke("test", "--mutate", "-q")
    assert result.exit_code == 0
    assert result.stdout == (
        "1 case, all as expected\n\n"
        "changes that nothing notices\n"
        "  ✗ allow web -> api : GET|POST /orders: without POST   shop.mesh:4:20\n"
        "      web -> api POST /orders is allowed; it would be denied\n"
        "  ✗ allow web -> api : GET|POST /orders: with PUT too   shop.mesh:4:20\n"
        "      web -> api PUT /orders is denied; it would be allowed\n"
        "  ✗ allow web -> api : GET|POST /orders: for `ingress` too   shop.mesh:4:20\n"
        "      ingress -> api GET /orders is denied; it would be allowed\n"
        "mutants: 2 of 5 noticed, 40 %; 1 more changes nothing\n"
    )


@pytest.mark.parametrize(("least", "status"), [("40", 0), ("41", 1)])
def test_fewer_than_the_least_fail(folder: Path, least: str, status: int) -> None:
    result = run("test", "--mutate-min", least, cwd=folder)
    assert result.returncode == status
    assert ("the share of mutants noticed is 40 %, beneath 41 %" in result.stderr) is (status == 1)


def test_json_tells_what_became_of_each(folder: Path) -> None:
    mutation = json.loads(invoke("test", "--mutate", "--format", "json").stdout)["mutation"]
    counts = {key: value for key, value in mutation.items() if key != "list"}
    assert counts == {
        "mutants": 6,
        "of": 6,
        "noticed": 2,
        "survived": 3,
        "undecided": 0,
        "equivalent": 1,
        "percent": 40.0,
    }
    by_change = {one["change"]: one for one in mutation["list"] if one["kind"] == "allow"}
    assert (by_change["taken away"]["outcome"], by_change["taken away"]["by"]) == (
        "test",
        "reading: web -> api GET /orders",
    )
    survivor = by_change["without POST"]
    assert (survivor["outcome"], survivor["before"], survivor["after"]) == ("survived", "allowed", "denied")
    assert survivor["witness"]["text"] == "web -> api POST /orders"
    assert survivor["span"]["line"] == 4


def test_junit_has_counts_and_sarif_has_findings(folder: Path) -> None:
    suites = ET.fromstring(invoke("test", "--mutate", "--format", "junit").stdout)
    properties = {one.get("name"): one.get("value") for one in suites.iter("property")}
    assert properties == {"mutation.mutants": "5", "mutation.noticed": "2"}
    told = json.loads(invoke("test", "--mutate", "--format", "sarif").stdout)["runs"][0]["results"]
    assert [one["ruleId"] for one in told] == ["MSH481"] * 3


def test_an_assert_notices_too(folder: Path) -> None:
    (folder / "shop.mesh").write_text(PROGRAM + "assert always web -> api : POST /orders\n")
    assert "mutants: 3 of 5 noticed" in invoke("test", "--mutate", "-q").stdout


def test_at_most_so_many_are_tried(folder: Path) -> None:
    shown = invoke("test", "--mutate", "--mutants", "2", "-q").stdout
    assert shown.splitlines()[-1].endswith("; tried 2 of 6")


def test_no_mutant_is_tried_while_a_case_fails(folder: Path) -> None:
    (folder / "shop.mesh").write_text(PROGRAM.replace("is allowed", "is denied"))
    result = invoke("test", "--mutate")
    assert result.exit_code == 1
    assert "no mutant is tried while a case fails" in result.stderr
    assert "mutants:" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--mutants", "3"), "`--mutants` goes with `--mutate`"),
        (("--mutate", "--mutants", "0"), "--mutants"),
        (("--mutate-min", "-1"), "--mutate-min"),
        (("--mutate", "-k", "reading"), "do not go together"),
    ],
)
def test_what_makes_no_sense_is_refused(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    result = invoke("test", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_cases_for_what_nothing_notices_are_written_with_the_missing_ones(folder: Path) -> None:
    assert invoke("test", "--fill", "--mutate").exit_code == 0
    written = (folder / "coverage.test.mesh").read_text()
    assert "  # allow web -> api : GET|POST /orders: without POST\n  web -> api POST /orders is allowed\n" in written
    assert invoke("test", "--mutate-min", "100", "--cover-min", "100").exit_code == 0
    assert invoke("test", "--fill", "--mutate").stdout.startswith("nothing to write")


@pytest.mark.parametrize("name", ["shop", "boutique"])
def test_the_examples_notice_more_with_the_cases_that_are_written(tmp_path: Path, name: str) -> None:
    shutil.copytree(ROOT / "examples" / name, tmp_path / name)

    def score() -> tuple[float, set[str]]:
        ran = run("test", name, "--mutate", "--format", "json", cwd=tmp_path)
        assert ran.returncode == 0, ran.stderr
        mutation = json.loads(ran.stdout)["mutation"]
        assert mutation["noticed"] + mutation["survived"] + mutation["equivalent"] == mutation["mutants"]
        return mutation["percent"], {one["kind"] for one in mutation["list"] if one["outcome"] == "survived"}

    before, _ = score()
    assert before < 50
    assert run("test", name, "--fill", "--mutate", cwd=tmp_path).returncode == 0
    assert score() == (100.0, set())
    assert run("test", name, "--cover-min", "100", cwd=tmp_path).returncode == 0


def test_a_survivor_passes_all_tests_of_the_program_without_the_line(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "shop", tmp_path / "shop")
    told = json.loads(run("test", "shop", "--mutate", "--format", "json", cwd=tmp_path).stdout)["mutation"]["list"]
    survivor = next(
        one
        for one in told
        if one["sentence"] == "allow payments -> ledger : POST /v1/entries" and "away" in one["change"]
    )
    assert survivor["outcome"] == "survived"
    program = tmp_path / "shop" / "shop.mesh"
    lines = program.read_text().splitlines(keepends=True)
    del lines[survivor["span"]["line"] - 1]
    program.write_text("".join(lines))
    assert run("test", "shop", cwd=tmp_path).returncode == 0
    why = run("why", "shop", survivor["witness"]["text"], cwd=tmp_path)
    assert "denied" in why.stdout
