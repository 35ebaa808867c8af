"""What a server offers while a program is written, and to mend what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from support.editor import SHOP, Editor

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_may_come_next_replaces_what_is_written(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP)
    server.append(uri, "allow web -> a")
    items = await at_end(server, uri)
    (api,) = [item for item in items if item.label == "api"]
    assert isinstance(api.text_edit, types.TextEdit)
    assert server.applied(uri, [api.text_edit]) == SHOP + "allow web -> api"
    assert [item.sort_text for item in items] == sorted(str(item.sort_text) for item in items)


async def at_end(server: Editor, uri: str) -> Sequence[types.CompletionItem]:
    document = server.files[uri]
    end = document.position(len(document.source.text))
    params = types.CompletionParams(
        text_document=types.TextDocumentIdentifier(uri=uri), position=types.Position(end.line, end.character)
    )
    found = await server.client.text_document_completion_async(params)
    assert isinstance(found, types.CompletionList)
    return found.items


async def test_snippets_for_those_who_can_fill_them_in(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP)
    server.append(uri, "edge web -> api { ti")
    (timeout,) = [item for item in await at_end(server, uri) if item.label == "timeout"]
    assert timeout.insert_text_format is types.InsertTextFormat.Snippet
    assert isinstance(timeout.text_edit, types.TextEdit)
    assert timeout.text_edit.new_text == "timeout: ${1:2s}"
    assert timeout.detail == "timeout: 2s"


async def test_an_emoji_before_the_place(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP + 'allow ingress -> api : GET /v1/x because "😀 well" # 😀\n')
    assert server.client_encoding in ("utf-8", "utf-16")
    server.replace(uri, '" # 😀', '"; allow web -> webb : GET /y # 😀')
    (found,) = await server.findings(uri, lambda codes: codes.count("MSH101") == 1 and len(codes) == 1)
    assert server.text_in(uri, found.range) == "webb"
    emoji = {"utf-8": 4, "utf-16": 2}[server.client_encoding]
    before = 'allow ingress -> api : GET /v1/x because " well"; allow web -> '
    assert found.range.start.character == len(before) + emoji
    assert "service web" in await server.hover(uri, "; allow w|eb ->")
    server.replace(uri, "webb : GET /y", "web : GET /y")
    await server.findings(uri, lambda codes: "MSH101" not in codes)


# ---- mending


async def actions(server: Editor, uri: str, marked: str, only: list[str] | None = None) -> list[types.CodeAction]:
    at = server.at(uri, marked)
    params = types.CodeActionParams(
        text_document=types.TextDocumentIdentifier(uri=uri),
        range=types.Range(start=at, end=at),
        context=types.CodeActionContext(diagnostics=[], only=only),
    )
    found = await server.client.text_document_code_action_async(params) or ()
    return [one for one in found if isinstance(one, types.CodeAction)]


def done(server: Editor, uri: str, action: types.CodeAction) -> str:
    """Return the text of a file when an action is done."""
    assert action.edit is not None
    edits: dict[str, Sequence[Any]] = dict(action.edit.changes or {})
    for change in action.edit.document_changes or ():
        assert isinstance(change, types.TextDocumentEdit)
        assert change.text_document.version == server.files[change.text_document.uri].version
        edits[change.text_document.uri] = change.edits
    assert list(edits) == [uri]
    return server.applied(uri, edits[uri])


async def test_a_misspelt_name_is_mended(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP.replace("-> web :", "-> webb :"))
    await server.findings(uri, ["MSH101"])
    (mend,) = [one for one in await actions(server, uri, "-> we|bb") if one.kind == types.CodeActionKind.QuickFix]
    assert mend.title == "write `web`"
    assert done(server, uri, mend) == SHOP
    assert mend.diagnostics is not None
    assert mend.diagnostics[0].code == "MSH101"


async def test_a_safe_fix_is_preferred_and_all_of_them_are_applied_at_once(server: Editor, folder: Path) -> None:
    broken = SHOP.replace("GET|HEAD /**", "get /**").replace("edge web -> api", "edge web => api")
    uri = server.open("shop.mesh", broken)
    await server.findings(uri, lambda codes: len(codes) >= 2)
    (mend,) = [one for one in await actions(server, uri, ": g|et /**") if one.is_preferred]
    assert done(server, uri, mend) == broken.replace("get /**", "GET /**")
    (every,) = await actions(server, uri, "|edition 2026", ["source.fixAll"])
    assert every.kind == "source.fixAll.meshc"
    assert done(server, uri, every) == SHOP.replace("GET|HEAD", "GET")


async def test_a_finding_is_kept_silent_with_a_reason(server: Editor, folder: Path) -> None:
    text = SHOP + "service idle { port: 80/http }\n"
    uri = server.open("shop.mesh", text)
    await server.findings(uri, ["MSH304"])
    (silence,) = [one for one in await actions(server, uri, "service id|le") if "silent" in one.title]
    silent = done(server, uri, silence)
    assert silent == SHOP + "# meshc: ignore[MSH304] say why this is right\nservice idle { port: 80/http }\n"
    server.rewrite(uri, silent)
    await server.findings(uri, [])


async def test_what_cannot_be_kept_silent_offers_no_silence(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP + "assert never web -> api\n")
    await server.findings(uri, ["MSH310"])
    assert [one for one in await actions(server, uri, "assert ne|ver") if "silent" in one.title] == []


async def test_nothing_to_mend(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP)
    await server.findings(uri, [])
    assert await actions(server, uri, "service we|b") == []
    assert await actions(server, server.uri("shop.mesh"), "edi|tion") == []
