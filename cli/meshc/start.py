"""The beginning of the command as a process: what has to be done before the first import that costs.

Click imports modules that describe code and machines, and a short check uses nothing of them: they were a tenth of its
time. Each is imported when something of it is first used.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from meshc.module_pack import use_pack

__all__ = ["put_off", "run"]

_ROOM = 200_000
"""So many objects are made before the collector looks for cycles: more than a short check makes. It finds nothing."""


class _Later(ModuleType):
    """Stands in the place of a module that was not imported yet."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def run() -> None:
    """Run the command as a process, and end it."""
    _open_what_is_closed()
    gc.set_threshold(_ROOM)
    put_off()
    use_pack()
    from meshc.main import run

    run()


def _open_what_is_closed() -> None:
    """A stream that the caller closed (`>&-`) swallows what it is told; else a file of ours could get its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - open to the end


def put_off() -> None:
    """Let modules be imported when something of them is used; those that were imported already stay."""
    for name in ("inspect", "platform"):
        if name not in sys.modules:
            later = sys.modules[name] = _Later(name)
            if name == "inspect":
                vars(later)["cleandoc"] = _cleaned_by(later)
            elif hasattr(os, "uname"):
                vars(later)["system"] = _system  # all that `uuid` asks of it


def _system() -> str:
    return os.uname().sysname


def _cleaned_by(inspect: ModuleType) -> Callable[[str], str]:
    """Return what does as `inspect.cleandoc`, which click asks of the help of every option."""

    def cleaned(text: str) -> str:
        if "\n" in text or "\t" in text:
            del vars(inspect)["cleandoc"]
            return str(inspect.cleandoc(text))
        return text.lstrip()

    return cleaned
