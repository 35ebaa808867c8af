"""The access log of both proxies: the same fields, and the same said in them about the same requests."""

from __future__ import annotations

import json
import time
from typing import Any

from meshc_lang.request import Request
from support.agreement_mesh import AgreementMesh
from support.agreement_probe import Entrance, Probe
from support.agreement_process import Voice

ENVOY_ALONE = {"flags", "tls_failure", "request_id"}
"""What only Envoy knows of a request."""

SAME = ("direction", "caller", "callee", "port", "method", "path", "status", "rule", "request_bytes")
"""What must be said alike. What is not there is empty in our proxy's lines and null in Envoy's."""

CALLS = {
    "allowed": ("GET", "/items/1", 200),
    "denied by a rule": ("GET", "/items/secret", 403),
    "allowed by nothing": ("GET", "/nowhere", 403),
}


def _line(mesh: AgreementMesh, workload: str, path: str, direction: str) -> dict[str, Any]:
    """Wait for the line in which a workload's sidecar tells of a request."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for text in mesh.printed(workload):
            line = json.loads(text) if text.startswith("{") and text.endswith("}") else {}
            if line.get("path") == path and line.get("direction") == direction:
                return dict(line)
        time.sleep(0.05)
    raise AssertionError(f"no {direction} line about {path} in the log of {workload}: {mesh.printed(workload)}")


def test_both_proxies_say_the_same_of_the_same_calls(stage_of: Any) -> None:
    with stage_of("denies") as stage:
        for what, (method, path, status) in CALLS.items():
            said: dict[str, dict[Voice, dict[str, Any]]] = {"inbound": {}, "outbound": {}}
            for voice in Voice:
                mesh = stage.mesh(voice)
                request = Request(caller="web", callee="api", method=method, path=path)
                seen = mesh.send(Probe(request=request, entrance=Entrance.OUTBOUND))
                assert seen.answer.status == status, seen.text
                said["inbound"][voice] = _line(mesh, "api", path, "inbound")
                said["outbound"][voice] = _line(mesh, "web", path, "outbound")
            for direction, lines in said.items():
                ours, envoys = lines[Voice.PYTHON], lines[Voice.ENVOY]
                assert set(envoys) - set(ours) == ENVOY_ALONE, (what, direction)
                assert set(ours) <= set(envoys), (what, direction)
                for field in SAME:
                    assert (ours[field] or None) == (envoys[field] or None), (what, direction, field)
                assert ours["status"] == status
            for line in said["inbound"].values():
                assert bool(line["rule"]) is (what != "allowed by nothing"), line
                assert line["attempts"] == (1 if status == 200 else 0), line
                assert line["response_bytes"] > 0 or status == 200, line
            assert {line["callee"] for line in said["outbound"].values()} == {"api"}
