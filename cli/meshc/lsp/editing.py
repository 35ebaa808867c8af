"""Requests that help to write: what may come next, what can be mended, the canonical form."""

# ruff: noqa: D103 -- one function a method of the protocol, which says what each does.

from __future__ import annotations

import asyncio

from lsprotocol import types

from meshc.lsp import convert
from meshc.lsp.analysis import actions
from meshc.lsp.analysis import completion as completing
from meshc.lsp.analysis.place import TextEdit
from meshc.lsp.analysis.tidy import formatted
from meshc.lsp.server import MeshServer

FIX_ALL = "source.fixAll.meshc"
"""The kind of the action that applies all safe fixes (a `source.fixAll` that editors can run at each save)."""


async def completion(server: MeshServer, params: types.CompletionParams) -> types.CompletionList | None:
    found = await server.file(params.text_document.uri)
    if found is None:
        return None
    program, document = found
    offset = document.offset(convert.from_position(params.position))
    told = await server.session.answer(program, completing.completion(program.view, document, offset))
    snippets = server.can("text_document.completion.completion_item.snippet_support")
    range_ = convert.to_range(told.range)
    items = [convert.to_completion_item(item, range_, rank, snippets=snippets) for rank, item in enumerate(told.items)]
    return types.CompletionList(is_incomplete=False, items=items)


async def code_actions(server: MeshServer, params: types.CodeActionParams) -> list[types.CodeAction] | None:
    found = await server.file(params.text_document.uri)
    if found is None:
        return None
    program, document = found
    key = document.key
    here = server.session.findings_at(key, convert.from_range(params.range))
    wanted = params.context.only
    versions = server.versions(program)
    told: list[types.CodeAction] = []

    def add(action: actions.Action, kind: str) -> None:
        if wanted is None or any(kind == one or kind.startswith(f"{one}.") for one in wanted):
            diagnostic = None
            if action.finding is not None:
                diagnostic = server.diagnostic(key, action.finding)
            told.append(
                types.CodeAction(
                    title=action.title,
                    kind=kind,
                    diagnostics=None if diagnostic is None else [diagnostic],
                    is_preferred=True if action.preferred else None,
                    edit=convert.to_workspace_edit(server.uris, action.edits, versions),
                )
            )

    for action in actions.fixes(here):
        add(action, types.CodeActionKind.QuickFix.value)
    for action in actions.silences(document, here):
        add(action, types.CodeActionKind.QuickFix.value)
    every = actions.fix_all(key, server.session.findings_in(key))
    if every is not None:
        add(every, FIX_ALL)
    return told


async def formatting(server: MeshServer, params: types.DocumentFormattingParams) -> list[types.TextEdit] | None:
    found = await server.file(params.text_document.uri)
    if found is None:
        return None
    edit: TextEdit | None = await asyncio.to_thread(formatted, found[1].snapshot())
    return [] if edit is None else [convert.to_edit(edit)]
