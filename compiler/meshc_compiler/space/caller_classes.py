"""Callers in finitely many classes: each identity that is named, all other identities, and calls without one."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import assert_never

from meshc_compiler.ir.caller import AnyCaller, Callers, PlaintextCaller, TheseCallers
from meshc_compiler.ir.condition import questions
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import CallerIn, RequestMatch


class CallerClasses:
    """Sets of callers as bit masks: a bit for each identity named, one for all others, perhaps one for plaintext.

    Where nobody can call without an identity, there is no such class, and `plaintext` is empty.
    """

    def __init__(self, identities: Iterable[SpiffeId], *, plaintext: bool = False) -> None:
        self.named = tuple(dict.fromkeys(identities))
        self._bits = {identity: 1 << number for number, identity in enumerate(self.named)}
        self.others = 1 << len(self.named)
        self.verified = (self.others << 1) - 1
        self.plaintext = self.others << 1 if plaintext else 0
        self.everybody = self.verified | self.plaintext

    def mask(self, callers: Callers) -> int:
        """Return the classes of some callers, of whom all that are named must be named here."""
        match callers:
            case AnyCaller(besides):
                return self.verified & ~self._sum(besides) if besides else self.verified
            case TheseCallers(ids):
                return self._sum(ids)
            case PlaintextCaller():
                return self.plaintext
            case _:
                assert_never(callers)

    def _sum(self, identities: Iterable[SpiffeId]) -> int:
        mask = 0
        for identity in identities:
            mask |= self._bits[identity]
        return mask

    def within(self, identities: Set[SpiffeId]) -> int:
        """Return the classes that have members among the identities."""
        mask = 0
        for identity, bit in self._bits.items():
            if identity in identities:
                mask |= bit
        return mask | self.others if len(identities) > mask.bit_count() else mask

    def outside(self, identities: Set[SpiffeId]) -> int:
        """Return the classes that have members besides the identities: the unnamed always, as anyone may join them."""
        mask = self.others | self.plaintext
        for identity, bit in self._bits.items():
            if identity not in identities:
                mask |= bit
        return mask

    def of(self, identity: SpiffeId) -> int:
        """Return the class of a verified identity."""
        return self._bits.get(identity, self.others)

    def is_named(self, identity: SpiffeId) -> bool:
        """Tell whether an identity is a class of its own."""
        return identity in self._bits


def identities_in(callers: Callers) -> tuple[SpiffeId, ...]:
    """Return the identities that a set of callers names."""
    match callers:
        case AnyCaller(ids) | TheseCallers(ids):
            return ids
        case PlaintextCaller():
            return ()
        case _:
            assert_never(callers)


def identities_asked(matches: Iterable[RequestMatch]) -> dict[SpiffeId, None]:
    """Return the identities that conditions `from` name, in order."""
    named: dict[SpiffeId, None] = {}
    for match in matches:
        if match.condition is not None:
            for asked in questions(match.condition):
                if isinstance(asked, CallerIn):
                    named.update(dict.fromkeys(identities_in(asked.callers)))
    return named
