"""Whose calls a sentence is about: every identity of the mesh, some identities, or calls without any."""

from __future__ import annotations

from typing import TypeAlias, assert_never

from meshc_compiler.ir.identity import SpiffeId
from meshc_lang.record import dataclass


@dataclass(frozen=True, slots=True)
class AnyCaller:
    """Every caller with a verified identity of the mesh, but those in `besides` (sorted).

    What a program says has no exceptions here; they come of resolving a condition `from` in a workload's slice.
    """

    besides: tuple[SpiffeId, ...] = ()


@dataclass(frozen=True, slots=True)
class TheseCallers:
    """The callers with these identities (sorted, at least one)."""

    ids: tuple[SpiffeId, ...]


@dataclass(frozen=True, slots=True)
class PlaintextCaller:
    """Whoever calls without a mesh identity, where the callee takes such calls at all."""


Callers: TypeAlias = AnyCaller | TheseCallers | PlaintextCaller
"""Whose calls a rule, a limit or a condition is about."""


def includes(callers: Callers, caller: SpiffeId | None) -> bool:
    """Tell whether a caller is among the callers; None stands for a call without a mesh identity."""
    match callers:
        case AnyCaller(besides):
            return caller is not None and caller not in besides
        case TheseCallers(ids):
            return caller in ids
        case PlaintextCaller():
            return caller is None
        case _:
            assert_never(callers)
