"""Groups: the finite sets that `group NAME = …` stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never

from meshc_compiler.finding import Findings, did_you_mean, one_of
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.mesh import INGRESS
from meshc_compiler.ir.workload import Workload
from meshc_compiler.resolve.symbol import SymbolKind, SymbolTable
from meshc_lang.codes import identities, names, units
from meshc_lang.diagnostic import Label
from meshc_lang.record import dataclass
from meshc_lang.request import PLAINTEXT
from meshc_lang.source import Span
from meshc_lang.tree.declaration import (
    GroupDecl,
    GroupDifference,
    GroupExpression,
    GroupList,
    GroupUnion,
    GroupWhere,
)
from meshc_lang.tree.node import Name, Text
from meshc_lang.tree.policy import (
    AllOf,
    AnyOf,
    AnyPeer,
    Attribute,
    AttributeKind,
    Compare,
    Comparison,
    Condition,
    FromPeer,
    IngressPeer,
    NamedPeer,
    Not,
    Present,
    SpiffePeer,
    Within,
)
from meshc_lang.tree.value import ListValue, Value

_PROPERTIES = ("name", "namespace", "service-account")
_MOST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Members:
    """A finite set: names of workloads (`ingress` may be among them) and externals, and identities not declared."""

    names: frozenset[str] = frozenset()
    ids: frozenset[SpiffeId] = frozenset()

    def __or__(self, other: Members) -> Members:
        return Members(self.names | other.names, self.ids | other.ids)

    def __sub__(self, other: Members) -> Members:
        return Members(self.names - other.names, self.ids - other.ids)

    def __bool__(self) -> bool:
        return bool(self.names or self.ids)


class GroupTable:
    """The members of each group, worked out once; a group with an error in it has none and stays silent."""

    def __init__(
        self, symbols: SymbolTable, workloads: Mapping[str, Workload], trust_domain: str | None, findings: Findings
    ) -> None:
        self._symbols = symbols
        self._workloads = workloads
        self._trust_domain = trust_domain
        self._findings = findings
        self._labels = {key for workload in workloads.values() for key, _ in workload.labels}
        self._members: dict[str, Members | None] = {}

    def resolve_all(self) -> None:
        """Work out every group, used or not, so that each error is found; tell of those that are empty."""
        for symbol in self._symbols.of_kind(SymbolKind.GROUP):
            members = self.members(symbol.name)
            if members is not None and not members:
                message = f"the group `{symbol.name}` has no members"
                span = symbol.declaration.name.span
                self._findings.add(names.EMPTY_GROUP, message, span, subject=f"group {symbol.name}")

    def members(self, name: str) -> Members | None:
        """Return the members of a declared group; None if its definition has an error."""
        if name not in self._members:
            self._work_out(name)
        return self._members.get(name)

    def _work_out(self, name: str) -> None:
        """Work out a group, and first those that it names: one by one, as groups may name each other in long rows."""
        way: dict[str, tuple[GroupDecl, Iterator[str]]] = {}
        self._go_on(way, name)
        while way:
            name, (declaration, inner) = next(reversed(way.items()))
            for other in inner:
                if other in way and other not in self._members:
                    self._tell_circle([declaration for declaration, _ in way.values()], other)
                elif other not in self._members:
                    self._go_on(way, other)
                    break
            else:
                del way[name]
                members = self._expand(declaration.members)
                self._members.setdefault(name, members)

    def _go_on(self, way: dict[str, tuple[GroupDecl, Iterator[str]]], name: str) -> None:
        symbol = self._symbols.get(name)
        if symbol is not None and isinstance(symbol.declaration, GroupDecl):
            named = (peer.name.text for peer in _named_peers(symbol.declaration.members))
            groups = [other for other in dict.fromkeys(named) if self._is_group(other)]
            way[name] = (symbol.declaration, iter(groups))

    def _is_group(self, name: str) -> bool:
        symbol = self._symbols.get(name)
        return symbol is not None and symbol.kind is SymbolKind.GROUP

    def _tell_circle(self, way: list[GroupDecl], name: str) -> None:
        first = next(number for number, group in enumerate(way) if group.name.text == name)
        circle = way[first:]
        message = f"the group `{name}` contains itself: {_round(circle)}"
        related = tuple(Label(group.name.span, f"`{group.name}` is part of the circle") for group in circle[1:4])
        span = circle[0].name.span
        self._findings.add(names.GROUP_CYCLE, message, span, related=related, subject=f"group {name}")
        for group in circle:
            self._members[group.name.text] = None

    def spiffe_id(self, peer: SpiffePeer) -> SpiffeId | None:
        """Return the identity that is written in quotes; None, with a finding, if it is none of this mesh."""
        identity = SpiffeId.parse(peer.id.text)
        if identity is None:
            message = f"`{peer.id.text}` is not the SPIFFE ID of a workload"
            help_line = "write it as `spiffe://TRUST-DOMAIN/PATH`"
            self._findings.add(identities.INVALID_SPIFFE_ID, message, peer.span, help=help_line)
            return None
        if self._trust_domain is not None and identity.trust_domain != self._trust_domain:
            message = f"`{identity}` is of the trust domain `{identity.trust_domain}`, not of `{self._trust_domain}`"
            help_line = "only identities of this mesh can be verified: let others call by `ingress`"
            self._findings.add(identities.FOREIGN_TRUST_DOMAIN, message, peer.span, help=help_line)
            return None
        return identity

    def _expand(self, expression: GroupExpression) -> Members | None:
        match expression:
            case NamedPeer():
                return self._named(expression)
            case AnyPeer():
                return Members(frozenset(self._workloads) | {INGRESS})
            case IngressPeer():
                return Members(frozenset({INGRESS}))
            case SpiffePeer():
                identity = self.spiffe_id(expression)
                return None if identity is None else Members(ids=frozenset({identity}))
            case GroupList():
                parts = [self._expand(peer) for peer in expression.peers]
                known = [part for part in parts if part is not None]
                return sum_of(known) if len(known) == len(parts) else None
            case GroupWhere():
                return self._where(expression.condition)
            case GroupUnion():
                left, right = self._expand(expression.left), self._expand(expression.right)
                return None if left is None or right is None else left | right
            case GroupDifference():
                left, right = self._expand(expression.left), self._expand(expression.right)
                return None if left is None or right is None else left - right
            case _:
                assert_never(expression)

    def _named(self, peer: NamedPeer) -> Members | None:
        if peer.name.text == PLAINTEXT:
            message = "`plaintext` stands for callers without an identity, and a group holds identities"
            self._findings.add(names.WRONG_KIND, message, peer.span, help="name it alone: `allow plaintext -> …`")
            return None
        kinds = (SymbolKind.SERVICE, SymbolKind.GROUP, SymbolKind.EXTERNAL)
        symbol = self._symbols.resolve(peer.name.text, peer.name.span, kinds, self._findings)
        if symbol is None:
            return None
        if peer.part is not None:
            message = f"a group has services as members, not ports: `{peer.name}`, without `.{peer.part}`"
            self._findings.add(names.WRONG_KIND, message, peer.part.span)
            return None
        return self.members(symbol.name) if symbol.kind is SymbolKind.GROUP else Members(frozenset({symbol.name}))

    # ---- `where`: properties of the declared workloads

    def _where(self, condition: Condition) -> Members | None:
        chosen = self._select(condition)
        return None if chosen is None else Members(chosen)

    def _select(self, condition: Condition) -> frozenset[str] | None:
        match condition:
            case AllOf() | AnyOf():
                parts = [self._select(operand) for operand in condition.operands]
                known = [part for part in parts if part is not None]
                if len(known) < len(parts):
                    return None
                both = isinstance(condition, AllOf)
                return frozenset.intersection(*known) if both else frozenset.union(*known)
            case Not():
                inner = self._select(condition.operand)
                return None if inner is None else frozenset(self._workloads) - inner
            case FromPeer():
                self._refuse("`from` speaks of requests, and a group is chosen by its services", condition.span)
                return None
            case Compare(comparison=Comparison.EQUAL | Comparison.NOT_EQUAL):
                wanted = self._text(condition.value)
                bearers = self._bearers(condition.attribute)
                if wanted is None or bearers is None:
                    return None
                equal = frozenset(name for name, value in bearers.items() if value == wanted)
                return equal if condition.comparison is Comparison.EQUAL else frozenset(self._workloads) - equal
            case Compare():
                message = f"a service's properties are compared by `==` and `!=`, not by `{condition.comparison}`"
                self._refuse(message, condition.span)
                return None
            case Present():
                bearers = self._bearers(condition.attribute)
                return None if bearers is None else frozenset(bearers)
            case Within():
                bearers = self._bearers(condition.attribute)
                if not isinstance(condition.value, ListValue):
                    self._refuse('`in` takes a list, for example `in ["a", "b"]`', condition.value.span)
                    return None
                texts = [self._text(item) for item in condition.value.items]
                if bearers is None or None in texts:
                    return None
                return frozenset(name for name, value in bearers.items() if value in texts)
            case _:
                assert_never(condition)

    def _bearers(self, attribute: Attribute) -> dict[str, str] | None:
        """Return the workloads that have the property, with its value."""
        if attribute.kind is not AttributeKind.FIELD or attribute.owner != "service":
            self._refuse("a group is chosen by properties of services, for example `service.namespace`", attribute.span)
            return None
        match attribute.key:
            case "name":
                return {name: name for name in self._workloads}
            case "namespace":
                return {name: workload.namespace for name, workload in self._workloads.items()}
            case "service-account":
                return {name: workload.service_account for name, workload in self._workloads.items()}
        if attribute.key not in self._labels:
            known = sorted(self._labels) + list(_PROPERTIES)
            help_line, fixes = did_you_mean(attribute.key, known, attribute.span)
            # The span is that of the whole attribute, and a fix must be exact: it ends with the key.
            key = Span(attribute.span.source, attribute.span.end - len(attribute.key), attribute.span.end)
            fixes = did_you_mean(attribute.key, known, key)[1] if key.text == attribute.key else ()
            if not help_line:
                help_line = f"known are {one_of(known).replace(' or ', ' and ')}"
            message = f"no service has a label `{attribute.key}`"
            self._findings.add(names.UNKNOWN_LABEL, message, attribute.span, help=help_line, fixes=fixes)
            return None
        return {
            name: value
            for name, workload in self._workloads.items()
            for key, value in workload.labels
            if key == attribute.key
        }

    def _text(self, value: Value) -> str | None:
        if isinstance(value, Name | Text):
            return value.text
        self._findings.add(units.WRONG_TYPE, 'a label is compared with a text, for example `"true"`', value.span)
        return None

    def _refuse(self, message: str, span: Span) -> None:
        self._findings.add(units.WRONG_TYPE, message, span)


def sum_of(parts: list[Members]) -> Members:
    """Return the members of any of the parts."""
    total = Members()
    for part in parts:
        total = total | part
    return total


def _named_peers(expression: GroupExpression) -> Iterator[NamedPeer]:
    """Yield the names in an expression, in the order in which they stand."""
    match expression:
        case NamedPeer(part=None):
            yield expression
        case GroupList():
            for peer in expression.peers:
                yield from _named_peers(peer)
        case GroupUnion() | GroupDifference():
            yield from _named_peers(expression.left)
            yield from _named_peers(expression.right)
        case _:
            pass


def _round(circle: list[GroupDecl]) -> str:
    """Return the way round a circle; of a long one the beginning and the end."""
    way = [f"`{group.name}`" for group in (*circle, circle[0])]
    if len(way) > _MOST_SHOWN:
        way = [*way[: _MOST_SHOWN - 2], "…", way[-1]]
    return " -> ".join(way)
