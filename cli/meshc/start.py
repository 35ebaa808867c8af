"""The beginning of the command as a process: what has to be done before the first import that costs.

Click imports modules that describe code and machines, and a short check uses nothing of them: they were a tenth of its
time. Each is imported when something of it is first used.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from types import ModuleType
from typing import Any

from meshc.module_pack import use_pack

__all__ = ["put_off", "run"]

_ROOM = 200_000
"""So many objects are made before the collector looks for cycles: more than a short check makes. It finds nothing."""

_COMPLETION = "_MESHC_COMPLETE"
"""The variable by which a shell asks click what may follow."""


class _Later(ModuleType):
    """Stands in the place of a module that was not imported yet."""

    def __getattr__(self, name: str) -> Any:
        if name == "__path__":  # what `from … import` asks of each module: whether it is a package
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def run() -> None:
    """Run the command as a process, and end it."""
    _open_what_is_closed()
    gc.set_threshold(_ROOM)
    put_off()
    use_pack()
    from meshc.checking import check_plainly, plain_check
    from meshc.outcome import end, outcome_of

    paths = None if _COMPLETION in os.environ else plain_check(sys.argv[1:])
    if paths is not None:
        end(outcome_of(lambda: check_plainly(paths)))
    from meshc.main import main

    end(main())


def _open_what_is_closed() -> None:
    """A stream that the caller closed (`>&-`) swallows what it is told; else a file of ours could get its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - open to the end


def put_off() -> None:
    """Let modules be imported when something of them is used; those that were imported already stay."""
    for name in ("copy", "gettext", "inspect", "platform", "shutil"):
        if name not in sys.modules:
            later = sys.modules[name] = _Later(name)
            if name == "inspect":
                vars(later)["cleandoc"] = _cleaned
            elif name == "gettext":  # nobody has what click says in other words
                vars(later).update(gettext=_as_it_is, ngettext=_one_or_more)
            elif name == "shutil":
                vars(later)["get_terminal_size"] = _terminal_size
            elif name == "platform" and hasattr(os, "uname"):
                vars(later)["system"] = _system  # all that `uuid` asks of `platform`


def _as_it_is(message: str) -> str:
    return message


def _one_or_more(one: str, more: str, count: int) -> str:
    return one if count == 1 else more


def _system() -> str:
    return os.uname().sysname


def _cleaned(text: str) -> str:
    """Do as `inspect.cleandoc`, which click asks of every help text."""
    first, *others = text.expandtabs().split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in others if line.lstrip()), default=0)
    lines = [first.lstrip(), *(line[margin:] for line in others)]
    return "\n".join(lines).rstrip("\n").lstrip("\n")


def _terminal_size(fallback: tuple[int, int] = (80, 24)) -> os.terminal_size:
    """Do as `shutil.get_terminal_size`, which click asks how wide a page of help may be."""
    columns, lines = (_number(os.environ.get(name)) for name in ("COLUMNS", "LINES"))
    if columns <= 0 or lines <= 0:
        try:
            size = os.get_terminal_size(sys.__stdout__.fileno())  # type: ignore[union-attr]
        except (AttributeError, ValueError, OSError):
            size = os.terminal_size(fallback)
        columns = columns if columns > 0 else size.columns or fallback[0]
        lines = lines if lines > 0 else size.lines or fallback[1]
    return os.terminal_size((columns, lines))


def _number(word: str | None) -> int:
    try:
        return int(word or 0)
    except ValueError:
        return 0
