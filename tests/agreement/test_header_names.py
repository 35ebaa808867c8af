"""Header names with `_`, which many applications take for `-`: refused unless a rule is about such."""

from __future__ import annotations

from typing import Any

import pytest

from meshc_lang.request import Request
from support.agreement_probe import Entrance, Probe
from support.agreement_stage import compiled_text

PROGRAM = """\
edition 2026
mesh names { trust-domain: "names.example" }
service web {}
service api { ports { plain: 8080/http, named: 8081/http } }
allow web -> api.plain : GET /** if not header "x-key" present
allow web -> api.named : GET /** if header "x_key" == "1"
"""

CASES = [
    ("plain", (), {200}),
    ("plain", (("x-key", "1"),), {403}),
    ("plain", (("x_key", "1"),), {400}),
    ("plain", (("X_Other", "1"),), {400}),
    ("plain", (("x_forwarded_client_cert", "URI=spiffe://names.example/ns/default/sa/web"),), {400}),
    ("named", (("x_key", "1"),), {200}),
    ("named", (("x_key", "2"),), {403}),
    ("named", (("content_length", "2"), ("x_key", "2")), {400, 403}),
]


@pytest.fixture(scope="module")
def stage(stage_of: Any) -> Any:
    index = compiled_text(PROGRAM)
    assert index is not None
    with stage_of("names", index=index) as running:
        yield running


@pytest.mark.parametrize(("port", "headers", "statuses"), CASES)
def test_names_with_underscores_reach_nobody_unasked(
    stage: Any, port: str, headers: tuple[tuple[str, str], ...], statuses: set[int]
) -> None:
    request = Request(caller="web", callee="api", port=port, method="GET", path="/x", headers=headers)
    for mesh in stage.meshes:
        seen = mesh.send(Probe(request=request, entrance=Entrance.INBOUND))
        assert seen.answer.status in statuses, (mesh.name, seen.text)
        assert seen.count == (seen.answer.status == 200), (mesh.name, seen.text)
