"""Statements that bring names into being: edition, import, mesh, service, external, group, jwt, let."""

from __future__ import annotations

from typing import TypeAlias

from meshc_lang.record import dataclass
from meshc_lang.tree.node import Name, Node, Text
from meshc_lang.tree.policy import Condition, NamedPeer, PeerRef
from meshc_lang.tree.value import Block, Integer, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement(Node):
    """What all statements have: the lines of its `##` doc comment, without the marks."""

    doc: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionDecl(Statement):
    """`edition 2026`."""

    year: Integer


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportDecl(Statement):
    """`import "lib.mesh"`, `import kubernetes "manifests/"`, `import proto "pay.proto" for payments`.

    `kind` is `kubernetes`, `proto` or `openapi`; None means another file of the language. `service` (perhaps with a
    port behind a dot) is whose rpcs or paths the file declares.
    """

    kind: Name | None
    path: Text
    service: NamedPeer | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtDecl(Statement):
    """`jwt NAME { issuer, audiences, jwks }`: whose end-user tokens are trusted."""

    name: Name
    body: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class LetDecl(Statement):
    """`let NAME = VALUE`: a name for a value."""

    name: Name
    value: Value
