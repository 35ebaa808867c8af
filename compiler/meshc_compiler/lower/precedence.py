"""Which rule of a route wins: the more specific one, or the one that says `over`; and overlaps that neither decides."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import replace

from meshc_compiler.finding import Findings, delete, labels_at
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.mesh import INGRESS
from meshc_compiler.ir.route import RouteRule
from meshc_compiler.ir.workload import ServicePort
from meshc_compiler.space.callee_space import PATHS_PAST_BOUND, is_rpc
from meshc_compiler.space.caller_classes import CallerClasses, identities_asked
from meshc_compiler.space.cover import minimal_cover
from meshc_compiler.space.diagram import Box, Diagram
from meshc_compiler.space.request_space import Answer, Nothing, Region, RequestSpace, Undecided, Witness, build_space
from meshc_lang.codes import authorization, routing, units
from meshc_lang.diagnostic import Applicability, Edit, Fix, Label
from meshc_lang.request import Request
from meshc_lang.source import Span
from meshc_lang.tree.statement import RuleDecl

MOST_RULES = 1000
"""The most rules of one port's route: each pair of them is compared."""


def order_rules(
    service: str,
    port: ServicePort,
    rules: tuple[RouteRule, ...],
    declarations: Mapping[str, RuleDecl],
    findings: Findings,
    caller: str = INGRESS,
    identities: Mapping[str, SpiffeId] | None = None,
) -> tuple[RouteRule, ...]:
    """Return the rules with `yields_to`, ordered so that the first that matches is the one that wins.

    Of two rules that overlap the one that is strictly contained wins, unless one says `over` the other. An overlap that
    neither decides is an error with a request, as is a circle. It is made by `caller`, or by another out of
    `identities` (by name) where rules ask who calls.
    """
    rules = tuple(sorted(rules, key=lambda rule: rule.id))
    if len(rules) > MOST_RULES:
        span = declarations[rules[0].id].span
        message = (
            f"the route of `{service}` has {len(rules):,} rules for one port, and at most {MOST_RULES:,} are compared"
        )
        findings.add(routing.TOO_MANY_ROUTES, message, span, subject=f"route {service}")
        return rules
    order = _Precedence(service, port, rules, declarations, findings, caller, identities or {})
    order.compare()
    return order.sorted()


class _Precedence:
    """The relation "wins over" between the rules of one port, by their numbers."""

    def __init__(
        self,
        service: str,
        port: ServicePort,
        rules: tuple[RouteRule, ...],
        declarations: Mapping[str, RuleDecl],
        findings: Findings,
        caller: str,
        identities: Mapping[str, SpiffeId],
    ) -> None:
        self._service = service
        self._caller = caller
        self._identities = identities
        self._callers = CallerClasses(identities_asked(rule.match for rule in rules))
        self._port = port
        self._rules = rules
        self._declarations = [declarations[rule.id] for rule in rules]
        self._findings = findings
        self._winners: list[set[int]] = [set() for _ in rules]
        self._stated: set[tuple[int, int]] = set()
        self._space: RequestSpace | None = None
        self._boxes: list[Region] = [None] * len(rules)

    def compare(self) -> None:
        """Work out who wins over whom, and tell of overlaps that nothing decides."""
        numbers: dict[str, list[int]] = {}
        for number, rule in enumerate(self._rules):
            if rule.name is not None:
                numbers.setdefault(rule.name, []).append(number)
        for number, declaration in enumerate(self._declarations):
            for name in declaration.over:
                for loser in numbers.get(name.text, ()):
                    self._stated.add((number, loser))
                    self._winners[loser].add(number)
        self._space = build_space((rule.match for rule in self._rules), self._callers)
        if self._space is not None:
            self._boxes = [self._space.boxes(rule.match) for rule in self._rules]
        open_pairs: list[tuple[int, int, bool]] = []
        plain = [_plain(region) for region in self._boxes]
        for right in range(len(self._rules)):
            one = plain[right]
            for left in range(right):
                other = plain[left]
                if one is not None and other is not None and not _meet(one, other):
                    continue  # most rules of a route have no path in common
                if (left, right) not in self._stated and (right, left) not in self._stated:
                    self._compare_pair(left, right, open_pairs)
        for left, right, decided in open_pairs:
            self._tell_overlap(left, right, decided)

    def _compare_pair(self, left: int, right: int, open_pairs: list[tuple[int, int, bool]]) -> None:
        space, a, b = self._space, self._boxes[left], self._boxes[right]
        if space is None or a is None or b is None:
            open_pairs.append((left, right, False))
            return
        one, other = _plain(a), _plain(b)
        if one is not None and other is not None:
            # Nothing is asked but callers, methods and paths: their masks tell all.
            within = not (one[0] & ~other[0] or one[1] & ~other[1] or one[2] & ~other[2])
            around = not (other[0] & ~one[0] or other[1] & ~one[1] or other[2] & ~one[2])
            if within is around:
                open_pairs.append((left, right, True))
            else:
                self._winners[right if within else left].add(left if within else right)
            return
        both = space.intersection(a, b)
        if not both:
            return
        match space.example(both):
            case Nothing():
                return
            case Undecided():
                open_pairs.append((left, right, False))
                return
        left_only, right_only = space.escape(a, b), space.escape(b, a)
        match left_only, right_only:
            case Nothing(), Witness():
                self._winners[right].add(left)
            case Witness(), Nothing():
                self._winners[left].add(right)
            case (Undecided(), _) | (_, Undecided()):
                open_pairs.append((left, right, False))
            case _:
                open_pairs.append((left, right, True))

    def _union(self, rules: Iterable[int]) -> Region:
        """Return the requests of some rules, as far as they are known."""
        known = [region for number in sorted(rules) if (region := self._boxes[number]) is not None]
        return () if self._space is None else self._space.union(known)

    def _tell_overlap(self, left: int, right: int, decided: bool) -> None:
        """Tell of a pair that overlaps, unless rules that win over one of the two take all they share."""
        space, a, b = self._space, self._boxes[left], self._boxes[right]
        answer: object = Undecided()
        if space is not None and a is not None and b is not None:
            shared = space.intersection(a, b)
            answer = space.escape(shared, self._union(self._winners[left] | self._winners[right]))
        if isinstance(answer, Nothing):
            return
        first, second = self._declarations[left], self._declarations[right]
        if first.span.sort_key > second.span.sort_key:
            left, right, first, second = right, left, second, first
        if isinstance(answer, Witness) and decided:
            self._findings.add(
                routing.AMBIGUOUS_ROUTE,
                f"two rules of `{self._service}` match the same request, and neither is more specific",
                _matched(second),
                label="… and so does this one",
                related=(Label(_matched(first), "this one matches it …"),),
                witness=self._request(answer),
                fixes=self._fixes(left, right),
                subject=f"route {self._service}",
            )
        else:
            self._findings.add(
                routing.UNDECIDED_ROUTE,
                f"it cannot be decided which of two rules of `{self._service}` is the more specific",
                _matched(second),
                label="… or this one",
                related=(Label(_matched(first), "this one …"),),
                help="say which one wins: `over NAME`",
                fixes=self._fixes(left, right),
                subject=f"route {self._service}",
            )

    def _request(self, witness: Witness) -> Request:
        return Request(
            caller=self._name_of(witness.caller),
            callee=self._service,
            port=self._port.name,
            protocol="rpc" if is_rpc(self._port, witness) else "http",
            method=witness.method,
            path=witness.path,
            query=witness.query,
            headers=witness.headers,
            claims=witness.claims,
        )

    def _name_of(self, number: int) -> str:
        """Return the name of a caller of a class: of the others the usual one, if no rule names it."""
        named = self._callers.named
        names = {identity: name for name, identity in self._identities.items()}
        if number < len(named):
            return names.get(named[number], str(named[number]))
        others = (name for name, identity in self._identities.items() if not self._callers.is_named(identity))
        own = self._identities.get(self._caller)
        if own is None or not self._callers.is_named(own):
            return self._caller
        return next(others, str(SpiffeId.of_workload(own.trust_domain, "default", "somebody-else")))

    def _fixes(self, left: int, right: int) -> tuple[Fix, ...]:
        """Return the two ways to decide: each rule `over` the other."""
        fixes = []
        for winner, loser in ((right, left), (left, right)):
            name = self._rules[loser].name
            edits = []
            if name is None:
                name = self._new_name()
                edits.append(
                    _insert_after(
                        self._declarations[loser].targets[-1].span.end, self._declarations[loser], f" as {name}"
                    )
                )
            declaration = self._declarations[winner]
            if declaration.over:
                edits.append(_insert_after(declaration.over[-1].span.end, declaration, f", {name}"))
            else:
                last = declaration.name.span if declaration.name is not None else declaration.targets[-1].span
                edits.append(_insert_after(last.end, declaration, f" over {name}"))
            title = f"let line {declaration.span.first.line} win: `over {name}`"
            fixes.append(Fix(title=title, applicability=Applicability.CHOOSE_ONE, edits=tuple(edits)))
        return tuple(fixes)

    def _new_name(self) -> str:
        taken = {rule.name for rule in self._rules}
        number = 1
        while f"rule-{number}" in taken:
            number += 1
        return f"rule-{number}"

    # ---- the order

    def sorted(self) -> tuple[RouteRule, ...]:
        """Return the rules so that winners stand before losers, by id where neither wins; tell of circles."""
        waiting = [len(winners) for winners in self._winners]
        losers: list[list[int]] = [[] for _ in self._rules]
        for loser, winners in enumerate(self._winners):
            for winner in winners:
                losers[winner].append(loser)
        ready = [number for number, count in enumerate(waiting) if count == 0]
        heapq.heapify(ready)
        order: list[int] = []
        while ready:
            number = heapq.heappop(ready)
            order.append(number)
            for loser in losers[number]:
                waiting[loser] -= 1
                if waiting[loser] == 0:
                    heapq.heappush(ready, loser)
        if len(order) < len(self._rules):
            self._tell_circle([number for number, count in enumerate(waiting) if count > 0])
            return self._rules
        for number in order:
            self._check_reachable(number)
        return tuple(
            replace(
                self._rules[number],
                yields_to=tuple(sorted(self._rules[winner].id for winner in self._winners[number])),
            )
            for number in order
        )

    def _tell_circle(self, stuck: list[int]) -> None:
        """Follow winners from a rule that is stuck until one comes again: that is a circle."""
        inside = set(stuck)
        way = [stuck[0]]
        while True:
            winner = min(number for number in self._winners[way[-1]] if number in inside)
            if winner in way:
                circle = way[way.index(winner) :]
                break
            way.append(winner)
        circle.sort(key=lambda number: self._declarations[number].span.sort_key)
        spans = [self._declarations[number].span for number in circle]
        self._findings.add(
            routing.OVER_CYCLE,
            f"{len(circle)} rules of `{self._service}` each win over another of them in a circle",
            spans[-1],
            related=tuple(Label(span, "is part of the circle") for span in spans[:3] if span != spans[-1]),
            subject=f"route {self._service}",
        )

    def _check_reachable(self, number: int) -> None:
        """Tell of a rule all of whose requests others take."""
        space, own = self._space, self._boxes[number]
        winners = sorted(self._winners[number])
        declaration = self._declarations[number]
        if space is None or own is None:
            if winners or declaration.guard is not None:
                self._tell_doubt(declaration)
            return
        met: Answer | None = None if declaration.guard is None else space.example(own)
        if declaration.guard is not None and isinstance(met, Nothing):
            self._findings.add(
                units.IMPOSSIBLE_GUARD,
                f"no request meets this guard, so the rule of `{self._service}` sends nothing anywhere",
                declaration.guard.span,
                subject=f"route {self._service}",
            )
            return
        if not winners:
            if isinstance(met, Undecided):
                self._tell_doubt(declaration)
            return

        def left_over(whole: Region, taken: Region) -> Region:
            rest = space.difference(whole, taken)
            return () if isinstance(space.example(rest), Nothing) else rest

        answer = space.escape(own, self._union(winners))
        if isinstance(answer, Undecided) or (
            isinstance(answer, Witness) and any(self._boxes[winner] is None for winner in winners)
        ):
            self._tell_doubt(declaration)
        if isinstance(answer, Nothing):
            known = [winner for winner in winners if self._boxes[winner] is not None]
            whole: Region = own
            needed = minimal_cover(whole, known, lambda winner: self._boxes[winner], left_over, ())
            self._findings.add(
                routing.UNREACHABLE_ROUTE,
                f"no request reaches this rule of `{self._service}`: others win over it for all that it matches",
                _matched(declaration),
                label="no request gets here",
                fixes=(self._without(number),),
                related=labels_at((self._declarations[winner].span for winner in needed), "wins over it"),
                subject=f"route {self._service}",
            )

    def _tell_doubt(self, declaration: RuleDecl) -> None:
        """Tell of a rule of which it is not known whether anything reaches it."""
        reasons = (PATHS_PAST_BOUND,) if self._space is None else self._space.doubts
        self._findings.add(
            authorization.NOT_VERIFIED,
            f"it could not be decided whether any request reaches this rule of `{self._service}`"
            + (f": {'; '.join(reasons)}" if reasons else ""),
            _matched(declaration),
            help="each comparison has a bound: write paths as templates, and values as lists",
            subject=f"route {self._service}",
        )

    def _without(self, number: int) -> Fix:
        """Return the fix that deletes a rule, and its name where others go over it."""
        own = self._declarations[number]
        edits = list(delete("", own.span).edits)
        for declaration in self._declarations:
            left = [name for name in declaration.over if own.name is None or name.text != own.name.text]
            if declaration is own or len(left) == len(declaration.over):
                continue
            source = declaration.span.source
            before = source.text[: source.text.rindex("over", 0, declaration.over[0].span.start)]
            clause = source.span(len(before.rstrip()), declaration.over[-1].span.end)
            edits.append(Edit(clause, f" over {', '.join(name.text for name in left)}" if left else ""))
        return Fix(title="delete this rule", applicability=Applicability.UNSAFE, edits=tuple(edits))


def _plain(region: Region) -> Box | None:
    """Return the box of a set that is one and asks nothing of what is borne: each request of its ranges is in it."""
    if region is None or isinstance(region, Diagram) or len(region) != 1 or region[0][3] or region[0][4]:
        return None
    return region[0]


def _meet(one: Box, other: Box) -> bool:
    return bool(one[2] & other[2] and one[1] & other[1] and one[0] & other[0])


def _matched(declaration: RuleDecl) -> Span:
    """Return the place of what a rule says of requests: its matcher, and its guard if it has one."""
    span = declaration.matcher.span
    return span if declaration.guard is None else span.to(declaration.guard.span)


def _insert_after(offset: int, declaration: RuleDecl, text: str) -> Edit:
    return Edit(declaration.span.source.span(offset, offset), text)
