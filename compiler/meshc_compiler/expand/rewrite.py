"""Statements written anew: the places where a name may stand for a name, or for a value, and what is put there."""

from __future__ import annotations

import dataclasses
from enum import Enum, auto
from functools import cache
from typing import Any, TypeVar, cast

from meshc_compiler.lower.sentence import peer_text
from meshc_lang.source import Span
from meshc_lang.tree.claim import CaseDecl, MetricClaim, SettingVerdict
from meshc_lang.tree.declaration import ImportDecl, LetDecl
from meshc_lang.tree.node import Name, Node
from meshc_lang.tree.policy import (
    Compare,
    HttpMatcher,
    NamedPeer,
    PathName,
    PeerRef,
    SpiffePeer,
    Within,
)
from meshc_lang.tree.statement import LimitDecl, Ref, SetItem, TemplateDecl, UseDecl
from meshc_lang.tree.target import Target
from meshc_lang.tree.value import ListValue, Pair

N = TypeVar("N", bound=Node)


class Place(Enum):
    """What the grammar lets a name stand for at some place of the tree."""

    VALUE = auto()
    """Any value; a word that no `let` declares stands for itself."""
    NAME = auto()
    """The name of something declared."""
    PATH = auto()
    RATE = auto()
    BURST = auto()
    SHARE = auto()
    FIXED = auto()
    """A word of the language, or a name that nothing is put in the place of."""


_PLACES: dict[tuple[type[Node], str], Place] = {
    (Pair, "value"): Place.VALUE,
    (ListValue, "items"): Place.VALUE,
    (Compare, "value"): Place.VALUE,
    (Within, "value"): Place.VALUE,
    (MetricClaim, "value"): Place.VALUE,
    (SettingVerdict, "value"): Place.VALUE,
    (SetItem, "value"): Place.VALUE,
    (UseDecl, "arguments"): Place.VALUE,
    (LetDecl, "value"): Place.VALUE,
    (HttpMatcher, "path"): Place.PATH,
    (LimitDecl, "rate"): Place.RATE,
    (LimitDecl, "burst"): Place.BURST,
    (Target, "share"): Place.SHARE,
    (PathName, "name"): Place.FIXED,
    (HttpMatcher, "methods"): Place.FIXED,
    (MetricClaim, "metric"): Place.FIXED,
    (SettingVerdict, "name"): Place.FIXED,
    (Pair, "key"): Place.FIXED,
    (ImportDecl, "kind"): Place.FIXED,
    (LetDecl, "name"): Place.FIXED,
    (TemplateDecl, "name"): Place.FIXED,
    (TemplateDecl, "parameters"): Place.FIXED,
    (UseDecl, "name"): Place.FIXED,
    (Ref, "parts"): Place.FIXED,
}
"""The fields that hold names or values, other than those in which a name names something (`Place.NAME`)."""


class Rewriter:
    """Writes a tree anew. This one changes nothing; its heirs say what becomes of names, values and spans."""

    def name(self, name: Name) -> Name:
        """Return what stands for the name of something."""
        return name

    def peer(self, peer: NamedPeer) -> PeerRef:
        """Return what stands for one end of an edge."""
        return self.node(peer)

    def value(self, name: Name, place: Place) -> Any:
        """Return what stands for a name in the place of a value; the name itself if nothing does."""
        del place
        return name

    def span(self, span: Span) -> Span:
        """Return where a node stands."""
        return span

    def node(self, node: N) -> N:
        """Return a node with everything in it written anew; the node itself if nothing changed."""
        changes: dict[str, Any] = {}
        span = self.span(node.span)
        if span is not node.span:
            changes["span"] = span
        kind: type = type(node)
        for field, place in _fields_of(kind):
            held = getattr(node, field)
            if isinstance(held, tuple):
                made: Any = tuple([self._held(item, place) for item in held])
                if all(new is old for new, old in zip(made, held, strict=True)):
                    continue
            else:
                made = self._held(held, place)
                if made is held:
                    continue
            changes[field] = made
        if not changes:
            return node
        changed = dataclasses.replace(node, **changes)
        if isinstance(changed, CaseDecl):
            return cast("N", _with_peers(changed))
        return changed

    def _held(self, held: Any, place: Place) -> Any:
        if not isinstance(held, Node):
            return held
        if isinstance(held, PathName):
            made = self.value(held.name, Place.PATH)
            if made is not held.name:
                return made if not isinstance(made, Name) else PathName(span=made.span, name=made)
            return self.node(held)
        if isinstance(held, Name):
            match place:
                case Place.NAME:
                    made = self.name(held)
                case Place.FIXED:
                    made = held
                case _:
                    made = self.value(held, place)
            return self.node(held) if made is held else made
        return self.peer(held) if isinstance(held, NamedPeer) else self.node(held)


@cache
def _fields_of(kind: type) -> tuple[tuple[str, Place], ...]:
    """Return the fields of a kind of node that can hold nodes, and what a name in each stands for."""
    return tuple(
        (field.name, _PLACES.get((kind, field.name), Place.NAME))
        for field in dataclasses.fields(kind)
        if field.name not in {"span", "doc"} and _may_hold_nodes(str(field.type))
    )


def _may_hold_nodes(annotation: str) -> bool:
    plain = {"str", "int", "bool", "Request", "AttributeKind", "Comparison", "tuple[str, ...]"}
    return annotation not in plain


def _word(peer: PeerRef) -> str:
    """Return how a request names a peer."""
    match peer:
        case NamedPeer():
            return peer.name.text
        case SpiffePeer():
            return peer.id.text
        case _:
            return peer_text(peer)


def _with_peers(case: CaseDecl) -> CaseDecl:
    """Return a case whose request has the names of its flow, which were written anew."""
    callee = case.flow.callee
    port = callee.part.text if isinstance(callee, NamedPeer) and callee.part is not None else None
    request = dataclasses.replace(case.request, caller=_word(case.flow.caller), callee=_word(callee), port=port)
    return dataclasses.replace(case, request=request)
