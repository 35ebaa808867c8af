"""A whole program to the mesh: what it declares first, then the sentences about it."""

from __future__ import annotations

from meshc_compiler.finding import Findings
from meshc_compiler.ir.claim import Assertion, Example
from meshc_compiler.ir.mesh import INGRESS, Mesh
from meshc_compiler.ir.policy import Limit
from meshc_compiler.ir.setting import Scope
from meshc_compiler.loader import Program
from meshc_compiler.lower.claim import lower_assertion, lower_test
from meshc_compiler.lower.declaration import check_editions, lower_head, lower_landscape
from meshc_compiler.lower.route import RouteBook
from meshc_compiler.lower.rule import GrantSite, RuleBook, lower_limit
from meshc_compiler.lower.setting import SettingsTable, lower_settings
from meshc_compiler.resolve.group import GroupTable
from meshc_compiler.resolve.peer import CalleeEnd, CallerEnd, Landscape, PeerResolver
from meshc_compiler.resolve.symbol import SymbolKind, SymbolTable, collect_symbols
from meshc_lang.codes import names, units
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.record import dataclass
from meshc_lang.source import SourceText
from meshc_lang.tree.claim import AssertDecl, TestDecl
from meshc_lang.tree.declaration import EditionDecl, ExternalDecl, GroupDecl, MeshDecl, ServiceDecl
from meshc_lang.tree.statement import AllowDecl, AnyStatement, DefaultsDecl, DenyDecl, EdgeDecl, LimitDecl, RouteDecl

MOST_EDGES = 100_000
"""The most pairs that one `edge` statement may stand for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoweredProgram:
    """The mesh that a program means, and where its rules were written (which the mesh itself does not say).

    `repeated` holds grants that are written twice, each with the one that was kept.
    """

    mesh: Mesh
    sites: dict[str, GrantSite]
    repeated: tuple[tuple[GrantSite, GrantSite], ...]


def lower_program(program: Program) -> tuple[LoweredProgram, tuple[Diagnostic, ...]]:
    """Return the mesh that the program means. With an error among the diagnostics it is only a part of it."""
    findings = Findings()
    statements = sorted(
        (statement for file in program.files for statement in file.statements), key=lambda node: node.span.sort_key
    )
    beginning = (program.sources[0] if program.files else SourceText("", "")).span(0, 0)
    check_editions(statements, findings)
    symbols = collect_symbols(statements, findings, program.lost_names, program.incomplete)
    mesh_is_lost = program.incomplete or "mesh" in program.lost_names
    head = lower_head(statements, findings, None if mesh_is_lost else beginning)
    landscape = lower_landscape(symbols, head, findings)
    groups = GroupTable(symbols, landscape.workloads, landscape.trust_domain, findings)
    groups.resolve_all()
    resolver = PeerResolver(symbols, groups, landscape, findings)
    sentences = _Sentences(symbols, landscape, resolver, findings)
    for statement in statements:
        sentences.add(statement)
    workloads = list(landscape.workloads.values())
    if resolver.mentions_ingress or head.names_ingress or sentences.mentions_ingress:
        workloads.append(landscape.ingress)
    mesh = Mesh(
        name=head.name,
        trust_domain=head.trust_domain or "",
        workloads=tuple(sorted(workloads, key=lambda workload: workload.name)),
        services=tuple(landscape.services[name] for name in sorted(landscape.services)),
        externals=tuple(landscape.externals[name] for name in sorted(landscape.externals)),
        rules=sentences.rules.rules(),
        limits=tuple(sentences.limits[id_] for id_ in sorted(sentences.limits)),
        routes=sentences.routes.routes(sentences.rules.a_caller()),
        mesh_settings=sentences.mesh_settings.get(""),
        service_settings=sentences.service_settings.items(),
        edge_settings=tuple((*edge, settings) for edge, settings in sentences.edge_settings.items()),
        assertions=tuple(sorted(sentences.assertions, key=lambda claim: (claim.text, claim.because or ""))),
        examples=tuple(sorted(sentences.examples, key=_example_order)),
        origin=head.origin,
    )
    lowered = LoweredProgram(mesh=mesh, sites=sentences.rules.sites, repeated=tuple(sentences.rules.repeated))
    return lowered, findings.all()


def _example_order(example: Example) -> tuple[str, str, str]:
    return (example.test, example.request.text, repr(example.expectations))


class _Sentences:
    """Lowers the statements that are not declarations, one by one, in any order."""

    def __init__(self, symbols: SymbolTable, landscape: Landscape, resolver: PeerResolver, findings: Findings) -> None:
        self._symbols = symbols
        self._landscape = landscape
        self._resolver = resolver
        self._findings = findings
        self.rules = RuleBook(resolver, findings)
        self.routes = RouteBook(symbols, landscape, findings)
        self.limits: dict[str, Limit] = {}
        self.mesh_settings: SettingsTable[str] = SettingsTable("defaults mesh", findings)
        self.service_settings: SettingsTable[str] = SettingsTable("defaults of a service", findings)
        self.edge_settings: SettingsTable[tuple[str, str]] = SettingsTable("edge", findings)
        self.assertions: list[Assertion] = []
        self.examples: list[Example] = []
        self.mentions_ingress = False

    def add(self, statement: AnyStatement) -> None:
        match statement:
            case EditionDecl() | MeshDecl() | ServiceDecl() | ExternalDecl() | GroupDecl():
                pass
            case AllowDecl() | DenyDecl():
                self.rules.add(statement)
            case DefaultsDecl():
                self._defaults(statement)
            case EdgeDecl():
                self._edge(statement)
            case RouteDecl():
                self.routes.add(statement)
            case LimitDecl():
                for limit in lower_limit(statement, self._resolver, self._findings):
                    self.limits.setdefault(limit.id, limit)
            case AssertDecl():
                self.assertions += lower_assertion(statement, self._resolver, self._findings)
            case TestDecl():
                examples = lower_test(statement, self._landscape, self._findings)
                self.mentions_ingress |= any(example.request.caller == INGRESS for example in examples)
                self.examples += examples
            case _:
                raise NotImplementedError(type(statement).__name__)

    def _defaults(self, statement: DefaultsDecl) -> None:
        name = statement.scope
        if name.text == "mesh":
            settings = lower_settings(statement.body, "`defaults mesh`", Scope.MESH, self._findings)
            self.mesh_settings.add("", settings, "the mesh")
            return
        settings = lower_settings(statement.body, f"`defaults {name}`", Scope.SERVICE, self._findings)
        kinds = (SymbolKind.SERVICE, SymbolKind.EXTERNAL)
        symbol = self._symbols.resolve(name.text, name.span, kinds, self._findings)
        if symbol is not None:
            self.service_settings.add(symbol.name, settings, f"`{name}`")

    def _edge(self, statement: EdgeDecl) -> None:
        caller = self._resolver.caller(statement.flow.caller)
        callee = self._resolver.callee(statement.flow.callee)
        owner = f"the edge `{' '.join(statement.flow.span.text.split())}`"
        settings = lower_settings(statement.body, owner, Scope.EDGE, self._findings)
        if caller is None or callee is None or not self._edge_is_sound(statement, caller, callee):
            return
        for name in self._resolver.caller_names(caller):
            for called, _ in callee.ports:
                self.edge_settings.add((name, called), settings, f"the edge `{name} -> {called}`")

    def _edge_is_sound(self, statement: EdgeDecl, caller: CallerEnd, callee: CalleeEnd) -> bool:
        if caller.ids:
            message = "settings are kept by the caller's sidecar, and a caller that is not declared has none of ours"
            self._findings.add(names.WRONG_KIND, message, caller.span)
            return False
        part = getattr(statement.flow.callee, "part", None)
        if part is not None:
            message = "settings of a single port are not part of this version: name the service alone"
            self._findings.add(units.NOT_IN_THIS_VERSION, message, part.span)
            return False
        pairs = len(self._resolver.caller_names(caller)) * len(callee.ports)
        if pairs > MOST_EDGES:
            message = f"this `edge` stands for {pairs:,} pairs, and at most {MOST_EDGES:,} are taken"
            help_line = "say it once by `defaults mesh` or `defaults SERVICE`"
            self._findings.add(units.TOO_MANY_EDGES, message, statement.flow.span, help=help_line)
            return False
        return True
