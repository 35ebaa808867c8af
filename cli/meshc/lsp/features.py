"""Every request that the server answers, with its options: one line a feature."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from lsprotocol import types

from meshc.lsp import display, editing, ways
from meshc.lsp.server import MeshServer
from meshc_lang.record import dataclass

TRIGGERS = (" ", ">", ":", "[", "(", ".", "/", '"')
"""The signs behind which an editor asks what may come next without being told to."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A method of the protocol, who answers, and the options that are told to the client."""

    method: str
    handler: Callable[[MeshServer, Any], Awaitable[Any]]
    options: Any = None


_ACTIONS = types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix, editing.FIX_ALL])

FEATURES = (
    Feature(types.TEXT_DOCUMENT_HOVER, ways.hover),
    Feature(types.TEXT_DOCUMENT_DEFINITION, ways.definition),
    Feature(types.TEXT_DOCUMENT_REFERENCES, ways.references),
    Feature(types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT, ways.highlight),
    Feature(types.TEXT_DOCUMENT_PREPARE_RENAME, ways.prepare_rename),
    Feature(types.TEXT_DOCUMENT_RENAME, ways.rename, types.RenameOptions(prepare_provider=True)),
    Feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, ways.document_symbols),
    Feature(types.WORKSPACE_SYMBOL, ways.workspace_symbols),
    Feature(types.TEXT_DOCUMENT_PREPARE_CALL_HIERARCHY, ways.prepare_calls),
    Feature(types.CALL_HIERARCHY_INCOMING_CALLS, ways.incoming_calls),
    Feature(types.CALL_HIERARCHY_OUTGOING_CALLS, ways.outgoing_calls),
    Feature(
        types.TEXT_DOCUMENT_COMPLETION, editing.completion, types.CompletionOptions(trigger_characters=list(TRIGGERS))
    ),
    Feature(types.TEXT_DOCUMENT_CODE_ACTION, editing.code_actions, _ACTIONS),
    Feature(types.TEXT_DOCUMENT_FORMATTING, editing.formatting),
    Feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, display.tokens, display.LEGEND),
    Feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_RANGE, display.tokens_in_range, display.LEGEND),
    Feature(types.TEXT_DOCUMENT_INLAY_HINT, display.inlay_hints),
    Feature(types.TEXT_DOCUMENT_FOLDING_RANGE, display.folding_ranges),
    Feature(types.TEXT_DOCUMENT_SELECTION_RANGE, display.selection_ranges),
)
"""What the server answers."""

PULLED = Feature(
    types.TEXT_DOCUMENT_DIAGNOSTIC,
    display.diagnostics,
    types.DiagnosticOptions(inter_file_dependencies=True, workspace_diagnostics=False, identifier="meshc"),
)
"""What it answers besides where the client would rather ask for findings than be told them."""
