"""`meshc why` tells of mirrors, faults, answers and health, and of settings that are overridden."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.meshc_command import invoke

PROGRAM = """\
mesh shop { trust-domain: "shop.example" }
service web {}
service api { port: 80/http, versions: [v1, v2], health: /up }
allow web -> api : GET|POST /**
defaults mesh { timeout: 5s, breaker { max-requests: 10 } }
defaults api { breaker: off }
edge web -> api { timeout: 3s, balance { policy: ring-hash, header: "x-user" } }
mirror api GET /v1/** => api.v2 5%
fault slow on web -> api { delay: 500ms, abort: 503, percent: 0.5% }
route api {
  /old => redirect "https://shop.example/new"
  /gone => respond 410
}
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "p.mesh").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    return "p.mesh"


def answers(program: str, *requests: str, verbose: bool = False) -> Any:
    result = invoke("why", program, *requests, "--format", "json", *(["--verbose"] if verbose else []))
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def place(line: int, column: int, end: int) -> dict[str, Any]:
    return {"file": "p.mesh", "line": line, "column": column, "end_line": line, "end_column": end}


def test_in_text_each_row_has_its_place(program: str) -> None:
    result = invoke("why", program, "web -> api GET /v1/a", "web -> api GET /old", "--verbose")
    assert result.output == (
        "web -> api GET /v1/a\n"
        "  allowed\n"
        "    allow web -> api : GET|POST /**                                      p.mesh:4:20\n"
        "    goes to all of api\n"
        "    a copy of 5% of such calls goes to api v2                            p.mesh:8:1\n"
        "    timeout 3s                                                           p.mesh:7:19 (edge)\n"
        "    breaker max-requests off                                             p.mesh:6:16 (service)\n"
        "    breaker max-pending off                                              p.mesh:6:16 (service)\n"
        "    breaker max-connections off                                          p.mesh:6:16 (service)\n"
        "    breaker consecutive-5xx off                                          p.mesh:6:16 (service)\n"
        '    balance ring-hash by header "x-user"                                 p.mesh:7:32 (edge)\n'
        "    fault slow delays by 500ms and aborts with 503: 0.5% of such calls   p.mesh:9:1\n"
        "    health /up every 5s: out after 3, in after 2                         p.mesh:3:50\n"
        "    overridden: timeout 5s                                               p.mesh:5:17 (mesh)\n"
        "    overridden: breaker max-requests 10                                  p.mesh:5:40 (mesh)\n"
        "\n"
        "web -> api GET /old\n"
        "  allowed (307)\n"
        "    allow web -> api : GET|POST /**                                     p.mesh:4:20\n"
        '    the caller\'s sidecar answers: redirect "https://shop.example/new"   p.mesh:11:3\n'
    )


def test_as_json_the_contract_is_extended(program: str) -> None:
    [call, old, gone] = answers(program, "web -> api GET /v1/a", "web -> api GET /old", "web -> api POST /gone")
    assert call["route"]["answer"] is None
    assert call["mirrors"] == [
        {
            "id": "mirror api GET /v1/** => api.v2 5%",
            "service": "api",
            "version": "v2",
            "percent": 5,
            "span": place(8, 1, 35),
        }
    ]
    assert call["faults"] == [{"name": "slow", "delay_ms": 500, "abort": 503, "percent": 0.5, "span": place(9, 1, 69)}]
    assert call["health"] == {
        "path": "/up",
        "port": 80,
        "interval_ms": 5000,
        "timeout_ms": 1000,
        "unhealthy": 3,
        "healthy": 2,
        "span": place(3, 50, 61),
    }
    settings = call["settings"]
    assert settings["timeout_ms"] == {"value": 3000, "span": place(7, 19, 30), "scope": "edge"}
    assert settings["balance"]["value"] == {"policy": "ring-hash", "header": "x-user"}
    assert settings["breaker"]["max_requests"]["value"] is None
    assert settings["telemetry"]["sampling_percent"] is None
    assert "overridden" not in call
    assert (old["status"], old["route"]["answer"]) == (307, {"redirect": "https://shop.example/new"})
    assert (gone["status"], gone["route"]["answer"]) == (410, {"respond": 410})
    assert old["mirrors"] == old["faults"] == []
    assert old["health"] is None


def test_as_json_overridden_values_come_when_they_are_asked_for(program: str) -> None:
    [call] = answers(program, "web -> api GET /v1/a", verbose=True)
    assert [(one["setting"], one["value"], one["scope"]) for one in call["overridden"]] == [
        ("timeout", "5s", "mesh"),
        ("breaker max-requests", "10", "mesh"),
    ]
    assert call["overridden"][0]["span"] == place(5, 17, 28)
