"""Who may call whom at all: for each caller the callees that some allow opens to it, be it for a single request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from meshc_compiler.ir.caller import AnyCaller, Callers, PlaintextCaller, TheseCallers
from meshc_compiler.ir.condition import split_by_caller
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.policy import Effect, Rule

CalleePort: TypeAlias = tuple[str, int]
"""A callee and the number of one of its ports."""


class Reach:
    """The callees of each caller by the allows alone: a deny, or a condition on requests, may still close them."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._of_any: set[CalleePort] = set()
        self._of_any_but: list[tuple[frozenset[SpiffeId], CalleePort]] = []
        self._of_caller: dict[SpiffeId, set[CalleePort]] = {}
        self._of_plaintext: set[CalleePort] = set()
        for rule in rules:
            if rule.effect is not Effect.ALLOW:
                continue
            callee = (rule.callee, rule.port)
            if rule.match.condition is None:
                self._open(rule.callers, callee)
            else:
                for callers, _ in split_by_caller(rule.callers, rule.match.condition):
                    self._open(callers, callee)

    def _open(self, callers: Callers, callee: CalleePort) -> None:
        match callers:
            case AnyCaller(()):
                self._of_any.add(callee)
            case AnyCaller(besides):
                self._of_any_but.append((frozenset(besides), callee))
            case TheseCallers(ids):
                for caller in ids:
                    self._of_caller.setdefault(caller, set()).add(callee)
            case PlaintextCaller():
                self._of_plaintext.add(callee)

    def callees_of(self, caller: SpiffeId | None) -> set[CalleePort]:
        """Return the callees of a caller; None stands for callers without an identity."""
        if caller is None:
            return set(self._of_plaintext)
        others = {callee for besides, callee in self._of_any_but if caller not in besides}
        return self._of_caller.get(caller, set()) | self._of_any | others
