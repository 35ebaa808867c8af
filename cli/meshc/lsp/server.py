"""The language server: messages in, the session's answers out. What is answered is decided in `analysis`."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import posixpath
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.language_server import lsp_method

from meshc.lsp.analysis.document import Cursor, Document
from meshc.lsp.analysis.finding import PlacedFinding
from meshc.lsp.analysis.place import Encoding
from meshc.lsp.convert import Uris, from_position, from_range, to_diagnostic
from meshc.lsp.pages import Pages
from meshc.lsp.session import OpenProgram, Session
from meshc.version import compiler_version

LOG = logging.getLogger("meshc.lsp")

_SWITCH_SECONDS = 0.001
"""How long a thread that works on a whole file may keep the one waiting that answers."""

R = TypeVar("R")
P = TypeVar("P")


class AtPosition(Protocol):
    """The parameters of every request about a position."""

    text_document: types.TextDocumentIdentifier
    position: types.Position


class _Protocol(LanguageServerProtocol):
    """The protocol without the copies of texts that pygls keeps: the session has its own, cut into statements."""

    _server: MeshServer

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        """A file was opened."""
        item = params.text_document
        self._server.session.open(self._server.uris.key(item.uri), item.text, item.version)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        """An open file was changed."""
        changes = [
            (from_range(change.range), change.text)
            if isinstance(change, types.TextDocumentContentChangePartial)
            else (None, change.text)
            for change in params.content_changes
        ]
        key = self._server.uris.key(params.text_document.uri)
        self._server.session.change(key, params.text_document.version, changes)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        """A file was closed."""
        self._server.session.close(self._server.uris.key(params.text_document.uri))


class MeshServer(LanguageServer):
    """The server and the session that it serves."""

    session: Session
    protocol: _Protocol

    def __init__(self) -> None:
        super().__init__("meshc", compiler_version(), protocol_cls=_Protocol)
        self.uris = Uris()
        self.pages = Pages()
        self.took_leave = False
        self.pulls = False

    def can(self, capability: str) -> bool:
        """Tell whether the client has a capability, by its path in `ClientCapabilities`."""
        return bool(get_capability(self.client_capabilities, capability, False))

    def begin(self, params: types.InitializeParams) -> None:
        """Start the session, when the editor has said what it can."""
        encoding = Encoding(self.workspace.position_encoding or Encoding.UTF16)
        self.session = Session(self.publish, self.compiled, encoding)
        uris = [folder.uri for folder in params.workspace_folders or ()]
        if not uris and params.root_uri:
            uris = [params.root_uri]
        folders = [self.uris.key(uri).rstrip("/") for uri in uris]
        options = params.initialization_options
        options = options if isinstance(options, dict) else {}
        self.pulls = options.get("diagnostics") == "pull"
        programs = options.get("programs")
        programs = [one for one in programs if isinstance(one, str)] if isinstance(programs, list) else []
        inner = [posixpath.normpath(posixpath.join(folder, one)) for folder in folders for one in programs]
        self.session.set_folders([*folders, *inner], [])

    def end(self) -> None:
        """End the session."""
        if hasattr(self, "session"):
            self.session.stop()
        self.pages.remove()

    def publish(self, key: str, version: int | None, findings: Sequence[PlacedFinding]) -> None:
        """Tell the editor what is wrong with a file, unless it asks itself."""
        if self.pulls:
            return
        diagnostics = [self.diagnostic(key, one) for one in findings]
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(uri=self.uris.uri(key), version=version, diagnostics=diagnostics)
        )

    def diagnostic(self, key: str, finding: PlacedFinding) -> types.Diagnostic:
        """Return a finding as the client takes it."""
        related = self.can("text_document.publish_diagnostics.related_information")
        return to_diagnostic(self.uris, key, finding, related=related, page=self.pages.href(finding.finding.code))

    def compiled(self) -> None:
        """Have the editor ask again what depends on the compiled program."""
        if self.can("workspace.inlay_hint.refresh_support"):
            self.workspace_inlay_hint_refresh(None)
        if self.pulls and self.can("workspace.diagnostics.refresh_support"):
            self.workspace_diagnostic_refresh(None)

    def versions(self, program: OpenProgram) -> dict[str, int | None] | None:
        """Return the versions of a program's files; None if the client takes no edits of versions."""
        if not self.can("workspace.workspace_edit.document_changes"):
            return None
        return {key: document.version for key, document in program.documents.items()}

    # ---- what handlers begin with

    async def file(self, uri: str, *, all_files: bool = False) -> tuple[OpenProgram, Document] | None:
        """Return the program and the document of a URI, read; None where there is none."""
        return await self.session.ready(self.uris.key(uri), all_files=all_files)

    async def cursor(self, params: AtPosition, *, all_files: bool = False) -> tuple[OpenProgram, Cursor] | None:
        """Return the program and what stands at a position; None where there is nothing."""
        found = await self.file(params.text_document.uri, all_files=all_files)
        if found is None:
            return None
        program, document = found
        cursor = document.cursor(from_position(params.position))
        return None if cursor is None else (program, cursor)


def guarded(handler: Callable[[MeshServer, P], Awaitable[R | None]]) -> Callable[[MeshServer, P], Awaitable[R | None]]:
    """Return a handler of which a mistake of ours becomes a logged error and an empty answer."""

    @functools.wraps(handler)
    async def guard(server: MeshServer, params: P) -> R | None:
        try:
            return await handler(server, params)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            from pygls.exceptions import JsonRpcException

            if isinstance(error, JsonRpcException):
                raise
            LOG.exception("%s failed", handler.__name__)
            message = f"meshc: {handler.__name__} failed: {type(error).__name__}: {error}"
            server.window_log_message(types.LogMessageParams(type=types.MessageType.Error, message=message))
            return None

    return guard


def make_server() -> MeshServer:
    """Return a server with all that it can answer."""
    from meshc.lsp.features import FEATURES, PULLED

    server = MeshServer()

    @server.feature(types.INITIALIZE)
    def initialize(ls: MeshServer, params: types.InitializeParams) -> None:
        ls.begin(params)
        if ls.pulls:
            ls.feature(PULLED.method, PULLED.options)(guarded(PULLED.handler))

    @server.feature(types.INITIALIZED)
    def initialized(ls: MeshServer, params: Any) -> None:
        del params
        if ls.can("workspace.did_change_watched_files.dynamic_registration"):
            watcher = types.FileSystemWatcher(glob_pattern="**/*.mesh")
            options = types.DidChangeWatchedFilesRegistrationOptions(watchers=[watcher])
            registration = types.Registration(
                id="mesh-files", method=types.WORKSPACE_DID_CHANGE_WATCHED_FILES, register_options=options
            )
            ls.client_register_capability(types.RegistrationParams(registrations=[registration]))

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def files_changed(ls: MeshServer, params: Any) -> None:
        del params
        ls.session.disk_changed()

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(ls: MeshServer, params: Any) -> None:
        del params
        ls.session.disk_changed()

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def folders_changed(ls: MeshServer, params: types.DidChangeWorkspaceFoldersParams) -> None:
        added = [ls.uris.key(folder.uri).rstrip("/") for folder in params.event.added]
        removed = [ls.uris.key(folder.uri).rstrip("/") for folder in params.event.removed]
        ls.session.set_folders(added, removed)

    @server.feature(types.SHUTDOWN)
    def shutdown(ls: MeshServer, params: Any) -> None:
        del params
        ls.took_leave = True
        ls.end()

    for feature in FEATURES:
        server.feature(feature.method, feature.options)(guarded(feature.handler))
    return server


def serve() -> bool:
    """Serve an editor over standard input and output until it says `exit` or goes away.

    Tells whether the editor took its leave in order (LSP 3.17, `exit`: the status is 0 then, and else 1).
    """
    server = make_server()
    sys.setswitchinterval(_SWITCH_SECONDS)
    out = os.fdopen(os.dup(1), "wb")
    # Nothing else may be written where the editor reads.
    os.dup2(2, 1)
    try:
        server.start_io(sys.stdin.buffer, out)
    finally:
        server.end()
    return server.took_leave
