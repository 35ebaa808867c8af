"""The sentences about who may call whom: peers, matchers, conditions, allow and deny."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from meshc_lang.record import dataclass
from meshc_lang.tree.node import Name, Node, Text
from meshc_lang.tree.value import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPeer(Node):
    """A service, external or group by name; `part` is a port's (or in a target a version's) name behind a dot."""

    name: Name
    part: Name | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyPeer(Node):
    """`any`: every workload of the mesh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressPeer(Node):
    """`ingress`: the gateway by which calls enter the mesh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpiffePeer(Node):
    """A SPIFFE ID in quotes: a caller that the program does not declare."""

    id: Text


PeerRef: TypeAlias = NamedPeer | AnyPeer | IngressPeer | SpiffePeer
"""One end of an edge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow(Node):
    """`A -> B`."""

    caller: PeerRef
    callee: PeerRef


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpMatcher(Node):
    """`GET|HEAD /x/**`, `* /x`, `/x`, `GET ~"regex"`: methods (empty means any) and a path."""

    methods: tuple[Name, ...]
    path: PathPattern | RegexPattern | PathName


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPattern(Node):
    """A path template: literals, `*`, `{id}`, `{id:int}`, and a final `**`."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegexPattern(Node):
    """`~"…"`: a regular expression (RE2) that must match the whole path."""

    pattern: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class PathName(Node):
    """`GET base`: the name of a `let` or of a template's parameter that stands for a path."""

    name: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcMatcher(Node):
    """`rpc pkg.Svc/Charge|Refund`; methods `("*",)` means all of the service."""

    service: str
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpMatcher(Node):
    """`tcp`: connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyMatcher(Node):
    """`*`: whatever the port carries."""


Matcher: TypeAlias = HttpMatcher | RpcMatcher | TcpMatcher | AnyMatcher
"""What a call must look like."""


class AttributeKind(StrEnum):
    """Where an attribute of a request is found."""

    HEADER = "header"
    QUERY = "query"
    CLAIM = "claim"
    COOKIE = "cookie"
    FIELD = "field"
    """`a.b`: a property of the program, as `service.pci` or `edge.timeout`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute(Node):
    """`header "x-beta"` or `service.pci`; of a field, `owner` stands before the first dot and `key` behind it.

    A field's key may have dots of its own, as in `edge.retry.limit`.
    """

    kind: AttributeKind
    key: str
    owner: str = ""


class Comparison(StrEnum):
    """How two values are compared."""

    EQUAL = "=="
    NOT_EQUAL = "!="
    MATCHES = "~"
    LESS_OR_EQUAL = "<="
    GREATER_OR_EQUAL = ">="
    LESS = "<"
    GREATER = ">"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare(Node):
    """`header "x" == "1"`."""

    attribute: Attribute
    comparison: Comparison
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Present(Node):
    """`header "x" present`."""

    attribute: Attribute


@dataclass(frozen=True, slots=True, kw_only=True)
class Within(Node):
    """`header "x" in ["a", "b"]`."""

    attribute: Attribute
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class FromPeer(Node):
    """`from web`."""

    peer: PeerRef


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf(Node):
    """`a and b`."""

    operands: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf(Node):
    """`a or b`."""

    operands: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Not(Node):
    """`not a`."""

    operand: Condition


Condition: TypeAlias = Compare | Present | Within | FromPeer | AllOf | AnyOf | Not
"""What must hold besides the matcher."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant(Node):
    """One line of an allow or deny: a matcher and perhaps a guard."""

    matcher: Matcher
    guard: Condition | None = None
