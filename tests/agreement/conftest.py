"""What all trials share: ports of their own, and the way to run a program in every voice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from support.agreement_stage import Stage, compiled, staged
from support.loopback_ports import Ports, own_ports

StageOf = Callable[..., AbstractContextManager[Stage]]


@pytest.fixture(scope="session")
def ports() -> Ports:
    return own_ports()


@pytest.fixture(scope="module")
def stage_of(ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> StageOf:
    """Return the function that runs a program of the corpus: `with stage_of("denies") as stage`."""

    def run(program: str, **options: Any) -> AbstractContextManager[Stage]:
        index = options.pop("index", None) or compiled(program)
        directory: Path = tmp_path_factory.mktemp(program.replace("/", "-"))
        return staged(program, index, directory, ports, **options)

    return run
