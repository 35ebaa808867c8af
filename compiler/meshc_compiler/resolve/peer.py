"""The two ends of an edge: who calls, and which ports of whom are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias, assert_never

from meshc_compiler.finding import Findings, did_you_mean, one_of
from meshc_compiler.ir.caller import AnyCaller, Callers, PlaintextCaller, TheseCallers
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.jwt import TokenIssuer
from meshc_compiler.ir.mesh import INGRESS
from meshc_compiler.ir.workload import External, Service, ServicePort, Workload
from meshc_compiler.resolve.group import GroupTable
from meshc_compiler.resolve.symbol import SymbolKind, SymbolTable
from meshc_lang.codes import names
from meshc_lang.diagnostic import Label
from meshc_lang.record import dataclass, field
from meshc_lang.request import PLAINTEXT
from meshc_lang.source import Span
from meshc_lang.tree.node import Name
from meshc_lang.tree.policy import AnyPeer, IngressPeer, NamedPeer, PeerRef, SpiffePeer


@dataclass(frozen=True, slots=True, kw_only=True)
class Landscape:
    """What the program declares, lowered: the ground on which its sentences stand.

    `broken` holds the names of which the declaration has an error: sentences about them are passed over in silence.
    `ingress` is the gateway, whether or not a statement mentions it. `symbols` are the names of a program, where it is
    one and not a finished mesh. `issuers_are_lost` tells that more issuers of tokens may have been meant to be there.
    """

    trust_domain: str | None
    workloads: Mapping[str, Workload]
    services: Mapping[str, Service]
    externals: Mapping[str, External]
    ingress: Workload
    broken: frozenset[str] = frozenset()
    symbols: SymbolTable | None = None
    token_issuers: tuple[TokenIssuer, ...] = ()
    issuers_are_lost: bool = False

    @property
    def trusts_tokens(self) -> bool:
        """Whether tokens of end users are trusted, as far as can be told."""
        return bool(self.token_issuers) or self.issuers_are_lost

    def may_be_lost(self, name: str) -> bool:
        """Tell whether an unknown name may be one whose declaration could not be read."""
        return name in self.broken or (self.symbols is not None and self.symbols.may_be_lost(name))

    def workload(self, name: str) -> Workload | None:
        """Return a workload, the gateway included."""
        return self.ingress if name == INGRESS else self.workloads.get(name)

    def ports(self, name: str) -> tuple[ServicePort, ...]:
        """Return the ports of a service, or the one of an external."""
        if external := self.externals.get(name):
            return (external.port,)
        service = self.services.get(name)
        return service.ports if service else ()


@dataclass(frozen=True, slots=True)
class CallerEnd:
    """Who calls: `any`, or workloads by name (sorted) and identities that are not declared; `text` as written.

    With `plaintext` it is whoever calls without an identity, and nobody else.
    """

    any: bool
    names: tuple[str, ...]
    ids: tuple[SpiffeId, ...]
    text: str
    span: Span = field(compare=False)
    plaintext: bool = False

    @property
    def nobody(self) -> bool:
        """Whether it is an empty group: what is said of it is said of nobody."""
        return not (self.any or self.names or self.ids or self.plaintext)


@dataclass(frozen=True, slots=True)
class CalleeEnd:
    """Who is called: each with the ports that are meant. `one` tells that a single callee was named."""

    ports: tuple[tuple[str, tuple[ServicePort, ...]], ...]
    one: bool
    text: str
    span: Span = field(compare=False)


Poisoned: TypeAlias = None
"""What stands for a peer with an error in it: whatever depends on it is silent."""


class PeerResolver:
    """Resolves the peers of sentences and remembers whether any of them spoke of the gateway."""

    def __init__(self, symbols: SymbolTable, groups: GroupTable, landscape: Landscape, findings: Findings) -> None:
        self._symbols = symbols
        self._groups = groups
        self._landscape = landscape
        self._findings = findings
        self.mentions_ingress = False
        self._notes: set[str] = set()

    def take_note(self, of: str) -> bool:
        """Tell whether it is the first time that this is noted: what has one cause is told once."""
        first = of not in self._notes
        self._notes.add(of)
        return first

    @property
    def trusts_tokens(self) -> bool:
        """Whether tokens of end users are trusted, so that conditions on claims may hold."""
        return self._landscape.trusts_tokens

    @property
    def externals(self) -> Mapping[str, External]:
        """What is called and has no sidecar."""
        return self._landscape.externals

    def is_workload(self, name: str) -> bool:
        """Tell whether a single workload has the name."""
        return self._landscape.workload(name) is not None

    def caller(self, peer: PeerRef) -> CallerEnd | Poisoned:
        """Return who calls."""
        match peer:
            case AnyPeer():
                self.mentions_ingress = True
                return CallerEnd(True, (), (), "any", peer.span)
            case IngressPeer():
                self.mentions_ingress = True
                return CallerEnd(False, (INGRESS,), (), INGRESS, peer.span)
            case SpiffePeer():
                identity = self._groups.spiffe_id(peer)
                return None if identity is None else CallerEnd(False, (), (identity,), f'"{identity}"', peer.span)
            case NamedPeer():
                return self._named_caller(peer)
            case _:
                assert_never(peer)

    def callers(self, end: CallerEnd) -> Callers:
        """Return the identities of a caller's end, sorted."""
        if end.any:
            return AnyCaller()
        if end.plaintext:
            return PlaintextCaller()
        workloads = (self._landscape.workload(name) for name in end.names)
        ids = {workload.spiffe_id for workload in workloads if workload is not None}
        return TheseCallers(tuple(sorted(ids.union(end.ids))))

    def caller_names(self, end: CallerEnd) -> tuple[str, ...]:
        """Return the workloads at a caller's end by name, sorted: all of the mesh for `any`."""
        return tuple(sorted({*self._landscape.workloads, INGRESS})) if end.any else end.names

    def callee(self, peer: PeerRef) -> CalleeEnd | Poisoned:
        """Return who is called, with all the ports that the peer may mean."""
        match peer:
            case AnyPeer():
                services = self._landscape.services
                return CalleeEnd(self._with_ports(services), False, "any", peer.span)
            case IngressPeer():
                self._wrong("`ingress` calls into the mesh and serves nothing itself", peer.span)
                return None
            case SpiffePeer():
                self._wrong("a callee is named as the program declares it, not by its SPIFFE ID", peer.span)
                return None
            case NamedPeer():
                return self._named_callee(peer)
            case _:
                assert_never(peer)

    def _named_caller(self, peer: NamedPeer) -> CallerEnd | Poisoned:
        kinds = (SymbolKind.SERVICE, SymbolKind.GROUP)
        if peer.name.text == PLAINTEXT and peer.part is None:
            return CallerEnd(False, (), (), PLAINTEXT, peer.span, plaintext=True)
        if peer.part is not None:
            self._wrong(f"a caller has no port: write `{peer.name}`", peer.part.span)
            return None
        symbol = self._symbols.get(peer.name.text)
        if symbol is not None and symbol.kind is SymbolKind.EXTERNAL:
            label = Label(symbol.declaration.name.span, "declared here")
            self._wrong(f"the external `{peer.name}` is outside the mesh and does not call into it", peer.span, label)
            return None
        symbol = self._symbols.resolve(peer.name.text, peer.name.span, kinds, self._findings)
        if symbol is None or symbol.name in self._landscape.broken:
            return None
        if symbol.kind is SymbolKind.SERVICE:
            return CallerEnd(False, (symbol.name,), (), symbol.name, peer.span)
        members = self._groups.members(symbol.name)
        if members is None or not self._landscape.broken.isdisjoint(members.names):
            return None
        outside = sorted(members.names & self._landscape.externals.keys())
        if outside:
            label = Label(symbol.declaration.name.span, "the group")
            self._wrong(
                f"the group `{peer.name}` holds the external {one_of(outside)}, which does not call", peer.span, label
            )
            return None
        self.mentions_ingress |= INGRESS in members.names
        return CallerEnd(False, tuple(sorted(members.names)), tuple(sorted(members.ids)), symbol.name, peer.span)

    def _named_callee(self, peer: NamedPeer) -> CalleeEnd | Poisoned:
        if peer.name.text == PLAINTEXT:
            self._wrong("`plaintext` stands for callers without an identity, and nobody is called so", peer.span)
            return None
        kinds = (SymbolKind.SERVICE, SymbolKind.EXTERNAL, SymbolKind.GROUP)
        symbol = self._symbols.resolve(peer.name.text, peer.name.span, kinds, self._findings)
        if symbol is None or symbol.name in self._landscape.broken:
            return None
        if symbol.kind is SymbolKind.GROUP:
            return self._group_callee(peer)
        ports = self._landscape.ports(symbol.name)
        if not ports:
            label = Label(symbol.declaration.name.span, "declared here without a `port`")
            self._wrong(f"`{symbol.name}` has no port, so nobody can call it", peer.span, label)
            return None
        if peer.part is None:
            return CalleeEnd(((symbol.name, ports),), True, symbol.name, peer.span)
        port = self._port(symbol.name, ports, peer.part)
        return None if port is None else CalleeEnd(((symbol.name, (port,)),), True, str(peer.name), peer.span)

    def _group_callee(self, peer: NamedPeer) -> CalleeEnd | Poisoned:
        name = peer.name.text
        if peer.part is not None:
            self._wrong(f"`{name}` is a group, and its members have ports of their own", peer.part.span)
            return None
        members = self._groups.members(name)
        if members is None or not self._landscape.broken.isdisjoint(members.names):
            return None
        if members.ids:
            self._wrong(f"the group `{name}` holds a SPIFFE ID, and a callee is named as declared", peer.span)
            return None
        return CalleeEnd(self._with_ports(members.names), False, name, peer.span)

    def _port(self, service: str, ports: tuple[ServicePort, ...], part: Name) -> ServicePort | None:
        for port in ports:
            if port.name == part.text:
                return port
        known = [port.name for port in ports if port.name is not None]
        help_line, fixes = did_you_mean(part.text, known, part.span)
        if not known:
            help_line = f"`{service}` has a single port, so its name alone is enough"
        elif not help_line:
            help_line = f"its ports are {one_of(known).replace(' or ', ' and ')}"
        message = f"`{service}` has no port `{part}`"
        self._findings.add(names.UNKNOWN_PORT, message, part.span, help=help_line, fixes=fixes)
        return None

    def _with_ports(self, callees: Iterable[str]) -> tuple[tuple[str, tuple[ServicePort, ...]], ...]:
        """Return the callees that have ports, sorted; a workload that serves nothing cannot be called."""
        return tuple((name, ports) for name in sorted(callees) if (ports := self._landscape.ports(name)))

    def _wrong(self, message: str, span: Span, *related: Label) -> None:
        self._findings.add(names.WRONG_KIND, message, span, related=related)
