"""Plain values to and from those of the protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lsprotocol import types
from pygls.uris import from_fs_path, to_fs_path

from meshc.lsp.analysis.calls import Caller
from meshc.lsp.analysis.completion import Item
from meshc.lsp.analysis.finding import PlacedFinding
from meshc.lsp.analysis.navigation import Definition
from meshc.lsp.analysis.outline import NamedSymbol, OutlineEntry
from meshc.lsp.analysis.place import Place, Position, Range, TextEdit
from meshc_lang.diagnostic import Severity

_SEVERITY = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.INFO: types.DiagnosticSeverity.Information,
}


class Uris:
    """The names of files: URIs of the editor, keys of ours. A URI is given back as the editor wrote it."""

    def __init__(self) -> None:
        self._written: dict[str, str] = {}

    def key(self, uri: str) -> str:
        """Return the key of a URI: the path of a file, the URI itself of anything else."""
        key = uri
        if uri.startswith("file:"):
            key = (to_fs_path(uri) or uri).replace("\\", "/")
        self._written[key] = uri
        return key

    def uri(self, key: str) -> str:
        """Return the URI of a key."""
        written = self._written.get(key)
        if written is not None:
            return written
        return from_fs_path(key) or key


def to_position(position: Position) -> types.Position:
    """Convert."""
    return types.Position(line=position.line, character=position.character)


def to_range(range_: Range) -> types.Range:
    """Convert."""
    return types.Range(start=to_position(range_.start), end=to_position(range_.end))


def from_position(position: types.Position) -> Position:
    """Convert."""
    return Position(position.line, position.character)


def from_range(range_: types.Range) -> Range:
    """Convert."""
    return Range(from_position(range_.start), from_position(range_.end))


def to_location(uris: Uris, place: Place) -> types.Location:
    """Convert."""
    return types.Location(uri=uris.uri(place.key), range=to_range(place.range))


def to_link(uris: Uris, definition: Definition) -> types.LocationLink:
    """Convert."""
    return types.LocationLink(
        origin_selection_range=to_range(definition.origin),
        target_uri=uris.uri(definition.place.key),
        target_range=to_range(definition.whole),
        target_selection_range=to_range(definition.place.range),
    )


def to_edit(edit: TextEdit) -> types.TextEdit:
    """Convert."""
    return types.TextEdit(range=to_range(edit.range), new_text=edit.text)


def to_workspace_edit(
    uris: Uris,
    edits: Iterable[tuple[str, Sequence[TextEdit]]],
    versions: Mapping[str, int | None] | None,
) -> types.WorkspaceEdit:
    """Convert edits by file; with `versions` as edits of these versions, which a client must support."""
    if versions is None:
        return types.WorkspaceEdit(changes={uris.uri(key): [to_edit(one) for one in found] for key, found in edits})
    return types.WorkspaceEdit(
        document_changes=[
            types.TextDocumentEdit(
                text_document=types.OptionalVersionedTextDocumentIdentifier(
                    uri=uris.uri(key), version=versions.get(key)
                ),
                edits=[to_edit(one) for one in found],
            )
            for key, found in edits
        ]
    )


def to_diagnostic(uris: Uris, key: str, placed: PlacedFinding, *, related: bool, page: str | None) -> types.Diagnostic:
    """Convert; without `related` information the other places are told in the message. `page` is the code's."""
    finding = placed.finding
    message = placed.message
    if not related and placed.related:
        lines = [
            f"{place.key.rpartition('/')[2]}:{place.range.start.line + 1}: {text}" for place, text in placed.related
        ]
        message = "\n".join([message, *lines])
    return types.Diagnostic(
        range=to_range(placed.range),
        severity=_SEVERITY[finding.severity],
        code=finding.code,
        code_description=None if page is None else types.CodeDescription(href=page),
        source="meshc",
        message=message,
        tags=[types.DiagnosticTag.Unnecessary] if finding.is_needless else None,
        related_information=[
            types.DiagnosticRelatedInformation(location=to_location(uris, place), message=text)
            for place, text in placed.related
        ]
        if related
        else None,
        data={"key": key, "code": finding.code, "name": finding.name},
    )


def to_document_symbol(entry: OutlineEntry) -> types.DocumentSymbol:
    """Convert."""
    return types.DocumentSymbol(
        name=entry.name or "?",
        detail=entry.detail or None,
        kind=types.SymbolKind[entry.shape.value],
        range=to_range(entry.range),
        selection_range=to_range(entry.selection),
        children=[to_document_symbol(child) for child in entry.children],
    )


def to_flat_symbols(
    uris: Uris, key: str, entries: Iterable[OutlineEntry], parent: str
) -> list[types.SymbolInformation]:
    """Convert for clients that know no tree of symbols."""
    found: list[types.SymbolInformation] = []
    for entry in entries:
        found.append(
            types.SymbolInformation(
                name=entry.name or "?",
                kind=types.SymbolKind[entry.shape.value],
                location=types.Location(uri=uris.uri(key), range=to_range(entry.range)),
                container_name=parent or None,
            )
        )
        found += to_flat_symbols(uris, key, entry.children, entry.name)
    return found


def to_call_item(uris: Uris, caller: Caller) -> types.CallHierarchyItem:
    """Convert; the name goes with it, so that the next question is about the same."""
    return types.CallHierarchyItem(
        name=caller.name,
        kind=types.SymbolKind.Class,
        uri=uris.uri(caller.place.key),
        range=to_range(caller.whole),
        selection_range=to_range(caller.place.range),
        data={"name": caller.name},
    )


def to_completion_item(item: Item, range_: types.Range, rank: int, *, snippets: bool) -> types.CompletionItem:
    """Convert; `snippets` tells that the client can fill in places."""
    snippet = snippets and bool(item.snippet)
    return types.CompletionItem(
        label=item.label,
        kind=types.CompletionItemKind[item.kind.value],
        detail=item.detail or None,
        documentation=types.MarkupContent(kind=types.MarkupKind.Markdown, value=item.doc) if item.doc else None,
        sort_text=f"{rank:05}",
        filter_text=item.label,
        insert_text_format=types.InsertTextFormat.Snippet if snippet else types.InsertTextFormat.PlainText,
        text_edit=types.TextEdit(range=range_, new_text=item.snippet if snippet else item.text),
    )


def to_workspace_symbol(uris: Uris, symbol: NamedSymbol) -> types.WorkspaceSymbol:
    """Convert."""
    return types.WorkspaceSymbol(
        name=symbol.name,
        kind=types.SymbolKind[symbol.shape.value],
        location=to_location(uris, symbol.place),
        container_name=symbol.container,
    )
