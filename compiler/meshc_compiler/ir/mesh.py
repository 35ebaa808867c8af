"""The root of the IR: everything the program says, resolved, in canonical order."""

from __future__ import annotations

from meshc_compiler.ir.certificate import CertificateTerms
from meshc_compiler.ir.claim import Assertion
from meshc_compiler.ir.example import Example
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.jwt import TokenIssuer
from meshc_compiler.ir.objective import Objective
from meshc_compiler.ir.policy import Limit, Rule
from meshc_compiler.ir.reach import Reach
from meshc_compiler.ir.route import Route, RouteRule
from meshc_compiler.ir.setting import NOTHING_STATED, Settings
from meshc_compiler.ir.traffic import Fault, Mirror
from meshc_compiler.ir.workload import External, MtlsMode, Service, ServicePort, Workload
from meshc_lang.record import dataclass, field
from meshc_lang.source import Span

INGRESS = "ingress"
"""The name of the workload by which calls enter the mesh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """A whole mesh. All tuples are sorted by name (rules and limits by id), so equal programs give equal values.

    `workloads` holds the gateway `ingress` if a statement mentions it; it serves no service. `service_settings`,
    `edge_settings` and `port_settings` hold what the program states at those scopes only: `(callee, settings)`,
    `(caller's workload, callee, settings)` and `(caller's workload, callee, port's number, settings)`. `overlay` is the
    name of the overlay that was applied to the program, if one was.
    """

    name: str
    trust_domain: str
    workloads: tuple[Workload, ...]
    services: tuple[Service, ...]
    externals: tuple[External, ...] = ()
    rules: tuple[Rule, ...] = ()
    limits: tuple[Limit, ...] = ()
    routes: tuple[Route, ...] = ()
    mesh_settings: Settings = NOTHING_STATED
    service_settings: tuple[tuple[str, Settings], ...] = ()
    edge_settings: tuple[tuple[str, str, Settings], ...] = ()
    port_settings: tuple[tuple[str, str, int, Settings], ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    faults: tuple[Fault, ...] = ()
    objectives: tuple[Objective, ...] = ()
    token_issuers: tuple[TokenIssuer, ...] = ()
    assertions: tuple[Assertion, ...] = ()
    examples: tuple[Example, ...] = ()
    certificates: CertificateTerms | None = None
    overlay: str | None = None
    origin: Span | None = field(default=None, compare=False, repr=False)


class MeshIndex:
    """Look-ups in a mesh, each built once: by name, by callee, by caller. Costs grow with the mesh, not its square."""

    def __init__(self, mesh: Mesh, namespaces: tuple[str, ...] | None = None) -> None:
        """`namespaces` are those of the whole mesh, where this is only a part of one."""
        self.mesh = mesh
        self.workloads = {workload.name: workload for workload in mesh.workloads}
        self.workloads_by_id = {workload.spiffe_id: workload for workload in mesh.workloads}
        self.services = {service.name: service for service in mesh.services}
        self.externals = {external.name: external for external in mesh.externals}
        self.routes = {(route.service, route.port): route for route in mesh.routes}
        own = tuple(sorted({service.namespace for service in mesh.services}))
        self.namespaces = own if namespaces is None else namespaces
        self._service_settings = dict(mesh.service_settings)
        self._edge_settings = {(caller, callee): settings for caller, callee, settings in mesh.edge_settings}
        self._port_settings = {
            (caller, callee, port): settings for caller, callee, port, settings in mesh.port_settings
        }
        self._callers_stated: dict[tuple[str, int | None], set[str]] = {}
        for name, callee, _ in mesh.edge_settings:
            self._callers_stated.setdefault((callee, None), set()).add(name)
        for name, callee, port, _ in mesh.port_settings:
            self._callers_stated.setdefault((callee, port), set()).add(name)
        self._rules_by_callee: dict[tuple[str, int], list[Rule]] = {}
        for rule in mesh.rules:
            self._rules_by_callee.setdefault((rule.callee, rule.port), []).append(rule)
        self._reach = Reach(mesh.rules)
        self._limits_by_callee: dict[tuple[str, int], list[Limit]] = {}
        for limit in mesh.limits:
            self._limits_by_callee.setdefault((limit.callee, limit.port), []).append(limit)
        self._mirrors: dict[tuple[str, int], list[Mirror]] = {}
        for mirror in mesh.mirrors:
            self._mirrors.setdefault((mirror.service, mirror.port), []).append(mirror)
        self._faults: dict[tuple[str, int], list[Fault]] = {}
        for fault in mesh.faults:
            self._faults.setdefault((fault.callee, fault.port), []).append(fault)
        self.objectives = {objective.service: objective for objective in mesh.objectives}
        self._effective: dict[tuple[int, ...], tuple[tuple[Settings, ...], Settings]] = {}

    def rules_of(self, callee: str, port: int) -> tuple[Rule, ...]:
        """Return the rules about one port of a callee, allows and denies, by id."""
        return tuple(self._rules_by_callee.get((callee, port), ()))

    def limits_of(self, callee: str, port: int) -> tuple[Limit, ...]:
        """Return the limits of one port of a callee, by id."""
        return tuple(self._limits_by_callee.get((callee, port), ()))

    def callees_of(self, caller: SpiffeId | None) -> tuple[tuple[str, int], ...]:
        """Return the (callee, port) pairs that some allow opens to the caller, sorted; None: to plaintext."""
        callees = self._reach.callees_of(caller)
        if caller is None:
            callees = {(callee, port) for callee, port in callees if self.takes_plaintext(callee)}
        return tuple(sorted(callees))

    def takes_plaintext(self, callee: str) -> bool:
        """Tell whether calls without a mesh identity get as far as the callee's rules."""
        service = self.services.get(callee)
        return service is not None and service.mtls is MtlsMode.PERMISSIVE

    def port_of(self, callee: str, number: int) -> ServicePort | None:
        """Return a callee's port by its number."""
        if callee in self.externals:
            port = self.externals[callee].port
            return port if port.number == number else None
        service = self.services.get(callee)
        return next((port for port in service.ports if port.number == number), None) if service else None

    def mirrors_of(self, service: str, port: int) -> tuple[Mirror, ...]:
        """Return the mirrors of one port of a service, by id."""
        return tuple(self._mirrors.get((service, port), ()))

    def faults_of(self, callee: str, port: int) -> tuple[Fault, ...]:
        """Return the faults of one port of a callee, by name."""
        return tuple(self._faults.get((callee, port), ()))

    def callers_with_settings(self, callee: str, port: int) -> tuple[str, ...]:
        """Return the callers of whose edge to a port of the callee something is stated, sorted."""
        return tuple(
            sorted(self._callers_stated.get((callee, None), set()) | self._callers_stated.get((callee, port), set()))
        )

    def settings(self, caller: str, callee: str, port: int, rule: RouteRule | None) -> Settings:
        """Return the effective settings of a call: mesh, service, edge, edge's port, route, field by field."""
        scopes = self.scopes(caller, callee, port, rule)
        # Most calls have what many others have; the scopes are kept, so that nothing else gets the place of one.
        place = tuple(map(id, scopes))
        known = self._effective.get(place)
        if known is None:
            known = self._effective[place] = (scopes, _merged(scopes).effective())
        return known[1]

    def stated(self, caller: str, callee: str, port: int, rule: RouteRule | None) -> Settings:
        """Return what is stated about a call, `off` included, with where it is stated."""
        return _merged(self.scopes(caller, callee, port, rule))

    def scopes(self, caller: str, callee: str, port: int, rule: RouteRule | None) -> tuple[Settings, ...]:
        """Return what each scope states about a call, from the most general to the most specific."""
        return (
            self.mesh.mesh_settings,
            self._service_settings.get(callee, NOTHING_STATED),
            self._edge_settings.get((caller, callee), NOTHING_STATED),
            self._port_settings.get((caller, callee, port), NOTHING_STATED),
            rule.settings if rule is not None else NOTHING_STATED,
        )


def _merged(scopes: tuple[Settings, ...]) -> Settings:
    """Return what several scopes state, the more specific over the more general."""
    merged = NOTHING_STATED
    for scope in scopes:
        if scope is not NOTHING_STATED:
            merged = scope if merged is NOTHING_STATED else merged.under(scope)
    return merged
