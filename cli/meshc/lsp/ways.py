"""Requests about names: what they are, where they are declared and used, who calls whom."""

# ruff: noqa: D103 -- one function a method of the protocol, which says what each does.

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from meshc.lsp import convert
from meshc.lsp.analysis import calls, navigation, outline
from meshc.lsp.analysis import hover as hovering
from meshc.lsp.analysis.document import Cursor
from meshc.lsp.analysis.pending import Pending
from meshc.lsp.analysis.question import AboutName, NameFact
from meshc.lsp.analysis.symbol import NameKind
from meshc.lsp.server import MeshServer
from meshc.lsp.session import OpenProgram


class _RequestFailedError(JsonRpcException):
    """A request that cannot be met, and why: shown to the user as it is."""

    CODE = types.LSPErrorCodes.RequestFailed.value
    MESSAGE = "request failed"


async def hover(server: MeshServer, params: types.HoverParams) -> types.Hover | None:
    found = await server.cursor(params)
    if found is None:
        return None
    program, cursor = found
    told = await server.session.answer(program, hovering.hover(program.view, cursor))
    if told is None:
        return None
    formats = server.client_capabilities.text_document
    wanted = formats.hover.content_format if formats is not None and formats.hover is not None else None
    plain = wanted is not None and types.MarkupKind.Markdown not in wanted
    kind = types.MarkupKind.PlainText if plain else types.MarkupKind.Markdown
    text = hovering.plain_text(told.text) if plain else told.text
    return types.Hover(contents=types.MarkupContent(kind=kind, value=text), range=convert.to_range(told.range))


async def definition(
    server: MeshServer, params: types.DefinitionParams
) -> Sequence[types.Location] | Sequence[types.LocationLink] | None:
    found = await server.cursor(params, all_files=True)
    if found is None:
        return None
    program, cursor = found
    places = navigation.definitions(program.view, cursor) or await _imported(server, program, cursor)
    if server.can("text_document.definition.link_support"):
        return [convert.to_link(server.uris, place) for place in places]
    return [convert.to_location(server.uris, place.place) for place in places]


async def _imported(server: MeshServer, program: OpenProgram, cursor: Cursor) -> tuple[navigation.Definition, ...]:
    """Return where a name is declared that no statement declares: in a manifest."""
    named = program.view.name_at(cursor)
    if named is None or named[1].kind is not NameKind.PEER:
        return ()
    site, key = named
    fact = await server.session.answer(program, Pending((AboutName(key.name),), lambda facts: facts[0]), patient=True)
    if not isinstance(fact, NameFact) or fact.origin is None:
        return ()
    place = server.session.place(program, fact.origin)
    return () if place is None else (navigation.Definition(site.range, place, place.range),)


async def references(server: MeshServer, params: types.ReferenceParams) -> list[types.Location] | None:
    found = await server.cursor(params, all_files=True)
    if found is None:
        return None
    program, cursor = found
    places = navigation.references(program.view, cursor, with_declaration=params.context.include_declaration)
    return [convert.to_location(server.uris, place) for place in places]


async def highlight(server: MeshServer, params: types.DocumentHighlightParams) -> list[types.DocumentHighlight] | None:
    found = await server.cursor(params)
    if found is None:
        return None
    program, cursor = found
    return [
        types.DocumentHighlight(
            range=convert.to_range(one.range),
            kind=types.DocumentHighlightKind.Write if one.declared else types.DocumentHighlightKind.Read,
        )
        for one in navigation.highlights(program.view, cursor)
    ]


async def prepare_rename(
    server: MeshServer, params: types.PrepareRenameParams
) -> types.PrepareRenamePlaceholder | None:
    found = await server.cursor(params, all_files=True)
    if found is None:
        return None
    program, cursor = found
    try:
        range_, name = navigation.renamable(program.view, cursor)
    except navigation.RefusedError as refusal:
        raise _RequestFailedError(message=str(refusal)) from None
    return types.PrepareRenamePlaceholder(range=convert.to_range(range_), placeholder=name)


async def rename(server: MeshServer, params: types.RenameParams) -> types.WorkspaceEdit | None:
    found = await server.cursor(params, all_files=True)
    if found is None:
        return None
    program, cursor = found
    try:
        edits = navigation.rename(program.view, cursor, params.new_name)
    except navigation.RefusedError as refusal:
        raise _RequestFailedError(message=str(refusal)) from None
    return convert.to_workspace_edit(server.uris, edits, server.versions(program))


async def document_symbols(
    server: MeshServer, params: types.DocumentSymbolParams
) -> Sequence[types.DocumentSymbol] | Sequence[types.SymbolInformation] | None:
    found = await server.file(params.text_document.uri)
    if found is None:
        return None
    entries = await asyncio.to_thread(outline.outline, found[1].snapshot())
    if server.can("text_document.document_symbol.hierarchical_document_symbol_support"):
        return [convert.to_document_symbol(entry) for entry in entries]
    return convert.to_flat_symbols(server.uris, found[1].key, entries, "")


async def workspace_symbols(
    server: MeshServer, params: types.WorkspaceSymbolParams
) -> list[types.WorkspaceSymbol] | None:
    return [
        convert.to_workspace_symbol(server.uris, symbol)
        for program in server.session.programs
        for symbol in outline.named_symbols(program.view, params.query)
    ]


# ---- calls


async def prepare_calls(
    server: MeshServer, params: types.CallHierarchyPrepareParams
) -> list[types.CallHierarchyItem] | None:
    found = await server.cursor(params, all_files=True)
    caller = None if found is None else calls.callable_at(found[0].view, found[1])
    return None if caller is None else [convert.to_call_item(server.uris, caller)]


async def incoming_calls(
    server: MeshServer, params: types.CallHierarchyIncomingCallsParams
) -> list[types.CallHierarchyIncomingCall] | None:
    found = await server.file(params.item.uri, all_files=True)
    if found is None:
        return None
    program, _ = found
    told = await server.session.answer(program, calls.incoming(program.view, _name(params.item)), patient=True)
    return [
        types.CallHierarchyIncomingCall(
            from_=convert.to_call_item(server.uris, call.peer),
            from_ranges=[convert.to_range(range_) for range_ in call.ranges],
        )
        for call in told
    ]


async def outgoing_calls(
    server: MeshServer, params: types.CallHierarchyOutgoingCallsParams
) -> list[types.CallHierarchyOutgoingCall] | None:
    found = await server.file(params.item.uri, all_files=True)
    if found is None:
        return None
    program, document = found
    asked = calls.outgoing(program.view, _name(params.item), document.key)
    told = await server.session.answer(program, asked, patient=True)
    return [
        types.CallHierarchyOutgoingCall(
            to=convert.to_call_item(server.uris, call.peer),
            from_ranges=[convert.to_range(range_) for range_ in call.ranges],
        )
        for call in told
    ]


def _name(item: types.CallHierarchyItem) -> str:
    data: Any = item.data
    return str(data["name"]) if isinstance(data, dict) and "name" in data else item.name
