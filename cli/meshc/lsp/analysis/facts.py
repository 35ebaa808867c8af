"""Answers about a compiled program, out of the compiler's public values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from meshc.lsp.analysis.question import (
    ANYBODY,
    AboutEdge,
    AboutGrant,
    AboutName,
    AboutRoute,
    AllPeers,
    CallFact,
    EdgeFact,
    Fact,
    GrantFact,
    HowMany,
    NameFact,
    Origin,
    Question,
    RuleFact,
    SettingFact,
    WhoCalls,
    WhomItCalls,
)
from meshc_compiler.finding import Findings
from meshc_compiler.ir.caller import AnyCaller, Callers, TheseCallers
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.ir.route import RouteRule
from meshc_compiler.ir.setting import Settings
from meshc_compiler.ir.workload import ServicePort
from meshc_compiler.lower.sentence import callee_text
from meshc_compiler.pipeline import CompileResult
from meshc_compiler.resolve.group import GroupTable, Members
from meshc_compiler.resolve.symbol import SymbolKind, collect_symbols
from meshc_compiler.space.callee_space import CalleeSpace
from meshc_compiler.space.request_space import Witness, build_space
from meshc_compiler.why import settings_rows
from meshc_lang.source import Span
from meshc_lang.units import print_percent, print_rate

_MOST_PAIRS = 200
_PLAINTEXT = "plaintext"


class Facts:
    """One compiled program; what is costly to find out is found out once. `key` names its files."""

    def __init__(self, result: CompileResult, key: Callable[[str], str] = str) -> None:
        self._key = key
        self._index = result.index
        self._files = result.program.files
        self._groups: Mapping[str, Members] | None = None

    def prepare(self) -> None:
        """Find out beforehand what would keep the first answers waiting."""
        self._all_groups()

    def answer(self, question: Question) -> Fact:
        """Answer a question; None where the program means nothing, or nothing of that name."""
        index = self._index
        if index is None:
            return None
        answers: dict[type[Any], Callable[[MeshIndex, Any], Fact]] = {
            AboutName: self._about_name,
            AboutEdge: self._about_edge,
            AboutGrant: self._about_grant,
            AboutRoute: self._about_route,
            WhoCalls: self._who_calls,
            WhomItCalls: self._whom_it_calls,
            HowMany: self._how_many,
            AllPeers: lambda index, _: tuple(sorted({*index.services, *index.externals})),
        }
        return answers[type(question)](index, question)

    # ---- names

    def _about_name(self, index: MeshIndex, question: AboutName) -> Fact:
        name = question.name
        members = self.members(name)
        if members is not None:
            return NameFact(name=name, kind="group", members=members)
        if (external := index.externals.get(name)) is not None:
            rows = [("hosts", ", ".join(external.hosts)), ("port", _port(external.port))]
            return NameFact(
                name=name,
                kind="external",
                origin=self._origin(external.origin),
                rows=tuple(rows),
                callers=tuple((call.name, len(call.rules)) for call in self._calls_to(index, name)),
                settings=self._settings(index.scopes("", name, external.port.number, None)),
            )
        workload = index.workloads.get(name)
        if workload is None:
            return None
        service = index.services.get(name)
        rows = [("identity", str(workload.spiffe_id)), ("namespace", workload.namespace)]
        if service is not None:
            rows.append(("ports", ", ".join(_port(port) for port in service.ports) or "none: it only calls"))
            if service.versions:
                rows.append(("versions", ", ".join(service.versions)))
            if service.replicas != 1:
                rows.append(("replicas", str(service.replicas)))
            if service.host != name:
                rows.append(("name in the cluster", service.host))
            rows.append(("mtls", str(service.mtls)))
        number = service.ports[0].number if service is not None and service.ports else 0
        return NameFact(
            name=name,
            kind="service" if service is not None else "gateway",
            origin=self._origin((service or workload).origin),
            rows=tuple(rows),
            callers=tuple((call.name, len(call.rules)) for call in self._calls_to(index, name)),
            settings=self._settings(index.scopes("", name, number, None)),
        )

    def members(self, group: str) -> tuple[str, ...] | None:
        """Return the members of a group, sorted; None for what is no group."""
        found = self._all_groups().get(group)
        return None if found is None else tuple(sorted((*found.names, *map(str, found.ids))))

    def _all_groups(self) -> Mapping[str, Members]:
        if self._groups is None and self._index is not None:
            statements = [statement for file in self._files for statement in file.statements]
            symbols = collect_symbols(statements, Findings())
            mesh = self._index.mesh
            table = GroupTable(symbols, self._index.workloads, mesh.trust_domain, Findings())
            names = [symbol.name for symbol in symbols.of_kind(SymbolKind.GROUP)]
            self._groups = {name: found for name in names if (found := table.members(name)) is not None}
        return self._groups or {}

    def _how_many(self, index: MeshIndex, question: HowMany) -> Fact:
        members = self.members(question.name)
        if members is not None:
            return len(members)
        if question.name not in index.services and question.name not in index.externals:
            return None
        return len(self._calls_to(index, question.name))

    # ---- edges

    def _peers(self, index: MeshIndex, name: str, *, calling: bool) -> tuple[str, ...]:
        if name == ANYBODY:
            return tuple(index.workloads) if calling else tuple(index.services)
        members = self.members(name)
        return (name,) if members is None else members

    def _about_edge(self, index: MeshIndex, question: AboutEdge) -> Fact:
        callers = self._peers(index, question.caller, calling=True)
        callees = self._peers(index, question.callee, calling=False)
        pairs = [(caller, callee) for caller in callers for callee in callees if caller != callee]
        scopes = []
        rules: dict[str, Rule] = {}
        limits: set[str] = set()
        for caller, callee in pairs[:_MOST_PAIRS]:
            for port in _ports(index, callee):
                if question.port not in (None, port.name):
                    continue
                scopes.append(index.scopes(caller, callee, port.number, None))
                rules |= {
                    rule.id: rule
                    for rule in index.rules_of(callee, port.number)
                    if _is_among(index, rule.callers, caller)
                }
                limits |= {
                    f"{print_rate(limit.amount, limit.seconds)} burst {limit.burst}"
                    for limit in index.limits_of(callee, port.number)
                    if _is_among(index, limit.callers, caller)
                }
        if not scopes:
            return None
        told = [self._settings(one) for one in scopes]
        varying = {
            row.name for rows in told for row in rows if _value_of(rows, row.name) != _value_of(told[0], row.name)
        }
        varying |= {
            row.name
            for row in told[0]
            if any(_value_of(rows, row.name) != row.value for rows in told) and row.effective
        }
        return EdgeFact(
            caller=question.caller,
            callee=question.callee,
            pairs=len(pairs),
            rules=tuple(self._rule_fact(rules[id_]) for id_ in sorted(rules)),
            settings=tuple(row for row in told[0] if row.name not in varying),
            varying=tuple(sorted(varying)),
            limits=tuple(sorted(limits)),
        )

    def _settings(self, scopes: Iterable[Settings]) -> tuple[SettingFact, ...]:
        """Return every value that is stated, the one in effect first, by setting."""
        stated: dict[str, list[SettingFact]] = {}
        for settings in scopes:
            for name, value, scope, origin in settings_rows(settings):
                row = SettingFact(name=name, value=value, scope=scope, origin=self._origin(origin), effective=True)
                stated.setdefault(name, []).append(row)
        found: list[SettingFact] = []
        for *others, last in stated.values():
            found += [last, *(replace(other, effective=False) for other in reversed(others))]
        return tuple(found)

    # ---- grants and rules of routes

    def _about_grant(self, index: MeshIndex, question: AboutGrant) -> Fact:
        for callee in self._peers(index, question.callee, calling=False):
            for port in _ports(index, callee):
                for rule in index.rules_of(callee, port.number):
                    if _text(rule.origin) == question.text:
                        return _grant_fact(index, callee, port, rule)
        return None

    def _about_route(self, index: MeshIndex, question: AboutRoute) -> Fact:
        for port in _ports(index, question.service):
            route = index.routes.get((question.service, port.number))
            for rule in route.rules if route is not None else ():
                if rule.name == question.name if question.name else _text(rule.origin) == question.text:
                    return self._route_fact(index, question.service, port, rule, route.rules if route else ())
        return None

    def _route_fact(
        self, index: MeshIndex, service: str, port: ServicePort, rule: RouteRule, rules: tuple[RouteRule, ...]
    ) -> GrantFact:
        winners = [other for other in rules if other.id in rule.yields_to]
        losers = [other.id for other in rules if rule.id in other.yields_to]
        rows = []
        if winners:
            rows.append(("yields to", ", ".join(other.id for other in winners)))
        if losers:
            rows.append(("wins over", ", ".join(losers)))
        shares = [f"{one.version or one.service} {print_percent(one.weight)}" for one in rule.destinations]
        rows.append(("goes to", ", ".join(shares) or "nowhere: it is answered at once"))
        return GrantFact(
            witness=_route_witness(index, service, port, rule, winners),
            rows=tuple(rows),
            settings=self._settings(index.scopes("", service, port.number, rule)),
        )

    def _rule_fact(self, rule: Rule) -> RuleFact:
        origin = self._origin(rule.origin)
        return RuleFact(text=rule.id, effect=rule.effect.value, because=rule.because or "", origin=origin)

    def _origin(self, span: Span | None) -> Origin | None:
        return None if span is None else Origin(self._key(span.source.path), span.start, span.end)

    # ---- calls

    def _who_calls(self, index: MeshIndex, question: WhoCalls) -> Fact:
        return tuple(self._calls_to(index, question.name))

    def _calls_to(self, index: MeshIndex, callee: str) -> list[CallFact]:
        found: dict[str, list[RuleFact]] = {}
        for port in _ports(index, callee):
            for rule in index.rules_of(callee, port.number):
                if rule.effect is Effect.ALLOW:
                    for name in _callers(index, rule.callers):
                        found.setdefault(name, []).append(self._rule_fact(rule))
        return [CallFact(name=name, rules=tuple(found[name])) for name in sorted(found)]

    def _whom_it_calls(self, index: MeshIndex, question: WhomItCalls) -> Fact:
        workload = index.workloads.get(question.name)
        if workload is None:
            return ()
        found: dict[str, list[RuleFact]] = {}
        for callee, number in index.callees_of(workload.spiffe_id):
            for rule in index.rules_of(callee, number):
                if (
                    rule.effect is Effect.ALLOW
                    and callee != question.name
                    and _is_among(index, rule.callers, question.name)
                ):
                    found.setdefault(callee, []).append(self._rule_fact(rule))
        return tuple(CallFact(name=name, rules=tuple(found[name])) for name in sorted(found))


def _ports(index: MeshIndex, name: str) -> tuple[ServicePort, ...]:
    if (external := index.externals.get(name)) is not None:
        return (external.port,)
    service = index.services.get(name)
    return service.ports if service is not None else ()


def _port(port: ServicePort) -> str:
    name = "" if port.name is None else f"{port.name}: "
    target = "" if port.target is None else f" (listens on {port.target})"
    return f"{name}{port.number}/{port.protocol}{target}"


def _callers(index: MeshIndex, callers: Callers) -> Iterator[str]:
    match callers:
        case AnyCaller():
            yield ANYBODY
        case TheseCallers(ids):
            for identity in ids:
                workload = index.workloads_by_id.get(identity)
                yield str(identity) if workload is None else workload.name
        case _:
            yield _PLAINTEXT


def _is_among(index: MeshIndex, callers: Callers, name: str) -> bool:
    return any(caller in (name, ANYBODY) for caller in _callers(index, callers))


def _value_of(rows: Iterable[SettingFact], name: str) -> str | None:
    return next((row.value for row in rows if row.name == name and row.effective), None)


def _text(span: Span | None) -> str:
    return "" if span is None else " ".join(span.text.split())


def _grant_fact(index: MeshIndex, callee: str, port: ServicePort, rule: Rule) -> GrantFact:
    space = CalleeSpace(index, callee, port)
    boxes = space.rule_boxes(rule)
    if rule.effect is Effect.ALLOW:
        boxes = space.shared(boxes, space.allowed)
    found = space.example(boxes)
    rows = [("about", callee_text(callee, port))]
    if rule.effect is Effect.DENY:
        met = [
            other.id
            for other in space.of_effect(Effect.ALLOW)
            if space.overlap(space.rule_boxes(rule), space.rule_boxes(other))
        ]
        rows.append(("takes away from", ", ".join(met) or "nothing that is allowed"))
    return GrantFact(witness=space.request(found).text if isinstance(found, Witness) else "", rows=tuple(rows))


def _route_witness(index: MeshIndex, service: str, port: ServicePort, rule: RouteRule, winners: list[RouteRule]) -> str:
    """Return a request that the rule decides."""
    space = build_space((rule.match, *(other.match for other in winners), RequestMatch()))
    if space is None:
        return ""
    boxes = space.boxes(rule.match, 1)
    for other in winners:
        taken = space.boxes(other.match, 1)
        boxes = None if boxes is None or taken is None else space.difference(boxes, taken)
    found = space.example(boxes)
    if not isinstance(found, Witness):
        return ""
    callee = CalleeSpace(index, service, port)
    callers = [name for one in callee.of_effect(Effect.ALLOW) for name in _callers(index, one.callers)]
    request = callee.request(found)
    named = [name for name in callers if name in index.workloads]
    return (replace(request, caller=named[0]) if named else request).text
