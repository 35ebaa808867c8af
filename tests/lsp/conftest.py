"""One server for the tests of a module, as VS Code and as Neovim would have it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from support.editor import Editor, editor


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["visual-studio-code", "neovim"])
async def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Editor]:
    async with editor(tmp_path_factory.mktemp("lsp"), request.param, workspace=False) as one:
        yield one


@pytest.fixture
def folder(server: Editor, tmp_path: Path) -> Path:
    """A folder of the test's own, which is where its files are opened."""
    server.folder = tmp_path
    return tmp_path
