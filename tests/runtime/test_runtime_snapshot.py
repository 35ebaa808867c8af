from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from meshc_runtime.policy import uncarried
from meshc_runtime.snapshot import (
    AllConditions,
    CertificateFiles,
    Destination,
    HeaderOneOf,
    NotCondition,
    RegexPath,
    Route,
    Snapshot,
    SnapshotError,
    parse_snapshot,
    render_snapshot,
    snapshot_schema,
)
from support.proxy_mesh import caller, plain_cluster, route, service


def web() -> Snapshot:
    first = Route(
        id="canary",
        methods=("GET",),
        path=RegexPath(regex="/v[0-9]+/.*"),
        condition=AllConditions(of=(NotCondition(of=HeaderOneOf(name="x-beta", values=("1",))),)),
        destinations=(Destination(cluster="v1", weight=90), Destination(cluster="v2", weight=10)),
    )
    clusters = [plain_cluster("v1", 1), plain_cluster("v2", 2)]
    return caller(CertificateFiles(), [service([first, route("v1")])], clusters)


def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(render_snapshot(web()))
    return loaded


def mesh_transport(server_name: str) -> dict[str, str]:
    return {"kind": "mesh", "spiffe_id": "spiffe://shop.example/ns/a/sa/b", "server_name": server_name}


def test_text_round_trip_and_schema() -> None:
    text = render_snapshot(web())
    assert parse_snapshot(text) == web()
    assert render_snapshot(parse_snapshot(text)) == text
    jsonschema.Draft202012Validator.check_schema(snapshot_schema())
    jsonschema.validate(json.loads(text), snapshot_schema())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a JSON document"),
        ("[1]", "a JSON object"),
        ("[" * 100_000, "not a JSON document"),
        (b"\xff\xfe\x00", "not a JSON document"),
        ("{}", "version None"),
        ('{"version": 2}', "version 2"),
        ('{"version": true}', "version True"),
        ('{"version": "1"}', "version '1'"),
        ('{"version": 1}', "workload"),
    ],
)
def test_text_that_is_no_snapshot(text: str | bytes, message: str) -> None:
    with pytest.raises(SnapshotError, match=message) as error:
        parse_snapshot(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(surprise=1), "surprise"),
        (lambda d: d["outbound"][0]["routes"].pop(), "last route"),
        (lambda d: d["clusters"].pop(), "unknown cluster `v2`"),
        (lambda d: d["clusters"].append(d["clusters"][0]), "cluster `v1` appears twice"),
        (lambda d: d["outbound"].append(d["outbound"][0]), "outbound host `api:8080` appears twice"),
        (lambda d: d["outbound"][0]["routes"][0].update(timeout_ms="5"), "timeout_ms"),
        (lambda d: d["outbound"][0]["routes"][0].update(timeout_ms=0), "timeout_ms"),
        (lambda d: d["outbound"][0]["routes"][0]["path"].update(kind="glob"), "glob"),
        (lambda d: d["outbound"][0].update(hosts=["API"]), "hosts"),
        # OpenSSL and IDNA would raise on these in the middle of a call.
        (lambda d: d["clusters"][0].update(transport=mesh_transport("a..b")), "server_name"),
        (lambda d: d["clusters"][0].update(transport=mesh_transport(".a")), "server_name"),
        (lambda d: d["clusters"][0].update(transport=mesh_transport("a" * 64)), "server_name"),
        (lambda d: d["workload"].update(spiffe_id="spiffe://other/ns/a/sa/b"), "trust domain"),
        (lambda d: d["workload"].update(spiffe_id="https://shop.example/a"), "spiffe_id"),
    ],
)
def test_document_that_does_not_hang_together(change: Any, message: str) -> None:
    changed = document()
    change(changed)
    with pytest.raises(SnapshotError, match=message):
        parse_snapshot(json.dumps(changed))


@pytest.mark.parametrize("path", [{"kind": "regex", "regex": "("}, {"kind": "template", "template": "/a/**/b"}])
def test_path_that_cannot_be_compiled_makes_no_snapshot(path: dict[str, str]) -> None:
    changed = document()
    changed["outbound"][0]["routes"][0]["path"] = path
    with pytest.raises(SnapshotError, match=r"^outbound\.0\.routes\.0\.path"):
        parse_snapshot(json.dumps(changed))


def test_a_host_that_no_request_can_be_sent_to_is_told() -> None:
    changed = document()
    assert uncarried(parse_snapshot(json.dumps(changed))) == []
    changed["outbound"][0]["protocol"] = "tcp"
    (warning,) = uncarried(parse_snapshot(json.dumps(changed)))
    assert "tcp" in warning
