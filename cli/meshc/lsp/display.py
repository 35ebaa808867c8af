"""Requests about how a text is shown: findings, colours by meaning, remarks between the lines, folds, selections."""

# ruff: noqa: D103 -- one function a method of the protocol, which says what each does.

from __future__ import annotations

import asyncio

from lsprotocol import types

from meshc.lsp import convert
from meshc.lsp.analysis import folding, hints
from meshc.lsp.analysis.highlighting import KINDS, MODIFIERS, peer_kinds, semantic_tokens
from meshc.lsp.server import MeshServer

LEGEND = types.SemanticTokensLegend(
    token_types=[kind.value for kind in KINDS], token_modifiers=[modifier.value for modifier in MODIFIERS]
)
"""What the numbers in semantic tokens mean."""


async def diagnostics(
    server: MeshServer, params: types.DocumentDiagnosticParams
) -> types.RelatedFullDocumentDiagnosticReport:
    found = await server.file(params.text_document.uri)
    if found is None:
        return types.RelatedFullDocumentDiagnosticReport(items=[])
    program, document = found
    await server.session.known(program)
    told = server.session.findings_in(document.key)
    return types.RelatedFullDocumentDiagnosticReport(items=[server.diagnostic(document.key, one) for one in told])


async def tokens(server: MeshServer, params: types.SemanticTokensParams) -> types.SemanticTokens | None:
    found = await server.file(params.text_document.uri)
    if found is None:
        return None
    program, document = found
    data = await asyncio.to_thread(semantic_tokens, peer_kinds(program.view), document.snapshot())
    return types.SemanticTokens(data=data)


async def tokens_in_range(server: MeshServer, params: types.SemanticTokensRangeParams) -> types.SemanticTokens | None:
    found = await server.file(params.text_document.uri)
    if found is None:
        return None
    program, document = found
    return types.SemanticTokens(
        data=semantic_tokens(peer_kinds(program.view), document, convert.from_range(params.range))
    )


async def inlay_hints(server: MeshServer, params: types.InlayHintParams) -> list[types.InlayHint] | None:
    found = await server.file(params.text_document.uri)
    if found is None:
        return None
    program, document = found
    asked = hints.hints(program.view, document, convert.from_range(params.range))
    return [
        types.InlayHint(position=convert.to_position(hint.position), label=hint.text, padding_left=True)
        for hint in await server.session.answer(program, asked, patient=True)
    ]


async def folding_ranges(server: MeshServer, params: types.FoldingRangeParams) -> list[types.FoldingRange] | None:
    found = await server.file(params.text_document.uri)
    if found is None:
        return None
    return [
        types.FoldingRange(start_line=fold.first, end_line=fold.last, kind=types.FoldingRangeKind(fold.kind.value))
        for fold in await asyncio.to_thread(folding.folds, found[1].snapshot())
    ]


async def selection_ranges(server: MeshServer, params: types.SelectionRangeParams) -> list[types.SelectionRange] | None:
    found = await server.file(params.text_document.uri)
    if found is None:
        return None
    _, document = found
    told: list[types.SelectionRange] = []
    for position in params.positions:
        chain: types.SelectionRange | None = None
        for range_ in reversed(folding.selections(document, convert.from_position(position))):
            chain = types.SelectionRange(range=convert.to_range(range_), parent=chain)
        told.append(chain or types.SelectionRange(range=types.Range(start=position, end=position)))
    return told
