"""How a server has a program shown: colours by meaning, remarks, folds, selections, and who calls whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types

from meshc.lsp.display import LEGEND
from support.editor import SHOP, Editor

pytestmark = pytest.mark.asyncio(loop_scope="module")

MORE = """\
import "other.mesh"
import "another.mesh"

# Two lines
# of comment.
external pay { hosts: ["pay.example"], port: 443/tls }
group readers = [web, ingress]
allow readers -> pay : GET /x/** if header "a" == "😀", POST ~"/y"
"""


def whole(server: Editor, uri: str) -> types.Range:
    end = server.files[uri].position(len(server.files[uri].source.text))
    return types.Range(start=types.Position(0, 0), end=types.Position(end.line, end.character))


def named(server: Editor, uri: str, data: object) -> list[tuple[str, str, list[str]]]:
    """Semantic tokens as text, kind and modifiers."""
    numbers = [int(number) for number in data]  # type: ignore[attr-defined]
    found = []
    line = column = 0
    for at in range(0, len(numbers), 5):
        down, right, length, kind, bits = numbers[at : at + 5]
        line, column = line + down, right + (0 if down else column)
        range_ = types.Range(start=types.Position(line, column), end=types.Position(line, column + length))
        modifiers = [name for bit, name in enumerate(LEGEND.token_modifiers) if bits >> bit & 1]
        found.append((server.text_in(uri, range_), LEGEND.token_types[kind], modifiers))
    return found


async def test_colours_by_meaning(server: Editor, folder: Path) -> None:
    uri = server.open("more.mesh", SHOP + MORE)
    identifier = types.TextDocumentIdentifier(uri=uri)
    params = types.SemanticTokensParams(text_document=identifier)
    told = await server.client.text_document_semantic_tokens_full_async(params)
    assert told is not None
    found = named(server, uri, told.data)
    assert ("service", "keyword", []) in found
    assert ("web", "class", ["declaration"]) in found
    assert ("web", "class", []) in found
    assert ("pay", "interface", ["declaration"]) in found
    assert ("pay", "interface", []) in found
    assert ("readers", "enum", []) in found
    assert ("v1", "enumMember", ["declaration"]) in found
    assert ("timeout", "property", []) in found
    assert ("5s", "number", []) in found
    assert ("8080/http", "number", []) in found
    assert ("GET", "method", []) in found
    assert ("/v1/orders/**", "string", []) in found
    assert ('~"/y"', "regexp", []) in found
    assert ('"😀"', "string", []) in found
    assert ("## People browse here.", "comment", ["documentation"]) in found
    assert ("canary", "function", ["declaration"]) in found
    some = types.SemanticTokensRangeParams(
        text_document=identifier, range=types.Range(start=types.Position(4, 0), end=types.Position(5, 3))
    )
    part = await server.client.text_document_semantic_tokens_range_async(some)
    assert part is not None
    first = found.index(("web", "class", ["declaration"])) - 1
    shown = named(server, uri, part.data)
    assert shown == found[first : first + len(shown)]
    assert [text for text, _, _ in shown].count("service") == 2


async def test_colours_of_a_broken_text(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP.replace("timeout: 2s }", "timeout: 2s "))
    params = types.SemanticTokensParams(text_document=types.TextDocumentIdentifier(uri=uri))
    told = await server.client.text_document_semantic_tokens_full_async(params)
    assert told is not None
    found = named(server, uri, told.data)
    assert ("edge", "keyword", []) in found
    assert ("2s", "number", []) in found
    assert ("canary", "function", ["declaration"]) in found


async def test_remarks_between_the_lines(server: Editor, folder: Path) -> None:
    text = SHOP.replace("timeout: 2s }", "timeout: 2s, retry { limit: 2, on: [reset], idempotent: true } }")
    uri = server.open("shop.mesh", text + "group readers = [web, ingress]\n")
    params = types.InlayHintParams(text_document=types.TextDocumentIdentifier(uri=uri), range=whole(server, uri))

    async def ask() -> list[tuple[str, str]]:
        told = await server.client.text_document_inlay_hint_async(params) or ()
        lines = server.files[uri].source.text.splitlines()
        return [(lines[one.position.line][: one.position.character], str(one.label)) for one in told]

    found = await server.eventually(ask, lambda told: len(told) >= 5)
    assert ("service web", "1 caller") in found
    assert ("service api", "1 caller") in found
    assert ("allow web -> api", "timeout 2s, 3 tries") in found
    assert ("edge web -> api", "timeout 2s, 3 tries") in found
    assert ("allow ingress -> web", "timeout 5s") in found
    assert ("group readers", "2 members") in found


async def test_what_can_be_folded(server: Editor, folder: Path) -> None:
    uri = server.open("more.mesh", SHOP + MORE)
    params = types.FoldingRangeParams(text_document=types.TextDocumentIdentifier(uri=uri))
    told = await server.client.text_document_folding_range_async(params) or ()
    lines = server.files[uri].source.text.splitlines()
    found = {(lines[one.start_line], lines[one.end_line], one.kind) for one in told}
    region, comment, imports = (
        types.FoldingRangeKind.Region,
        types.FoldingRangeKind.Comment,
        types.FoldingRangeKind.Imports,
    )
    assert ("allow web -> api {", '  POST /v1/orders if header "x-csrf" present', region) in found
    assert ("route api {", "  /v1/** => v1 90%, v2 10% as canary", region) in found
    assert ("# Two lines", "# of comment.", comment) in found
    assert ('import "other.mesh"', 'import "another.mesh"', imports) in found
    assert len(found) == 4


async def test_selections_grow_from_the_word_to_the_file(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP)
    params = types.SelectionRangeParams(
        text_document=types.TextDocumentIdentifier(uri=uri), positions=[server.at(uri, "edge web -> a|pi")]
    )
    (told,) = await server.client.text_document_selection_range_async(params) or ()
    texts = []
    here: types.SelectionRange | None = told
    while here is not None:
        texts.append(server.text_in(uri, here.range))
        here = here.parent
    assert texts == ["api", "web -> api", "edge web -> api { timeout: 2s }", "edge web -> api { timeout: 2s }\n", SHOP]


async def test_selections_in_a_broken_text(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", "allow web -> {\n")
    params = types.SelectionRangeParams(
        text_document=types.TextDocumentIdentifier(uri=uri), positions=[server.at(uri, "allow w|eb")]
    )
    (told,) = await server.client.text_document_selection_range_async(params) or ()
    assert server.text_in(uri, told.range) == "web"


async def test_who_calls_whom(server: Editor, folder: Path) -> None:
    (folder / "more.mesh").write_text('external pay { hosts: ["pay.example"], port: 443/tls }\n', encoding="utf-8")
    uri = server.open("shop.mesh", SHOP + "allow api -> pay : POST /x\n")
    await server.findings(uri, [])
    prepared = await server.client.text_document_prepare_call_hierarchy_async(
        types.CallHierarchyPrepareParams(**server.here(uri, "allow web -> a|pi"))
    )
    assert prepared is not None
    (api,) = prepared
    assert (api.name, server.text_in(api.uri, api.selection_range)) == ("api", "api")
    incoming = await server.client.call_hierarchy_incoming_calls_async(types.CallHierarchyIncomingCallsParams(item=api))
    assert [
        (call.from_.name, [server.text_in(call.from_.uri, one) for one in call.from_ranges]) for call in incoming or ()
    ] == [("web", ["GET /v1/orders/**", 'POST /v1/orders if header "x-csrf" present'])]
    outgoing = await server.client.call_hierarchy_outgoing_calls_async(types.CallHierarchyOutgoingCallsParams(item=api))
    assert [(call.to.name, [server.text_in(uri, one) for one in call.from_ranges]) for call in outgoing or ()] == [
        ("pay", ["POST /x"])
    ]
    (web,) = [call.from_ for call in incoming or ()]
    further = await server.client.call_hierarchy_incoming_calls_async(types.CallHierarchyIncomingCallsParams(item=web))
    assert [call.from_.name for call in further or ()] == ["ingress"]


async def test_the_calls_of_nothing(server: Editor, folder: Path) -> None:
    uri = server.open("shop.mesh", SHOP)
    asked = types.CallHierarchyPrepareParams(**server.here(uri, "edi|tion 2026"))
    assert not await server.client.text_document_prepare_call_hierarchy_async(asked)
