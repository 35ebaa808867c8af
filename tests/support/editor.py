"""An editor for tests: a real server process, spoken to as VS Code or Neovim would."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from lsprotocol import types
from pytest_lsp import LanguageClient, client_capabilities, make_test_lsp_client

from meshc.lsp.analysis.document import Document
from meshc.lsp.analysis.place import Encoding, Range
from meshc.lsp.convert import from_position, from_range, to_position, to_range

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds after which something that should happen will not."""

SHOP = """\
edition 2026
mesh shop { trust-domain: "shop.example", mtls: strict }

## People browse here.
service web { port: 8080/http }
service api { port: 8080/http, versions: [v1, v2] }

defaults mesh { timeout: 5s }
allow ingress -> web : GET|HEAD /**
allow web -> api {
  GET /v1/orders/**
  POST /v1/orders if header "x-csrf" present
}
edge web -> api { timeout: 2s }
route api {
  /v1/** => v1 90%, v2 10% as canary
}
"""
"""A program without findings."""


class Editor:
    """A client with open files; each file's text is kept beside the server's."""

    def __init__(self, client: LanguageClient, folder: Path) -> None:
        self.client = client
        self.folder = folder
        self.files: dict[str, Document] = {}
        self.published: list[types.PublishDiagnosticsParams] = []

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri() if "://" not in name and not name.startswith("untitled:") else name

    # ---- files

    def open(self, name: str, text: str, *, saved: bool = True) -> str:
        """Open a file, written to disk before unless it is not `saved`; return its URI."""
        if saved:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text, encoding="utf-8", newline="")
        uri = self.uri(name)
        encoding = Encoding(self.client_encoding)
        self.files[uri] = Document(uri, text, encoding, 1)
        item = types.TextDocumentItem(uri=uri, language_id="mesh", version=1, text=text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=item))
        return uri

    client_encoding: str = "utf-16"

    def replace(self, uri: str, old: str, new: str) -> None:
        """Replace the one place of a text by another, as an editor does: the smallest change."""
        text = self.files[uri].source.text
        assert text.count(old) == 1, f"{text.count(old)} × {old!r}"
        start = text.index(old)
        self.edit(uri, self.files[uri].range(start, start + len(old)), new)

    def append(self, uri: str, new: str) -> None:
        end = len(self.files[uri].source.text)
        self.edit(uri, self.files[uri].range(end, end), new)

    def edit(self, uri: str, range_: Range, new: str) -> None:
        document = self.files[uri]
        document.change(range_, new)
        document.version = (document.version or 0) + 1
        change = types.TextDocumentContentChangePartial(range=to_range(range_), text=new)
        self._change(uri, change)

    def rewrite(self, uri: str, text: str) -> None:
        """Send the whole text anew."""
        document = self.files[uri]
        document.change(None, text)
        document.version = (document.version or 0) + 1
        self._change(uri, types.TextDocumentContentChangeWholeDocument(text=text))

    def _change(self, uri: str, change: Any) -> None:
        version = self.files[uri].version or 0
        identifier = types.VersionedTextDocumentIdentifier(uri=uri, version=version)
        params = types.DidChangeTextDocumentParams(text_document=identifier, content_changes=[change])
        self.client.text_document_did_change(params)

    def close(self, uri: str) -> None:
        del self.files[uri]
        identifier = types.TextDocumentIdentifier(uri=uri)
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(text_document=identifier))

    # ---- places

    def at(self, uri: str, marked: str) -> types.Position:
        """Return the position of the `|` in a stretch of the text: `serv|ice web`."""
        before, after = marked.split("|", 1) if "||" not in marked else marked.split("||", 1)
        text = self.files[uri].source.text
        assert text.count(before + after) == 1, f"{text.count(before + after)} × {before + after!r}"
        offset = text.index(before + after) + len(before)
        return to_position(self.files[uri].position(offset))

    def here(self, uri: str, marked: str) -> dict[str, Any]:
        """Return the parameters of a request about a place."""
        return {"text_document": types.TextDocumentIdentifier(uri=uri), "position": self.at(uri, marked)}

    def text_at(self, location: types.Location) -> str:
        return self.text_in(location.uri, location.range)

    def text_in(self, uri: str, range_: types.Range) -> str:
        document = self.files.get(uri) or Document(uri, Path(uri.removeprefix("file://")).read_text(encoding="utf-8"))
        found = from_range(range_)
        return document.text_between(document.offset(found.start), document.offset(found.end))

    def applied(self, uri: str, edits: Sequence[Any]) -> str:
        """Return the text of a file with edits in it."""
        document = self.files[uri]
        text = document.source.text
        for edit in sorted(edits, key=lambda one: from_position(one.range.start), reverse=True):
            start, end = (document.offset(from_position(at)) for at in (edit.range.start, edit.range.end))
            text = text[:start] + edit.new_text + text[end:]
        return text

    # ---- waiting

    async def findings(self, uri: str, until: Callable[[list[str]], bool] | list[str]) -> Sequence[types.Diagnostic]:
        """Wait until a file's findings have these codes, or fulfil a condition on the codes."""

        def codes() -> list[str]:
            return [str(one.code) for one in self.client.diagnostics.get(uri, ())]

        wanted = until if callable(until) else (lambda found: found == until)
        deadline = time.monotonic() + PATIENCE
        while uri not in self.client.diagnostics or not wanted(codes()):
            assert time.monotonic() < deadline, f"still {codes()}"
            await asyncio.sleep(0.01)
        return self.client.diagnostics[uri]

    async def eventually(self, ask: Callable[[], Awaitable[T]], until: Callable[[T], bool]) -> T:
        """Ask until an answer fulfils a condition: what the compiler knows comes when it is done."""
        deadline = time.monotonic() + PATIENCE
        while not until(answer := await ask()):
            assert time.monotonic() < deadline, f"still {answer}"
            await asyncio.sleep(0.02)
        return answer

    async def hover(self, uri: str, marked: str) -> str:
        """Return what is told about a place."""
        told = await self.client.text_document_hover_async(types.HoverParams(**self.here(uri, marked)))
        if told is None:
            return ""
        assert isinstance(told.contents, types.MarkupContent)
        return told.contents.value

    async def hover_with(self, uri: str, marked: str, part: str) -> str:
        """Wait until what is told about a place has a part in it."""
        return await self.eventually(lambda: self.hover(uri, marked), lambda told: part in told)


@asynccontextmanager
async def editor(
    folder: Path,
    client: str = "visual-studio-code",
    *,
    workspace: bool = True,
    options: object = None,
    encodings: Sequence[str] | None = None,
    change: Callable[[types.ClientCapabilities], None] | None = None,
) -> AsyncIterator[Editor]:
    """Start a server, and stop it; without a `workspace` no folder is open."""
    capabilities = client_capabilities(client)
    if encodings is not None:
        assert capabilities.general is not None
        capabilities.general.position_encodings = list(encodings)
    if change is not None:
        change(capabilities)
    speaker = make_test_lsp_client()
    await speaker.start_io(sys.executable, "-m", "meshc", "lsp", cwd=str(folder))
    folders = [types.WorkspaceFolder(uri=folder.as_uri(), name=folder.name)] if workspace else None
    params = types.InitializeParams(
        capabilities=capabilities,
        workspace_folders=folders,
        root_uri=folder.as_uri() if workspace else None,
        initialization_options=options,
    )
    result = await speaker.initialize_session(params)
    one = Editor(speaker, folder)
    one.client_encoding = str(result.capabilities.position_encoding or "utf-16")
    try:
        yield one
    finally:
        await speaker.shutdown_session()
        await speaker.stop()  # type: ignore[no-untyped-call]
