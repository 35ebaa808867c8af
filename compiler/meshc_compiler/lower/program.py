"""A whole program to the mesh: what it declares first, then the sentences about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from meshc_compiler.finding import Findings
from meshc_compiler.ir.claim import Assertion
from meshc_compiler.ir.example import Example
from meshc_compiler.ir.mesh import INGRESS, Mesh
from meshc_compiler.ir.policy import Limit
from meshc_compiler.loader import Program
from meshc_compiler.lower.claim import lower_assertion
from meshc_compiler.lower.declaration import check_editions, lower_head, lower_landscape
from meshc_compiler.lower.example import lower_test
from meshc_compiler.lower.fault import FaultBook
from meshc_compiler.lower.jwt import lower_issuers
from meshc_compiler.lower.mirror import MirrorBook
from meshc_compiler.lower.objective import ObjectiveBook
from meshc_compiler.lower.route import RouteBook
from meshc_compiler.lower.rule import GrantSite, RuleBook, lower_limit
from meshc_compiler.lower.settings_book import SettingsBook
from meshc_compiler.resolve.group import GroupTable
from meshc_compiler.resolve.peer import Landscape, PeerResolver
from meshc_compiler.resolve.symbol import SymbolTable, collect_symbols
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.record import dataclass
from meshc_lang.source import SourceText
from meshc_lang.tree.claim import AssertDecl, TestDecl
from meshc_lang.tree.declaration import EditionDecl, ExternalDecl, GroupDecl, ImportDecl, JwtDecl, MeshDecl, ServiceDecl
from meshc_lang.tree.statement import (
    AllowDecl,
    AnyStatement,
    DefaultsDecl,
    DenyDecl,
    EdgeDecl,
    FaultDecl,
    LimitDecl,
    MirrorDecl,
    RouteDecl,
    SloDecl,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoweredProgram:
    """The mesh that a program means, and where its rules were written (which the mesh itself does not say).

    `repeated` holds grants that are written twice, each with the one that was kept.
    """

    mesh: Mesh
    sites: dict[str, GrantSite]
    repeated: tuple[tuple[GrantSite, GrantSite], ...]


def lower_program(
    program: Program,
    statements: Iterable[AnyStatement] | None = None,
    lost_names: frozenset[str] = frozenset(),
    overlay: str | None = None,
) -> tuple[LoweredProgram, tuple[Diagnostic, ...]]:
    """Return the mesh that the program means. With an error among the diagnostics it is only a part of it.

    `statements` are those of the program once expanded, its own if not given; `lost_names` are further names that a
    statement with an error would have declared. `overlay` is the name of the overlay that was applied.
    """
    findings = Findings()
    if statements is None:
        statements = [statement for file in program.files for statement in file.statements]
        if program.imported is not None:
            from meshc_compiler.importing.declare import declare  # most programs import nothing

            statements = declare(statements, program.imported, findings)
    # Of two that contradict each other the overlay's is told, wherever its file stands.
    statements = sorted(statements, key=lambda node: (node.span.overlay, node.span.sort_key))
    beginning = (program.sources[0] if program.files else SourceText("", "")).span(0, 0)
    check_editions(statements, findings)
    symbols = collect_symbols(statements, findings, program.lost_names | lost_names, program.incomplete)
    mesh_is_lost = program.incomplete or "mesh" in program.lost_names
    head = lower_head(statements, findings, None if mesh_is_lost else beginning)
    issuers, issuers_are_lost = lower_issuers(symbols, findings)
    landscape = replace(
        lower_landscape(symbols, head, findings), token_issuers=issuers, issuers_are_lost=issuers_are_lost
    )
    imported = program.imported
    if imported is not None:
        from meshc_compiler.importing import attach

        landscape = attach.attach_manifests(landscape, imported)
    groups = GroupTable(symbols, landscape.workloads, landscape.trust_domain, findings)
    groups.resolve_all()
    resolver = PeerResolver(symbols, groups, landscape, findings)
    sentences = _Sentences(symbols, landscape, resolver, findings)
    for statement in statements:
        sentences.add(statement)
    sentences.finish()
    if imported is not None:
        landscape = attach.attach_schemas(landscape, imported, resolver, findings)
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
        mirrors=sentences.mirrors.mirrors(),
        faults=sentences.faults.faults(),
        objectives=sentences.objectives.objectives(),
        mesh_settings=sentences.settings.mesh,
        service_settings=sentences.settings.services,
        edge_settings=sentences.settings.edges,
        port_settings=sentences.settings.ports,
        token_issuers=issuers,
        assertions=tuple(sorted(sentences.assertions, key=lambda claim: (claim.text, claim.because or ""))),
        examples=tuple(sorted(sentences.examples, key=_example_order)),
        certificates=head.certificates,
        overlay=overlay,
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
        self.routes = RouteBook(symbols, landscape, resolver, findings)
        self.limits: dict[str, Limit] = {}
        self.settings = SettingsBook(symbols, landscape, resolver, findings)
        self.mirrors = MirrorBook(symbols, landscape, resolver, findings)
        self.faults = FaultBook(resolver, findings)
        self.objectives = ObjectiveBook(symbols, landscape, findings)
        self.assertions: list[Assertion] = []
        self.examples: list[Example] = []
        self.mentions_ingress = False
        self._tests: list[TestDecl] = []

    def finish(self) -> None:
        """Lower what speaks of what other sentences say: tests, which name the rules of routes, and faults."""
        for statement in self._tests:
            examples = lower_test(statement, self._landscape, self.routes.rule_names, self.faults.names, self._findings)
            self.mentions_ingress |= any(example.request.caller == INGRESS for example in examples)
            self.examples += examples

    def add(self, statement: AnyStatement) -> None:
        match statement:
            case EditionDecl() | ImportDecl() | MeshDecl() | ServiceDecl() | ExternalDecl() | GroupDecl() | JwtDecl():
                pass
            case AllowDecl() | DenyDecl():
                self.rules.add(statement)
            case DefaultsDecl():
                self.settings.add_defaults(statement)
            case EdgeDecl():
                self.settings.add_edge(statement)
            case RouteDecl():
                self.routes.add(statement)
            case LimitDecl():
                for limit in lower_limit(statement, self._resolver, self._findings):
                    self.limits.setdefault(limit.id, limit)
            case MirrorDecl():
                self.mirrors.add(statement)
            case FaultDecl():
                self.faults.add(statement)
            case SloDecl():
                self.objectives.add(statement)
            case AssertDecl():
                self.assertions += lower_assertion(statement, self._resolver, self._findings)
            case TestDecl():
                self._tests.append(statement)
            case _:
                raise NotImplementedError(type(statement).__name__)
