"""Services that manifests declare are known to the editor as those of statements are."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types

from support.editor import Editor

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANIFEST = """\
apiVersion: v1
kind: Service
metadata: {name: orders, namespace: shop}
spec:
  selector: {app: orders}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders, namespace: shop}
spec:
  selector: {matchLabels: {app: orders}}
  template:
    metadata: {labels: {app: orders}}
    spec: {containers: [{name: orders, image: orders}]}
"""

PROGRAM = """\
mesh shop { trust-domain: "shop.example" }
import kubernetes "manifests"
service web {}
allow web -> orders : GET /v1/**
"""


async def test_a_service_of_a_manifest(server: Editor, folder: Path) -> None:
    (folder / "manifests").mkdir()
    (folder / "manifests" / "orders.yaml").write_text(MANIFEST, encoding="utf-8")
    uri = server.open("shop.mesh", PROGRAM)
    told = await server.hover_with(uri, "-> ord|ers", "spiffe://shop.example/ns/shop/sa/")
    assert "service `orders`" in told
    found = await server.client.text_document_definition_async(types.DefinitionParams(**server.here(uri, "-> ord|ers")))
    assert isinstance(found, list | tuple)
    (place,) = found
    name = place.target_uri if isinstance(place, types.LocationLink) else place.uri
    assert name.endswith("manifests/orders.yaml")
    server.append(uri, "allow web -> o")
    end = server.files[uri].position(len(server.files[uri].source.text))
    params = types.CompletionParams(
        text_document=types.TextDocumentIdentifier(uri=uri), position=types.Position(end.line, end.character)
    )

    async def ask() -> list[str]:
        told = await server.client.text_document_completion_async(params)
        assert isinstance(told, types.CompletionList)
        return [item.label for item in told.items]

    assert "orders" in await server.eventually(ask, lambda labels: "orders" in labels)


async def test_a_mistake_in_a_manifest_is_told_there(server: Editor, folder: Path) -> None:
    (folder / "manifests").mkdir()
    (folder / "manifests" / "orders.yaml").write_text(
        "# é😀\n" + MANIFEST.replace("metadata: {name: orders,", "metadata: {name: [x],", 1), encoding="utf-8"
    )
    server.open("shop.mesh", PROGRAM)
    manifest = server.uri("manifests/orders.yaml")
    found = await server.findings(manifest, lambda codes: codes != [])
    assert found[0].range.start == types.Position(1, 0)
    assert found[0].range.end == types.Position(1, len("apiVersion"))
