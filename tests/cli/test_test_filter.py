"""`meshc test --filter` runs the cases that are asked for, and says when there are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from meshc.main import cli

PROGRAM = """
mesh shop { trust-domain: "shop.example" }
service web {}
service api { port: 8080/http }
allow web -> api : GET /orders/**
test "reading orders" {
  web -> api GET /orders/1 is allowed
  web -> api GET /carts/1 is denied
}
test "writing" {
  web -> api POST /orders is allowed
}
"""


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.mesh").write_text(PROGRAM)


@pytest.mark.parametrize(
    ("words", "status", "total"),
    [
        (["-k", "READING"], 0, "2 cases, all as expected"),
        (["-k", "orders/1"], 0, "1 case, all as expected"),
        (["--filter", "get /*s/1"], 0, "2 cases, all as expected"),
        (["-k", "shop.mesh:8"], 0, "1 case, all as expected"),
        (["-k", "writing"], 1, "1 case, 1 failed"),
        (["-k", "carts", "-k", "writing"], 1, "2 cases, 1 failed"),
    ],
)
def test_only_what_is_asked_for_runs(words: list[str], status: int, total: str) -> None:
    result = CliRunner().invoke(cli, ["test", "shop.mesh", *words])
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (status, total)


def test_a_filter_that_leaves_nothing_is_no_success() -> None:
    result = CliRunner().invoke(cli, ["test", "shop.mesh", "-k", "refunds"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "meshc test: no case of 3 has `refunds` in its name or request\n"
