"""Every request that the server answers, with its options: one line a feature."""

# ruff: noqa: D103 -- one function a method of the protocol, which says what each does.

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from meshc.lsp import convert
from meshc.lsp.analysis import hover as hovering
from meshc.lsp.analysis import navigation, outline
from meshc.lsp.analysis.place import TextEdit
from meshc.lsp.analysis.tidy import formatted
from meshc.lsp.server import MeshServer
from meshc_lang.record import dataclass


@dataclass(frozen=True, slots=True)
class Feature:
    """A method of the protocol, the options that are told to the client, and who answers."""

    method: str
    handler: Callable[[MeshServer, Any], Awaitable[Any]]
    options: Any = None


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
    places = navigation.definitions(program.view, cursor)
    if server.can("text_document.definition.link_support"):
        return [convert.to_link(server.uris, place) for place in places]
    return [convert.to_location(server.uris, place.place) for place in places]


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
    entries = outline.outline(found[1])
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


async def formatting(server: MeshServer, params: types.DocumentFormattingParams) -> list[types.TextEdit] | None:
    found = await server.file(params.text_document.uri)
    if found is None:
        return None
    edit: TextEdit | None = formatted(found[1])
    return [] if edit is None else [convert.to_edit(edit)]


FEATURES = (
    Feature(types.TEXT_DOCUMENT_HOVER, hover),
    Feature(types.TEXT_DOCUMENT_DEFINITION, definition),
    Feature(types.TEXT_DOCUMENT_REFERENCES, references),
    Feature(types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT, highlight),
    Feature(types.TEXT_DOCUMENT_PREPARE_RENAME, prepare_rename),
    Feature(types.TEXT_DOCUMENT_RENAME, rename, types.RenameOptions(prepare_provider=True)),
    Feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, document_symbols),
    Feature(types.WORKSPACE_SYMBOL, workspace_symbols),
    Feature(types.TEXT_DOCUMENT_FORMATTING, formatting),
)
"""What the server answers."""
