"""Who may call a service and whom it may call, with the grants that say so."""

from __future__ import annotations

from meshc.lsp.analysis.document import Cursor
from meshc.lsp.analysis.pending import Pending
from meshc.lsp.analysis.place import Place, Range
from meshc.lsp.analysis.program import ProgramView
from meshc.lsp.analysis.question import CallFact, Fact, Origin, WhoCalls, WhomItCalls
from meshc.lsp.analysis.shape import peer_text
from meshc.lsp.analysis.symbol import Key, NameKind
from meshc_lang.record import dataclass
from meshc_lang.tree.policy import AnyPeer, IngressPeer


@dataclass(frozen=True, slots=True)
class Caller:
    """A service, external or gateway in the hierarchy of calls: its name, and where it is shown."""

    name: str
    place: Place
    whole: Range


@dataclass(frozen=True, slots=True)
class Call:
    """One step of the hierarchy: the other end, and where the grants stand, in the file of the caller's place."""

    peer: Caller
    ranges: tuple[Range, ...]


def callable_at(view: ProgramView, cursor: Cursor) -> Caller | None:
    """Return the service, external or gateway at a place."""
    for node in reversed(cursor.nodes):
        if isinstance(node, AnyPeer | IngressPeer):
            range_ = cursor.range(node.span)
            return Caller(peer_text(node), Place(cursor.document.key, range_), range_)
    named = view.name_at(cursor)
    if named is None or named[1].kind is not NameKind.PEER:
        return None
    return declared_caller(view, named[1].name)


def declared_caller(view: ProgramView, name: str) -> Caller | None:
    """Return a declared service or external."""
    declared = view.declared(Key(NameKind.PEER, name))
    if not declared:
        return None
    site = declared[0]
    statement, whole = site.statement, site.range
    if statement is not None:
        whole = site.document.range(site.base + statement.span.start, site.base + statement.span.end)
    return Caller(name, site.place, whole)


def incoming(view: ProgramView, name: str) -> Pending[tuple[Call, ...]]:
    """Return who may call a service; a caller is shown where its grants stand, once a file."""

    def finish(facts: tuple[Fact, ...]) -> tuple[Call, ...]:
        found: list[Call] = []
        for call in _calls(facts):
            for places in _by_file(view, call).values():
                ranges = tuple(place.range for place in places)
                found.append(Call(Caller(call.name, places[0], ranges[0]), ranges))
        return tuple(found)

    return Pending((WhoCalls(name),), finish)


def outgoing(view: ProgramView, name: str, key: str) -> Pending[tuple[Call, ...]]:
    """Return whom a workload may call; the grants are told that stand in the file in which it is shown."""

    def finish(facts: tuple[Fact, ...]) -> tuple[Call, ...]:
        found: list[Call] = []
        for call in _calls(facts):
            peer = declared_caller(view, call.name)
            if peer is not None:
                places = _by_file(view, call).get(key, [])
                found.append(Call(peer, tuple(place.range for place in places)))
        return tuple(found)

    return Pending((WhomItCalls(name),), finish)


def _calls(facts: tuple[Fact, ...]) -> tuple[CallFact, ...]:
    fact = facts[0]
    return tuple(one for one in fact if isinstance(one, CallFact)) if isinstance(fact, tuple) else ()


def _by_file(view: ProgramView, call: CallFact) -> dict[str, list[Place]]:
    origins: dict[Origin, None] = {rule.origin: None for rule in call.rules if rule.origin is not None}
    found: dict[str, list[Place]] = {}
    for origin in origins:
        place = view.place_of(origin)
        if place is not None:
            found.setdefault(place.key, []).append(place)
    for places in found.values():
        places.sort()
    return found
