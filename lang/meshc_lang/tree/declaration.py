"""Statements that bring names into being: edition, mesh, service, external, group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from meshc_lang.tree.node import Name, Node
from meshc_lang.tree.policy import Condition, PeerRef
from meshc_lang.tree.value import Block, Integer


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement(Node):
    """What all statements have: the lines of its `##` doc comment, without the marks."""

    doc: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionDecl(Statement):
    """`edition 2026`."""

    year: Integer


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshDecl(Statement):
    """`mesh NAME { … }`."""

    name: Name
    body: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDecl(Statement):
    """`service NAME { … }`."""

    name: Name
    body: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalDecl(Statement):
    """`external NAME { … }`."""

    name: Name
    body: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupList(Node):
    """`[a, b]`: these."""

    peers: tuple[PeerRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupWhere(Node):
    """`where service.pci == "true"`: the services of which the condition holds."""

    condition: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupUnion(Node):
    """`a | b`: those in either."""

    left: GroupExpression
    right: GroupExpression


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDifference(Node):
    """`a - b`: those in the first and not in the second; binds from the left, as `|` does."""

    left: GroupExpression
    right: GroupExpression


GroupExpression: TypeAlias = PeerRef | GroupList | GroupWhere | GroupUnion | GroupDifference
"""What stands behind `group NAME =`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDecl(Statement):
    """`group NAME = …`."""

    name: Name
    members: GroupExpression
