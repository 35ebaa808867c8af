"""`--overlay NAME`: the verbs take the program as one of its overlays has it; `check` takes them all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.meshc_command import invoke

PROGRAM = """\
mesh shop { trust-domain: "shop.example" }
service web { port: 8080/http }
service api { port: 8080/http, versions: [v1, v2] }
let slow = 4s
allow ingress -> web : GET /home
allow web -> api : GET /v1/**
edge web -> api { timeout: slow }
route api { /v1/** => v1 90%, v2 10% as canary }
assert never ingress -> api
test "orders" {
  web -> api GET /v1/orders is allowed, timeout 4s
}
"""
STAGING = """\
overlay staging {
  set api.route.canary: [50%, 50%]
  edge web -> api { timeout: 1s }
  test "staging" {
    web -> api GET /v1/orders is allowed, timeout 1s
  }
}
overlay lenient {
  set slow: 9s
}
"""
OPEN = "overlay open {\n  allow ingress -> api : GET /v1/orders\n}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "shop.mesh").write_text(PROGRAM)
    (tmp_path / "shop" / "staging.mesh").write_text(STAGING)
    return tmp_path


def test_check_proves_the_program_and_every_overlay(folder: Path) -> None:
    clean = invoke("check", "shop")
    assert clean.stdout == "mesh shop: 2 services, 2 rules, 1 assert proved, 2 overlays; no findings\n"
    (folder / "shop" / "open.mesh").write_text(OPEN)
    result = invoke("check", "shop")
    assert result.exit_code == 1
    assert result.stdout.count("error[MSH310]") == 1
    assert "in the overlay `open`" in result.stdout
    assert invoke("check", "shop", "--overlay", "open").exit_code == 1
    one = invoke("check", "shop", "--overlay", "staging")
    assert (one.exit_code, one.stdout) == (
        0,
        "mesh shop, overlay staging: 2 services, 2 rules, 1 assert proved; no findings\n",
    )


def test_findings_of_an_overlay_are_in_the_json_with_the_overlay_as_a_label(folder: Path) -> None:
    (folder / "shop" / "open.mesh").write_text(OPEN)
    findings = json.loads(invoke("check", "shop", "--format", "json").stdout)["findings"]
    assert [finding["code"] for finding in findings] == ["MSH310"]
    assert [one["label"] for one in findings[0]["related"]] == ["allows the request", "in the overlay `open`"]
    assert findings[0]["related"][0]["span"]["notes"] == ["overlay open"]


@pytest.mark.parametrize("verb", ["check", "build", "test", "up", "why"])
def test_an_overlay_that_is_not_there_is_a_mistake_of_the_command_line(folder: Path, verb: str) -> None:
    request = ["web -> api GET /v1/orders"] if verb == "why" else []
    result = invoke(verb, "shop", *request, "--overlay", "stagin")
    assert result.exit_code == 2
    assert "there is no overlay `stagin`; did you mean `staging`?" in result.stderr
    result = invoke(verb, "shop", *request, "--overlay", "production")
    assert "there is no overlay `production`; it has `lenient`, `staging`" in result.stderr
    (folder / "shop" / "staging.mesh").unlink()
    assert "the program has none" in invoke(verb, "shop", *request, "--overlay", "staging").stderr


def test_a_syntax_error_is_told_rather_than_an_overlay_that_it_hides(folder: Path) -> None:
    (folder / "shop" / "staging.mesh").write_text(STAGING.replace("set api", "sett api"))
    result = invoke("check", "shop", "--overlay", "staging")
    assert result.exit_code == 1
    assert "staging.mesh:2:" in result.stdout


def test_why_says_which_settings_come_from_the_overlay(folder: Path) -> None:
    request = "web -> api GET /v1/orders"
    told = invoke("why", "shop", request, "--overlay", "staging").stdout
    assert "timeout 1s                         shop/staging.mesh:3:21 (edge, overlay staging)" in told
    assert "shop/shop.mesh:8:13 (shares set at shop/staging.mesh:2:3, overlay staging)" in told
    told = invoke("why", "shop", request, "--overlay", "lenient").stdout
    assert "timeout 9s                         shop/shop.mesh:7:19 (edge, let slow, overlay lenient)" in told
    told = invoke("why", "shop", request).stdout
    assert "timeout 4s                         shop/shop.mesh:7:19 (edge, let slow)" in told


def test_test_runs_the_cases_of_the_program_as_the_overlay_has_it(folder: Path) -> None:
    assert invoke("test", "shop").exit_code == 0
    result = invoke("test", "shop", "--overlay", "staging", "--format", "json")
    cases = json.loads(result.stdout)["cases"]
    assert {(case["name"].split(":")[0], case["passed"]) for case in cases} == {("orders", False), ("staging", True)}


def test_the_manifest_of_a_build_names_the_overlay(folder: Path) -> None:
    built = invoke("build", "shop", "--target", "sidecar", "--overlay", "staging", "--out", "out")
    assert built.exit_code == 0, built.stderr
    assert built.stdout.startswith("wrote out (overlay staging): ")
    assert json.loads((folder / "out" / "manifest.json").read_text())["overlay"] == "staging"
    assert "500000" in (folder / "out" / "sidecar" / "web.json").read_text()
    again = invoke("build", "shop", "--target", "sidecar", "--out", "out")
    assert again.exit_code == 0
    assert json.loads((folder / "out" / "manifest.json").read_text())["overlay"] is None


def test_fixes_are_made_in_the_program_and_its_overlays(folder: Path) -> None:
    (folder / "shop" / "same.mesh").write_text("overlay same {\n  set slow: 4000ms\n  set api.replicas: 2\n}\n")
    (folder / "shop" / "unused.mesh").write_text("let unused = 3s\n")
    result = invoke("check", "shop", "--fix")
    assert result.exit_code == 0
    assert (folder / "shop" / "same.mesh").read_text() == "overlay same {\n  set api.replicas: 2\n}\n"
    assert (folder / "shop" / "unused.mesh").read_text() == ""
    assert invoke("check", "shop", "--fix", "--overlay", "same").exit_code == 2
