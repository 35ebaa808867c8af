"""What a client may ask for at the beginning: folders, programs, encodings, findings on demand."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from lsprotocol import types

from meshc.lsp.server import MeshServer, guarded
from support.editor import SHOP, editor

pytestmark = pytest.mark.asyncio


async def test_a_folder_is_one_program_however_deep(tmp_path: Path) -> None:
    (tmp_path / "deep" / "down").mkdir(parents=True)
    (tmp_path / "deep" / "down" / "shop.mesh").write_text(SHOP, encoding="utf-8")
    async with editor(tmp_path) as one:
        uri = one.open("asserts.mesh", "assert never web -> api\n")
        await one.findings(uri, ["MSH310"])
        found = await one.eventually(
            lambda: one.client.workspace_symbol_async(types.WorkspaceSymbolParams(query="api")), bool
        )
        assert [symbol.name for symbol in found or ()] == ["api"]


async def test_programs_within_a_folder(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shop.mesh").write_text(SHOP, encoding="utf-8")
    async with editor(tmp_path, options={"programs": ["one", "./two/"]}) as client:
        uri = client.open("one/more.mesh", "assert never web -> api\n")
        await client.findings(uri, ["MSH310"])
    async with editor(tmp_path) as client:
        uri = client.open("one/more.mesh", "assert never web -> api\n")
        await client.findings(client.uri("two/shop.mesh"), lambda codes: "MSH110" in codes)


async def test_a_folder_that_comes_and_goes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "shop.mesh").write_text(SHOP, encoding="utf-8")
    async with editor(tmp_path, workspace=False) as client:
        uri = client.open("a/deep/asserts.mesh", "assert never web -> api\n")
        await client.findings(uri, lambda codes: "MSH101" in codes)
        folder = types.WorkspaceFolder(uri=(tmp_path / "a").as_uri(), name="a")
        event = types.WorkspaceFoldersChangeEvent(added=[folder], removed=[])
        client.client.workspace_did_change_workspace_folders(types.DidChangeWorkspaceFoldersParams(event=event))
        await client.findings(uri, ["MSH310"])
        event = types.WorkspaceFoldersChangeEvent(added=[], removed=[folder])
        client.client.workspace_did_change_workspace_folders(types.DidChangeWorkspaceFoldersParams(event=event))
        await client.findings(uri, lambda codes: "MSH101" in codes)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_columns_in_the_units_that_were_agreed_upon(tmp_path: Path, encoding: str) -> None:
    async with editor(tmp_path, encodings=[encoding]) as client:
        assert client.client_encoding == encoding
        uri = client.open(
            "shop.mesh", SHOP + 'allow ingress -> api : GET /x because "😀é"; allow web -> webb : GET /\n'
        )
        (found,) = await client.findings(uri, ["MSH101"])
        assert client.text_in(uri, found.range) == "webb"
        client.replace(uri, '"😀é"; allow web -> webb', '"é😀"; allow web -> web')
        await client.findings(uri, lambda codes: "MSH101" not in codes)


async def test_findings_on_demand(tmp_path: Path) -> None:
    async with editor(tmp_path, options={"diagnostics": "pull"}) as client:
        uri = client.open("shop.mesh", SHOP.replace("-> web", "-> webb"))
        params = types.DocumentDiagnosticParams(text_document=types.TextDocumentIdentifier(uri=uri))

        async def codes() -> list[object]:
            report = await client.client.text_document_diagnostic_async(params)
            assert isinstance(report, types.RelatedFullDocumentDiagnosticReport)
            return [item.code for item in report.items]

        await client.eventually(codes, lambda found: found == ["MSH101"])
        client.replace(uri, "webb", "web")
        await client.eventually(codes, lambda found: found == [])
        assert uri not in client.client.diagnostics


async def test_files_that_change_on_disk(tmp_path: Path) -> None:
    (tmp_path / "shop.mesh").write_text(SHOP, encoding="utf-8")
    async with editor(tmp_path) as client:
        uri = client.open("asserts.mesh", "assert never ingress -> api\n")
        await client.findings(uri, [])
        (tmp_path / "shop.mesh").write_text(SHOP + "allow ingress -> api : GET /x\n", encoding="utf-8")
        event = types.FileEvent(uri=client.uri("shop.mesh"), type=types.FileChangeType.Changed)
        client.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams(changes=[event]))
        await client.findings(uri, ["MSH310"])
        (tmp_path / "shop.mesh").unlink()
        client.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams(changes=[event]))
        await client.findings(uri, lambda codes: "MSH310" not in codes and codes != [])


async def test_a_compiler_that_dies_is_started_anew(tmp_path: Path) -> None:
    async with editor(tmp_path) as client:
        uri = client.open("shop.mesh", SHOP)
        await client.findings(uri, [])
        server = client.client._server
        assert server is not None
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
        if not children.exists():
            pytest.skip("this system does not tell a process's children")
        (compiler,) = children.read_text().split()
        os.kill(int(compiler), signal.SIGKILL)
        client.replace(uri, "-> web", "-> webb")
        await client.findings(uri, ["MSH101"])
        assert await client.hover_with(uri, "service a|pi", "service api")


async def test_a_mistake_of_ours_is_an_empty_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(server: MeshServer, params: object) -> str | None:
        raise ValueError("a bug")

    assert await guarded(broken)(MeshServer(), None) is None
    assert "broken failed" in caplog.text


async def test_a_client_that_shows_plain_text_alone(tmp_path: Path) -> None:
    def plain(capabilities: types.ClientCapabilities) -> None:
        assert capabilities.text_document is not None
        capabilities.text_document.hover = types.HoverClientCapabilities(content_format=[types.MarkupKind.PlainText])
        capabilities.text_document.document_symbol = None
        assert capabilities.text_document.publish_diagnostics is not None
        capabilities.text_document.publish_diagnostics.related_information = False

    async with editor(tmp_path, change=plain) as client:
        uri = client.open("shop.mesh", SHOP + "service web {}\n")
        (found,) = await client.findings(uri, ["MSH110"])
        assert found.related_information is None
        assert "shop.mesh:5" in found.message
        told = await client.hover(uri, "ro|ute api")
        assert "`" not in told
        symbols = await client.client.text_document_document_symbol_async(
            types.DocumentSymbolParams(text_document=types.TextDocumentIdentifier(uri=uri))
        )
        flat = [symbol for symbol in symbols or () if isinstance(symbol, types.SymbolInformation)]
        assert len(flat) == len(symbols or ())
        assert [symbol.container_name for symbol in flat if symbol.name == "canary"] == ["route api"]
