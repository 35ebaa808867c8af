"""Routes: the rules of each port of a service, their targets and shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from meshc_compiler.finding import Findings, did_you_mean, heading, one_of
from meshc_compiler.ir.mesh import INGRESS
from meshc_compiler.ir.route import WHOLE, Answer, Destination, Route, RouteRule
from meshc_compiler.ir.setting import NOTHING_STATED, Scope
from meshc_compiler.ir.workload import Protocol, Service, ServicePort
from meshc_compiler.lower.answer import answer_text, lower_answer
from meshc_compiler.lower.callee import routed_service
from meshc_compiler.lower.condition import lower_condition
from meshc_compiler.lower.field import duplicate
from meshc_compiler.lower.match import Form, lower_grant
from meshc_compiler.lower.precedence import order_rules
from meshc_compiler.lower.rule import fitting, no_port_fits
from meshc_compiler.lower.sentence import match_text
from meshc_compiler.lower.setting import lower_settings
from meshc_compiler.resolve.peer import CalleeEnd, Landscape, PeerResolver
from meshc_compiler.resolve.symbol import SymbolTable
from meshc_lang.codes import names, routing, units
from meshc_lang.diagnostic import Label
from meshc_lang.record import dataclass
from meshc_lang.tree.node import Name
from meshc_lang.tree.statement import RouteDecl, RuleDecl
from meshc_lang.tree.target import Answer as TreeAnswer
from meshc_lang.tree.target import Target
from meshc_lang.tree.value import Percent
from meshc_lang.units import print_percent

_UNKNOWN = object()
"""What stands for a target that the service does not have."""


@dataclass(slots=True)
class _Draft:
    """The rules of one port while they are gathered."""

    service: Service
    port: ServicePort
    rules: list[tuple[RouteRule, RuleDecl]]


class RouteBook:
    """The routes of a program, gathered from all its `route` statements."""

    def __init__(self, symbols: SymbolTable, landscape: Landscape, resolver: PeerResolver, findings: Findings) -> None:
        self._symbols = symbols
        self._landscape = landscape
        self._resolver = resolver
        self._findings = findings
        self._drafts: dict[tuple[str, int], _Draft] = {}
        self._rules_by_name: dict[str, dict[str, RuleDecl]] = {}
        self._overs: list[tuple[Service, RuleDecl]] = []
        self._broken: set[str] = set()

    def add(self, statement: RouteDecl) -> None:
        """Lower the rules of one statement."""
        routed = routed_service(statement.service, statement.port, self._symbols, self._landscape, self._findings)
        if routed is None:
            return
        service, callee = routed
        for rule in statement.rules:
            self._name(service, rule)
            if rule.over:
                self._overs.append((service, rule))
            self._add_rule(service, callee, rule)

    def rule_names(self, service: str) -> tuple[str, ...]:
        """Return the names of the rules of a service, sorted."""
        return tuple(sorted(self._rules_by_name.get(service, ())))

    def routes(self, callers: Mapping[str, str]) -> tuple[Route, ...]:
        """Return the routes, each in an order in which the first rule that matches wins.

        `callers` has for each service one that may call it: witnesses are requests of theirs.
        """
        for service, rule in self._overs:
            self._check_over(service, rule)
        workloads = (self._landscape.ingress, *self._landscape.workloads.values())
        identities = {workload.name: workload.spiffe_id for workload in workloads}
        routes = []
        for key in sorted(self._drafts):
            draft = self._drafts[key]
            if draft.service.name in self._broken:
                continue
            caller = callers.get(draft.service.name, INGRESS)
            declarations = {rule.id: declaration for rule, declaration in draft.rules}
            rules = tuple(rule for rule, _ in draft.rules)
            ordered = order_rules(
                draft.service.name, draft.port, rules, declarations, self._findings, caller, identities
            )
            routes.append(Route(service=draft.service.name, port=draft.port.number, rules=ordered))
        return tuple(routes)

    def _name(self, service: Service, rule: RuleDecl) -> None:
        if rule.name is None:
            return
        named = self._rules_by_name.setdefault(service.name, {})
        first = named.setdefault(rule.name.text, rule)
        if first is not rule and first.name is not None:
            self._broken.add(service.name)
            self._findings.add(
                routing.DUPLICATE_ROUTE_NAME,
                f"two rules of `{service.name}` are named `{rule.name}`",
                rule.name.span,
                related=(Label(first.name.span, "the first is here"),),
                subject=f"route {service.name}/{rule.name}",
            )

    def _check_over(self, service: Service, rule: RuleDecl) -> None:
        known = self._rules_by_name.get(service.name, {})
        for name in rule.over:
            if name.text not in known:
                self._broken.add(service.name)
                help_line, fixes = did_you_mean(name.text, known, name.span)
                if not help_line:
                    help_line = f"it has {one_of(sorted(known))}" if known else "name a rule by `as NAME`"
                message = f"no rule of `{service.name}` is named `{name}`"
                self._findings.add(names.UNKNOWN_ROUTE_NAME, message, name.span, help=help_line, fixes=fixes)
            elif rule.name is not None and rule.name.text == name.text:
                self._broken.add(service.name)
                message = f"the rule `{name}` is `over` itself"
                self._findings.add(routing.OVER_CYCLE, message, name.span)

    def _add_rule(self, service: Service, callee: CalleeEnd, declaration: RuleDecl) -> None:
        answer = None
        destinations: tuple[Destination, ...] | None = ()
        if declaration.answer is None:
            destinations = self._destinations(service, declaration)
        else:
            answer = self._answer(declaration, declaration.answer, callee)
            if answer is None:
                destinations = None
        owner = "the rule" if declaration.name is None else f"the rule `{declaration.name}`"
        settings = NOTHING_STATED
        if declaration.body is not None:
            settings = lower_settings(declaration.body, owner, Scope.ROUTE, self._findings)
        guard = None
        if declaration.guard is not None:
            guard = lower_condition(declaration.guard, self._resolver, self._findings, outbound=True)
            if guard is None:
                self._broken.add(service.name)
                return
        matcher = lower_grant(declaration.matcher, guard, self._findings)
        if matcher is None or destinations is None:
            self._broken.add(service.name)
            return
        if matcher.form is Form.TCP:
            message = "a route is about requests, and `tcp` speaks of connections"
            self._findings.add(units.PROTOCOL_MISMATCH, message, declaration.matcher.span)
            return
        targets = [(name, port) for name, port in fitting(callee, matcher) if port.protocol.is_http]
        if not targets:
            no_port_fits(callee, matcher, declaration.matcher.span, self._findings)
        shares = ", ".join(_destination_text(destination) for destination in destinations)
        if answer is not None:
            shares = answer_text(answer)
        name = None if declaration.name is None else declaration.name.text
        for _, port in targets:
            draft = self._drafts.setdefault((service.name, port.number), _Draft(service, port, []))
            for match in matcher.matches:
                sentence = match_text(match, port.protocol)
                id_ = f"{sentence} => {shares}"
                if name is not None:
                    id_ = name if len(matcher.matches) == 1 else f"{name}: {sentence}"
                rule = RouteRule(
                    id=_unused(id_, draft.rules),
                    name=name,
                    match=match,
                    destinations=destinations,
                    answer=answer,
                    settings=settings if answer is None else NOTHING_STATED,
                    origin=declaration.span,
                )
                draft.rules.append((rule, declaration))

    def _answer(self, declaration: RuleDecl, answer: TreeAnswer, callee: CalleeEnd) -> Answer | None:
        """Return what the rule answers itself, or tell that it cannot."""
        ports = [port for _, several in callee.ports for port in several]
        if all(port.protocol is Protocol.GRPC for port in ports):
            message = f"`{callee.text}` is called by rpc, and a status or a place is no answer to one"
            self._findings.add(routing.INVALID_ANSWER, message, answer.span)
            return None
        if declaration.body is not None and declaration.body.pairs:
            message = "a rule that answers itself makes no call, so settings have nothing to act on"
            self._findings.add(routing.INVALID_ANSWER, message, declaration.body.span, help="leave the block out")
            return None
        return lower_answer(answer, self._findings)

    # ---- targets

    def _destinations(self, service: Service, declaration: RuleDecl) -> tuple[Destination, ...] | None:
        resolved = [(target, self._version(service, target)) for target in declaration.targets]
        if any(version is _UNKNOWN for _, version in resolved):
            return None
        shares = _shares(declaration, self._findings)
        if shares is None:
            return None
        first: dict[str | None, Target] = {}
        weights: dict[str | None, int] = {}
        for (target, version), share in zip(resolved, shares, strict=True):
            text = None if version is None else str(version)
            weights[text] = weights.get(text, 0) + share
            if text in first:
                self._repeated_target(service, target, first[text], len({version for _, version in resolved}) == 1)
            first.setdefault(text, target)
        return tuple(
            Destination(service=service.name, version=version, weight=weight, origin=first[version].span)
            for version, weight in sorted(weights.items(), key=lambda item: (item[0] is not None, item[0] or ""))
            if weight > 0
        )

    def _repeated_target(self, service: Service, target: Target, first: Target, alone: bool) -> None:
        if alone:
            message = f"every share of this split goes to `{target.name}`"
            label = Label(first.span, "goes there …")
            self._findings.add(
                routing.SPLIT_WITH_ONE_VERSION,
                message,
                target.span,
                label="… and so does this",
                related=(label,),
                help=f"say `=> {target.name}` alone, or name another version",
            )
        else:
            duplicate(self._findings, f"`{target.name}` of `{service.name}` is a target twice", target.span, first.span)

    def _version(self, service: Service, target: Target) -> str | object | None:
        """Return the version that a target means, None for all instances, or `_UNKNOWN`."""
        name, part = target.name, target.part
        if part is None and name.text in service.versions:
            return name.text
        if name.text == service.name:
            if part is None:
                return None
            if part.text in service.versions:
                return part.text
            name = part
        elif self._symbols.get(name.text) is not None:
            message = f"`{name}` is another service, and a route sends to versions of its own, here `{service.name}`"
            help_line = f"let callers call `{name}` by its own name: who may is said there"
            self._findings.add(names.WRONG_KIND, message, target.span, help=help_line)
            return _UNKNOWN
        help_line, fixes = did_you_mean(name.text, service.versions, name.span)
        if not help_line:
            known = service.versions
            help_line = (
                f"it declares {one_of(known).replace(' or ', ' and ')}" if known else "add `versions: [v1, v2]` to it"
            )
        related = (Label(heading(service.origin), "declared here"),) if service.origin is not None else ()
        message = f"`{service.name}` declares no version `{name}`"
        self._findings.add(names.UNKNOWN_VERSION, message, name.span, help=help_line, fixes=fixes, related=related)
        return _UNKNOWN


def _shares(declaration: RuleDecl, findings: Findings) -> list[int] | None:
    """Return the share of each target in millionths, or tell that they do not add up."""
    targets = declaration.targets
    if len(targets) == 1 and targets[0].share is None:
        return [WHOLE]
    missing = [target for target in targets if target.share is None]
    if any(isinstance(target.share, Name) for target in targets):
        # A name that is left stands for no share, which another finding tells.
        return None
    shares = [target.share.millionths for target in targets if isinstance(target.share, Percent)]
    total = sum(shares)
    span = targets[0].span.to(targets[-1].span)
    if missing:
        rest = WHOLE - total
        help_line = ""
        if len(missing) == 1 and rest > 0:
            help_line = f"the others leave {print_percent(rest)}"
        message = f"a split needs the share of each target, and `{missing[0].name}` has none"
        findings.add(routing.WRONG_WEIGHTS, message, missing[0].span, help=help_line)
        return None
    if total != WHOLE:
        findings.add(routing.WRONG_WEIGHTS, f"the shares add up to {print_percent(total)}, not to 100%", span)
        return None
    return shares


def _destination_text(destination: Destination) -> str:
    name = destination.version or destination.service
    return name if destination.weight == WHOLE else f"{name} {print_percent(destination.weight)}"


def _unused(id_: str, rules: Iterable[tuple[RouteRule, RuleDecl]]) -> str:
    """Return the id, or the id with a number behind it where another rule of the port has it."""
    taken = {rule.id for rule, _ in rules}
    number, unused = 1, id_
    while unused in taken:
        number += 1
        unused = f"{id_} #{number}"
    return unused
