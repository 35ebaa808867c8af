"""What an editor tells about names, and the ways between them, over several files and in broken text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from support.editor import SHOP, Editor

pytestmark = pytest.mark.asyncio(loop_scope="module")

MORE = """\
group readers = [web, ingress]
deny any -> api : /admin/** because "break-glass only"
assert never ingress -> api
test "orders" {
  web -> api GET /v1/orders/42 is allowed, routed v1
}
"""


# ---- hover


async def test_a_service_says_who_it_is_and_who_may_call_it(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP)
    told = await server.hover_with(uri, "allow ingress -> w|eb", "spiffe")
    assert "service web { port: 8080/http }" in told
    assert "People browse here." in told
    assert "spiffe://shop.example/ns/default/sa/web" in told
    assert "ports: " in told
    assert "may be called by" in told
    assert "ingress" in told
    told = await server.hover_with(uri, "service a|pi", "may be called by")
    assert "web" in told
    assert "(2)" in told
    assert "timeout" in told
    assert "shop.mesh:8" in told


async def test_an_edge_says_what_is_granted_and_where_settings_come_from(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP)
    await server.hover_with(uri, "service a|pi", "spiffe")
    told = await server.hover_with(uri, "edge web -|> api", "allowed")
    assert "GET /v1/orders/**" in told
    assert "timeout" in told
    assert "2s" in told
    assert "shop.mesh:14" in told
    assert "5s" in told
    told = await server.hover_with(uri, "a|llow web -> api", "allowed")
    assert "Grants requests" in told
    assert "POST /v1/orders" in told


async def test_a_setting_says_its_value_at_each_scope(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP)
    told = await server.hover_with(uri, "edge web -> api { tim|eout", "5s")
    assert "retries included" in told
    assert "edge" in told
    assert "mesh" in told


async def test_a_rule_shows_a_request_that_it_decides(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP)
    told = await server.hover_with(uri, "  G|ET /v1/orders/**", "for example")
    assert "web -> api GET /v1/orders" in told
    told = await server.hover_with(uri, "as can|ary", "for example")
    assert "web -> api" in told
    assert "v1 90%" in told


async def test_words_and_fields_are_explained(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP)
    assert "trust domain" in await server.hover(uri, "mesh shop { trust-do|main")
    assert "Where a service's requests go" in await server.hover(uri, "ro|ute api")
    assert "gateway" in await server.hover(uri, "allow in|gress -> web")
    assert "list" in await server.hover(uri, "if hea|der")
    assert "POST /v1/orders" in await server.hover(uri, '"x-c|srf"')


async def test_a_code_in_a_comment_shows_its_page(server: Editor, folder: Path) -> None:
    uri = server.open(
        "shop.mesh", SHOP + "# meshc: ignore[MSH304] it is called by hand\nservice idle { port: 80/http }\n"
    )
    told = await server.hover(uri, "ignore[MSH|304]")
    assert "unreachable-service" in told
    assert "nobody may call" in told


async def test_what_is_known_stays_known_while_the_text_is_broken(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP)
    await server.hover_with(uri, "service w|eb", "spiffe")
    server.replace(uri, "edition 2026\n", "edition 2026\n\n\nallow web -> {\n")
    await server.findings(uri, lambda codes: codes != [])
    assert "service web" in await server.hover(uri, "allow w|eb -> {")


# ---- ways


async def test_from_a_name_to_its_declaration_in_another_file(server: Editor, folder: Path) -> None:
    (folder / "shop.mesh").write_text(SHOP, encoding="utf-8")
    uri = server.open("more.mesh", MORE)
    await server.findings(uri, lambda codes: "MSH101" not in codes)

    async def ask(marked: str) -> list[str]:
        params = types.DefinitionParams(**server.here(uri, marked))
        found = await server.client.text_document_definition_async(params)
        assert isinstance(found, list | tuple)
        texts = []
        for one in found:
            if isinstance(one, types.LocationLink):
                texts.append(server.text_in(one.target_uri, one.target_selection_range))
                assert server.text_in(one.target_uri, one.target_range).startswith(("service", "route"))
            else:
                texts.append(server.text_at(one))
        return texts

    assert await server.eventually(lambda: ask("group readers = [we|b"), lambda found: found == ["web"])
    assert await ask("routed v|1") == ["v1"]
    assert await ask("web -> ap|i GET") == ["api"]
    assert await ask("deny an|y") == []


async def test_everywhere_that_a_name_is_used(server: Editor, folder: Path) -> None:
    (folder / "shop.mesh").write_text(SHOP, encoding="utf-8")
    uri = server.open("more.mesh", MORE)

    async def ask(declaration: bool) -> list[types.Location]:
        params = types.ReferenceParams(
            **server.here(uri, "group readers = [we|b"), context=types.ReferenceContext(include_declaration=declaration)
        )
        return list(await server.client.text_document_references_async(params) or ())

    found = await server.eventually(lambda: ask(True), lambda found: len(found) == 6)
    assert {server.text_at(one) for one in found} == {"web"}
    assert len({one.uri for one in found}) == 2
    assert len(await ask(False)) == 5


async def test_a_name_is_marked_where_it_stands(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP)
    params = types.DocumentHighlightParams(**server.here(uri, "edge web -> ap|i"))
    found = await server.client.text_document_document_highlight_async(params) or ()
    assert [(server.text_in(uri, one.range), one.kind) for one in found] == [
        ("api", types.DocumentHighlightKind.Write),
        ("api", types.DocumentHighlightKind.Read),
        ("api", types.DocumentHighlightKind.Read),
        ("api", types.DocumentHighlightKind.Read),
    ]


# ---- rename


async def renamed(server: Editor, uri: str, marked: str, new: str) -> dict[str, str]:
    """Rename, and return each file's text with the edits in it, by name."""
    prepared = await server.client.text_document_prepare_rename_async(
        types.PrepareRenameParams(**server.here(uri, marked))
    )
    assert prepared is not None
    edit = await server.client.text_document_rename_async(types.RenameParams(**server.here(uri, marked), new_name=new))
    assert edit is not None
    if edit.changes is not None:
        changes: dict[str, Sequence[Any]] = dict(edit.changes)
    else:
        changes = {
            one.text_document.uri: one.edits
            for one in edit.document_changes or ()
            if isinstance(one, types.TextDocumentEdit)
        }
    texts = {}
    for name, edits in changes.items():
        if name not in server.files:
            server.open(name.rpartition("/")[2], Path(name.removeprefix("file://")).read_text(encoding="utf-8"))
        texts[name.rpartition("/")[2]] = server.applied(name, edits)
    return texts


async def test_a_service_under_another_name(server: Editor, folder: Path) -> None:
    (folder / "shop.mesh").write_text(SHOP, encoding="utf-8")
    uri = server.open("more.mesh", MORE)

    async def both() -> dict[str, str]:
        return await renamed(server, uri, "group readers = [we|b", "shop-front")

    await server.eventually(lambda: server.hover(uri, "group readers = [we|b"), lambda told: "service web" in told)
    texts = await both()
    assert texts == {
        "shop.mesh": SHOP.replace("service web", "service shop-front")
        .replace("web ->", "shop-front ->")
        .replace("-> web", "-> shop-front"),
        "more.mesh": MORE.replace("[web", "[shop-front").replace("web ->", "shop-front ->"),
    }


async def test_versions_and_rules_under_other_names(server: Editor, folder: Path) -> None:
    text = SHOP.replace("}\nroute", "}\nroute").replace(
        "as canary\n", "as canary\n  /v1/x/** => v1 as pinned over canary\n"
    )
    uri = server.open("shop.mesh", text)
    assert await renamed(server, uri, "=> v|1 90%", "stable") == {
        "shop.mesh": text.replace("v1,", "stable,").replace("=> v1", "=> stable")
    }
    assert await renamed(server, uri, "over can|ary", "new") == {"shop.mesh": text.replace("canary", "new")}


@pytest.mark.parametrize(
    ("marked", "new", "reason"),
    [
        ("service we|b", "api", "already"),
        ("service we|b", "any", "word of the language"),
        ("service we|b", "no name", "is no name"),
        ("service we|b", "9web", "is no name"),
    ],
)
async def test_names_that_a_rename_refuses(server: Editor, folder: Path, marked: str, new: str, reason: str) -> None:
    uri = server.open("shop.mesh", SHOP)
    with pytest.raises(JsonRpcException, match=reason):
        await server.client.text_document_rename_async(types.RenameParams(**server.here(uri, marked), new_name=new))


@pytest.mark.parametrize("marked", ["allow ing|ress -> web", "GE|T|HEAD", "editi|on 2026"])
async def test_what_cannot_be_renamed_says_so(server: Editor, folder: Path, marked: str) -> None:
    uri = server.open("shop.mesh", SHOP)
    with pytest.raises(JsonRpcException, match=r"can't be renamed|no name here"):
        await server.client.text_document_prepare_rename_async(types.PrepareRenameParams(**server.here(uri, marked)))


# ---- lists and form


async def test_the_outline_of_a_file(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP + MORE)
    params = types.DocumentSymbolParams(text_document=types.TextDocumentIdentifier(uri=uri))
    found = await server.client.text_document_document_symbol_async(params) or ()
    by_name = {one.name: one for one in found if isinstance(one, types.DocumentSymbol)}
    assert {"shop", "web", "api", "allow web -> api", "edge web -> api", "route api", "readers"} <= by_name.keys()
    allow = by_name["allow web -> api"]
    assert [child.name for child in allow.children or ()] == [
        "GET /v1/orders/**",
        'POST /v1/orders if header "x-csrf" present',
    ]
    assert [child.name for child in by_name["route api"].children or ()] == ["canary"]
    for one in found:
        assert isinstance(one, types.DocumentSymbol)
        assert one.range.start <= one.selection_range.start
        assert one.selection_range.end <= one.range.end


async def test_the_outline_of_a_broken_file(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP.replace("timeout: 2s }", "timeout: 2s "))
    params = types.DocumentSymbolParams(text_document=types.TextDocumentIdentifier(uri=uri))
    found = await server.client.text_document_document_symbol_async(params) or ()
    names = [one.name for one in found]
    assert "route api" in names
    assert "edge web -> api { timeout: 2s" in names


async def test_names_of_the_whole_program(server: Editor, folder: Path) -> None:
    (folder / "shop.mesh").write_text(SHOP, encoding="utf-8")
    server.open("more.mesh", MORE)

    async def ask() -> list[str]:
        found = await server.client.workspace_symbol_async(types.WorkspaceSymbolParams(query="rea"))
        return [one.name for one in found or () if str(folder) in one.location.uri]

    assert await server.eventually(ask, lambda names: "readers" in names)


async def test_a_file_in_its_canonical_form(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP.replace("service web {", "service   web{"))
    params = types.DocumentFormattingParams(
        text_document=types.TextDocumentIdentifier(uri=uri),
        options=types.FormattingOptions(tab_size=2, insert_spaces=True),
    )
    edits = await server.client.text_document_formatting_async(params)
    assert server.applied(uri, edits or ()) == SHOP
    server.replace(uri, "edge web", "edge web !")
    assert not await server.client.text_document_formatting_async(params)


async def test_a_file_in_its_canonical_form_already(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP)
    params = types.DocumentFormattingParams(
        text_document=types.TextDocumentIdentifier(uri=uri),
        options=types.FormattingOptions(tab_size=2, insert_spaces=True),
    )
    assert list(await server.client.text_document_formatting_async(params) or ()) == []
