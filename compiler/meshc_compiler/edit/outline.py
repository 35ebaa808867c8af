"""A program in outline: where each statement stands, its kind, and of whom it speaks."""

from __future__ import annotations

from collections.abc import Sequence

from meshc_compiler.ir.mesh import INGRESS
from meshc_lang.record import dataclass
from meshc_lang.tree.declaration import EditionDecl, ExternalDecl, GroupDecl, JwtDecl, MeshDecl, ServiceDecl
from meshc_lang.tree.file import SourceFile
from meshc_lang.tree.policy import AnyPeer, IngressPeer, NamedPeer, PeerRef
from meshc_lang.tree.statement import AllowDecl, AnyStatement, DefaultsDecl, DenyDecl, EdgeDecl, LimitDecl, RouteDecl

__all__ = ["ANSWERING_ROUTE", "ANY", "SENTENCES", "Fact", "FileOutline", "fact_of", "outline_of"]

ANY = "any"

ALLOW, DENY, EDGE, LIMIT, ROUTE, ANSWERING_ROUTE = "a", "d", "e", "l", "r", "R"
EDITION, MESH, SERVICE, EXTERNAL, GROUP, JWT, DEFAULTS = "E", "M", "S", "X", "G", "J", "D"

SENTENCES = frozenset({ALLOW, DENY, EDGE, LIMIT, ROUTE, ANSWERING_ROUTE})
"""Statements about named callees: what they change, they change near those."""

Fact = tuple[str, str, str]
"""Of a statement: its kind, who calls, and who is called or declared; each a word of the program, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutline:
    """One file: its text, and for each of its statements where it begins and ends, and the facts of it."""

    path: str
    text: str
    starts: Sequence[int]
    ends: Sequence[int]
    facts: Sequence[Fact]


def outline_of(file: SourceFile) -> FileOutline | None:
    """Return the outline of a file; None if it holds what an outline does not tell."""
    facts = [fact_of(statement) for statement in file.statements]
    if any(fact is None for fact in facts) or "meshc:" in file.source.text or "spiffe:" in file.source.text:
        return None
    return FileOutline(
        path=file.source.path,
        text=file.source.text,
        starts=[statement.span.start for statement in file.statements],
        ends=[statement.span.end for statement in file.statements],
        facts=[fact for fact in facts if fact is not None],
    )


def fact_of(statement: AnyStatement) -> Fact | None:
    """Return the facts of a statement; None for one that may be about anything."""
    match statement:
        case AllowDecl() | DenyDecl() | EdgeDecl() | LimitDecl():
            kind = _FLOWS[type(statement)]
            caller, callee = _peer(statement.flow.caller), _peer(statement.flow.callee)
            return None if caller is None or callee is None else (kind, caller, callee)
        case RouteDecl():
            answers = any(rule.answer is not None for rule in statement.rules)
            return (ANSWERING_ROUTE if answers else ROUTE, "", statement.service.text)
        case ServiceDecl() | ExternalDecl() | JwtDecl():
            return (_NAMED[type(statement)], "", statement.name.text)
        case GroupDecl():
            return (GROUP, "", statement.name.text)
        case DefaultsDecl():
            return (DEFAULTS, "", statement.scope.text)
        case EditionDecl():
            return (EDITION, "", "")
        case MeshDecl():
            return (MESH, "", "")
        case _:
            return None


_FLOWS: dict[type, str] = {AllowDecl: ALLOW, DenyDecl: DENY, EdgeDecl: EDGE, LimitDecl: LIMIT}
_NAMED: dict[type, str] = {ServiceDecl: SERVICE, ExternalDecl: EXTERNAL, JwtDecl: JWT}


def _peer(peer: PeerRef) -> str | None:
    match peer:
        case NamedPeer():
            return peer.name.text
        case AnyPeer():
            return ANY
        case IngressPeer():
            return INGRESS
        case _:
            return None
