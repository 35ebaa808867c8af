"""A server keeps up with what is typed: findings come, move and go, whatever happens to the files."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from support.editor import SHOP, Editor

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_findings_come_and_go_with_what_is_typed(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP)
    await server.findings(uri, [])
    server.replace(uri, "allow ingress -> web", "allow ingress -> webb")
    (found,) = await server.findings(uri, lambda codes: "MSH101" in codes and len(codes) == 1)
    assert server.text_in(uri, found.range) == "webb"
    assert found.severity is types.DiagnosticSeverity.Error
    assert found.source == "meshc"
    assert found.code_description is not None
    assert "MSH101" in Path(found.code_description.href.removeprefix("file://")).read_text(encoding="utf-8")
    server.replace(uri, "webb", "web")
    await server.findings(uri, [])


async def test_an_unclosed_brace_is_told_and_the_rest_is_still_known(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP)
    await server.findings(uri, [])
    server.replace(uri, "edge web -> api { timeout: 2s }", "edge web -> api { timeout: 2s ")
    found = await server.findings(uri, lambda codes: codes[:1] == ["MSH004"])
    assert server.text_in(uri, found[0].range) == "{"
    assert "service web" in await server.hover(uri, "allow ingress -> w|eb")
    server.replace(uri, "timeout: 2s ", "timeout: 2s }")
    await server.findings(uri, [])


async def test_findings_move_with_their_lines_at_once(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP + "service idle { port: 80/http }\n")
    (found,) = await server.findings(uri, ["MSH304"])
    line = found.range.start.line
    server.replace(uri, "edition 2026\n", "edition 2026\n\n\n")
    await server.eventually(
        lambda: server.findings(uri, ["MSH304"]), lambda found: found[0].range.start.line == line + 2
    )


async def test_the_version_of_a_file_is_told_with_its_findings(server: Editor, folder: Path) -> None:
    told: list[types.PublishDiagnosticsParams] = []
    uri = server.open("shop.mesh", SHOP)

    original = server.client.protocol.fm.features[types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS]

    def listen(params: types.PublishDiagnosticsParams) -> None:
        told.append(params)
        original(params)

    server.client.protocol.fm.features[types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS] = listen
    try:
        server.replace(uri, "-> web", "-> webb")
        await server.findings(uri, ["MSH101"])
    finally:
        server.client.protocol.fm.features[types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS] = original
    assert [one.version for one in told if one.uri == uri and one.diagnostics][-1:] == [2]


async def test_other_places_are_told_with_a_finding(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP + "service web {}\n")
    (found,) = await server.findings(uri, ["MSH110"])
    (related,) = found.related_information or ()
    assert server.text_at(related.location) == "web"
    assert related.location.range.start.line == 4


async def test_text_that_does_nothing_is_marked(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP.replace("  GET /v1/orders/**\n", "  GET /v1/orders/**\n  GET /v1/orders/1\n"))
    (found,) = await server.findings(uri, ["MSH302"])
    assert list(found.tags or ()) == [types.DiagnosticTag.Unnecessary]
    assert server.text_in(uri, found.range) == "GET /v1/orders/1"


async def test_several_files_make_one_program(server: Editor, folder: Path) -> None:
    (folder / "services.mesh").write_text(SHOP, encoding="utf-8")
    uri = server.open("asserts.mesh", "assert never ingress -> api\n")
    await server.findings(uri, [])
    server.append(uri, "assert never web -> api\n")
    await server.findings(uri, ["MSH310"])


async def test_what_is_not_saved_counts(server: Editor, folder: Path) -> None:
    uri = server.open("asserts.mesh", "assert never ingress -> api\n")
    await server.findings(uri, lambda codes: "MSH101" in codes)
    other = server.open("services.mesh", SHOP, saved=False)
    await server.findings(uri, [])
    server.close(other)
    await server.findings(uri, lambda codes: "MSH101" in codes)


async def test_a_file_that_was_deleted_under_the_editor(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP)
    await server.findings(uri, [])
    (folder / "shop.mesh").unlink()
    server.replace(uri, "-> web", "-> webb")
    await server.findings(uri, ["MSH101"])
    server.close(uri)
    await server.findings(uri, [])


async def test_a_folder_that_was_deleted_under_the_editor(server: Editor, folder: Path) -> None:
    uri = server.open("deep/shop.mesh", SHOP)
    await server.findings(uri, [])
    (folder / "deep" / "shop.mesh").unlink()
    (folder / "deep").rmdir()
    server.replace(uri, "-> web", "-> webb")
    await server.findings(uri, ["MSH101"])


async def test_a_text_that_no_file_holds(server: Editor, folder: Path) -> None:
    uri = server.open("untitled:Untitled-1", SHOP.replace("-> web", "-> webb"), saved=False)
    await server.findings(uri, ["MSH101"])
    server.replace(uri, "webb", "web")
    await server.findings(uri, [])
    assert "spiffe://shop.example/ns/default/sa/web" in await server.hover_with(uri, "service w|eb", "spiffe")


async def test_a_whole_text_sent_anew(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP)
    server.rewrite(uri, SHOP.replace("-> web", "-> webb"))
    await server.findings(uri, ["MSH101"])
    server.rewrite(uri, "")
    await server.findings(uri, lambda codes: codes != ["MSH101"])
    server.rewrite(uri, SHOP)
    await server.findings(uri, [])


async def test_a_file_that_nobody_opened(server: Editor, folder: Path) -> None:
    uri = server.uri("unknown.mesh")
    where: dict[str, Any] = {"text_document": types.TextDocumentIdentifier(uri=uri), "position": types.Position(3, 3)}
    assert await server.client.text_document_hover_async(types.HoverParams(**where)) is None
    assert not await server.client.text_document_definition_async(types.DefinitionParams(**where))
    version = types.VersionedTextDocumentIdentifier(uri=uri, version=2)
    change = types.TextDocumentContentChangeWholeDocument(text="service x {}")
    server.client.text_document_did_change(
        types.DidChangeTextDocumentParams(text_document=version, content_changes=[change])
    )
    server.client.text_document_did_close(
        types.DidCloseTextDocumentParams(text_document=types.TextDocumentIdentifier(uri=uri))
    )
    assert await server.client.text_document_hover_async(types.HoverParams(**where)) is None


async def test_places_outside_the_text(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", "service web {}")
    for line, character in ((0, 99), (99, 0), (99, 99)):
        where: dict[str, Any] = {
            "text_document": types.TextDocumentIdentifier(uri=uri),
            "position": types.Position(line, character),
        }
        await server.client.text_document_hover_async(types.HoverParams(**where))
    empty = server.open("empty.mesh", "")
    where = {"text_document": types.TextDocumentIdentifier(uri=empty), "position": types.Position(0, 0)}
    assert await server.client.text_document_hover_async(types.HoverParams(**where)) is None


async def test_a_request_that_is_taken_back(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP)
    asked = [
        asyncio.ensure_future(
            server.client.text_document_hover_async(types.HoverParams(**server.here(uri, "servic|e api")))
        )
        for _ in range(5)
    ]
    await asyncio.sleep(0)
    for number in (*list(server.client.protocol._request_futures)[-5:], "no such request"):
        server.client.cancel_request(types.CancelParams(id=number))
    await asyncio.wait(asked, timeout=1)
    assert "service api" in await server.hover(uri, "service a|pi")


async def test_a_file_that_is_not_text(server: Editor, folder: Path) -> None:
    (folder / "binary.mesh").write_bytes(b"\xff\xfe\x00")
    server.open("shop.mesh", SHOP)
    broken = server.uri("binary.mesh")
    (found,) = await server.findings(broken, ["MSH081"])
    assert found.range.start == types.Position(0, 0)
    (folder / "binary.mesh").unlink()
