"""The settings of a program by scope: `defaults mesh`, `defaults SERVICE`, `edge A -> B`, `edge A -> B.port`."""

from __future__ import annotations

from meshc_compiler.finding import Findings
from meshc_compiler.ir.setting import SETTING_FIELDS, SETTING_NAMES, SETTINGS_OF_CONNECTIONS, Balance, Scope, Settings
from meshc_compiler.ir.workload import ServicePort
from meshc_compiler.lower.sentence import callee_text, flow_text
from meshc_compiler.lower.setting import lower_settings
from meshc_compiler.lower.settings_table import SettingsTable
from meshc_compiler.resolve.peer import CalleeEnd, CallerEnd, Landscape, PeerResolver
from meshc_compiler.resolve.symbol import SymbolKind, SymbolTable
from meshc_lang.codes import names, settings, units
from meshc_lang.tree.policy import NamedPeer
from meshc_lang.tree.statement import DefaultsDecl, EdgeDecl

MOST_EDGES = 100_000
"""The most pairs that one `edge` statement may stand for."""


class SettingsBook:
    """What all statements say about how calls behave, but for the rules of routes."""

    def __init__(self, symbols: SymbolTable, landscape: Landscape, resolver: PeerResolver, findings: Findings) -> None:
        self._symbols = symbols
        self._landscape = landscape
        self._resolver = resolver
        self._findings = findings
        self._mesh: SettingsTable[str] = SettingsTable("defaults mesh", findings)
        self._services: SettingsTable[str] = SettingsTable("defaults of a service", findings)
        self._edges: SettingsTable[tuple[str, str]] = SettingsTable("edge", findings)
        self._ports: SettingsTable[tuple[str, str, int]] = SettingsTable("edge with a port", findings)

    @property
    def mesh(self) -> Settings:
        """What `defaults mesh` states."""
        return self._mesh.get("")

    @property
    def services(self) -> tuple[tuple[str, Settings], ...]:
        """What the defaults of services and externals state, by name."""
        return self._services.items()

    @property
    def edges(self) -> tuple[tuple[str, str, Settings], ...]:
        """What edges state, by caller and callee."""
        return tuple((*edge, stated) for edge, stated in self._edges.items())

    @property
    def ports(self) -> tuple[tuple[str, str, int, Settings], ...]:
        """What edges to single ports state, by caller, callee and the port's number."""
        return tuple((*edge, stated) for edge, stated in self._ports.items())

    def add_defaults(self, statement: DefaultsDecl) -> None:
        """Lower a `defaults` statement."""
        name = statement.scope
        if name.text == "mesh":
            stated = lower_settings(statement.body, "`defaults mesh`", Scope.MESH, self._findings)
            self._mesh.add("", stated, "the mesh")
            return
        stated = lower_settings(statement.body, f"`defaults {name}`", Scope.SERVICE, self._findings)
        kinds = (SymbolKind.SERVICE, SymbolKind.EXTERNAL)
        symbol = self._symbols.resolve(name.text, name.span, kinds, self._findings)
        if symbol is not None:
            self._services.add(symbol.name, stated, f"`{name}`")
            self._check_effect(stated, symbol.name, self._landscape.ports(symbol.name))

    def add_edge(self, statement: EdgeDecl) -> None:
        """Lower an `edge` statement: the settings of every pair that it names."""
        caller = self._resolver.caller(statement.flow.caller)
        callee = self._resolver.callee(statement.flow.callee)
        peer = statement.flow.callee
        of_port = isinstance(peer, NamedPeer) and peer.part is not None
        owner = f"the edge `{flow_text(statement.flow)}`"
        scope = Scope.EDGE_PORT if of_port else Scope.EDGE
        stated = lower_settings(statement.body, owner, scope, self._findings)
        if caller is None or callee is None or not self._is_sound(statement, caller, callee):
            return
        if callee.one:
            ((name, ports),) = callee.ports
            self._check_effect(stated, callee_text(name, ports[0]) if of_port else name, ports)
        for name in self._resolver.caller_names(caller):
            for called, ports in callee.ports:
                if not of_port:
                    self._edges.add((name, called), stated, f"the edge `{name} -> {called}`")
                    continue
                for port in ports:
                    what = f"the edge `{name} -> {callee_text(called, port)}`"
                    self._ports.add((name, called, port.number), stated, what)

    def _is_sound(self, statement: EdgeDecl, caller: CallerEnd, callee: CalleeEnd) -> bool:
        if caller.ids:
            message = "settings are kept by the caller's sidecar, and a caller that is not declared has none of ours"
            self._findings.add(names.WRONG_KIND, message, caller.span)
            return False
        if caller.plaintext:
            message = "settings are kept by the caller's sidecar, and whoever calls as `plaintext` has none"
            self._findings.add(names.WRONG_KIND, message, caller.span)
            return False
        pairs = len(self._resolver.caller_names(caller)) * len(callee.ports)
        if pairs > MOST_EDGES:
            message = f"this `edge` stands for {pairs:,} pairs, and at most {MOST_EDGES:,} are taken"
            help_line = "say it once by `defaults mesh` or `defaults SERVICE`"
            self._findings.add(units.TOO_MANY_EDGES, message, statement.flow.span, help=help_line)
            return False
        return True

    def _check_effect(self, stated: Settings, callee: str, ports: tuple[ServicePort, ...]) -> None:
        """Tell of settings of requests for what is only connected to; one that is `off` says the truth."""
        if not ports or any(port.protocol.is_http for port in ports):
            return
        about_requests = {
            _subject(SETTING_NAMES[name]): setting.origin
            for name in reversed(SETTING_FIELDS)
            if (setting := getattr(stated, name)) is not None and setting.value and _is_of_requests(name, setting.value)
        }
        for word in sorted(about_requests):
            origin = about_requests[word]
            if origin is not None:
                message = f"`{word}` is about requests, and `{callee}` is only connected to"
                self._findings.add(
                    settings.SETTING_WITHOUT_EFFECT,
                    message,
                    origin,
                    help="`connect-timeout`, `idle-timeout`, `max-connections` and `balance` hold for connections",
                    subject=f"settings {callee}",
                )


def _is_of_requests(name: str, value: object) -> bool:
    return name not in SETTINGS_OF_CONNECTIONS or (isinstance(value, Balance) and value.is_of_requests)


def _subject(name: str) -> str:
    """Return a setting's name, or of a retry, which is about requests as a whole, that of the block."""
    return "retry" if name.startswith("retry ") else name
