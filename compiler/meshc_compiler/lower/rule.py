"""Allows and denies to rules, limits to limits: one for each grant and port of a callee."""

from __future__ import annotations

from meshc_compiler.evaluate import View, holds
from meshc_compiler.finding import Findings, replacement
from meshc_compiler.ir.condition import Question, is_about_requests, settled
from meshc_compiler.ir.match import CallerIn, RequestMatch
from meshc_compiler.ir.policy import Effect, Limit, LimitKey, LimitKeyKind, Rule
from meshc_compiler.ir.workload import ServicePort
from meshc_compiler.lower.condition import attribute_name, combine, lower_condition, without_claims
from meshc_compiler.lower.match import Form, LoweredMatcher, lower_grant
from meshc_compiler.lower.sentence import callee_text, match_text, quoted
from meshc_compiler.resolve.peer import CalleeEnd, PeerResolver
from meshc_lang.codes import names, units
from meshc_lang.diagnostic import Fix, Label
from meshc_lang.record import dataclass
from meshc_lang.source import Span
from meshc_lang.tree.node import Name
from meshc_lang.tree.policy import Grant
from meshc_lang.tree.statement import AllowDecl, DenyDecl, LimitDecl
from meshc_lang.units import print_rate

_MOST_TOKENS = 2**32 - 1
"""The largest number of tokens that every target can count."""


@dataclass(frozen=True, slots=True)
class GrantSite:
    """Where a rule was written: its statement, and the grant in it."""

    statement: AllowDecl | DenyDecl
    grant: Grant


class RuleBook:
    """The rules of a program by id. The same grant written twice is one rule, and is remembered as written twice."""

    def __init__(self, resolver: PeerResolver, findings: Findings) -> None:
        self._resolver = resolver
        self._findings = findings
        self._rules: dict[str, Rule] = {}
        self.sites: dict[str, GrantSite] = {}
        self.repeated: list[tuple[GrantSite, GrantSite]] = []

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules by id."""
        return tuple(self._rules[id_] for id_ in sorted(self._rules))

    def a_caller(self) -> dict[str, str]:
        """Return for each callee one caller that some allow names: the first by the rules' ids."""
        callers: dict[str, str] = {}
        for rule in self.rules():
            if rule.effect is Effect.ALLOW and rule.callee not in callers:
                caller = rule.id.removeprefix("allow ").partition(" -> ")[0]
                if self._resolver.is_workload(caller):
                    callers[rule.callee] = caller
        return callers

    def add(self, statement: AllowDecl | DenyDecl) -> None:
        """Lower one statement."""
        effect = Effect.ALLOW if isinstance(statement, AllowDecl) else Effect.DENY
        caller = self._resolver.caller(statement.flow.caller)
        callee = self._resolver.callee(statement.flow.callee)
        unless = None
        broken = False
        excepted = statement.unless if isinstance(statement, DenyDecl) else None
        if excepted is not None and not self._resolver.trusts_tokens:
            excepted = without_claims(excepted)
        if excepted is not None:
            unless = lower_condition(excepted, self._resolver, self._findings)
            broken = unless is None
        lowered: list[tuple[Grant, LoweredMatcher]] = []
        for grant in statement.grants:
            guard = None if grant.guard is None else lower_condition(grant.guard, self._resolver, self._findings)
            if broken or (grant.guard is not None and guard is None):
                continue
            matcher = lower_grant(grant.matcher, combine(guard, unless), self._findings)
            if matcher is not None:
                lowered.append((grant, matcher))
        if caller is None or callee is None or caller.nobody:
            return
        if caller.plaintext and (outside := [name for name, _ in callee.ports if name in self._resolver.externals]):
            message = (
                f"calls to the external `{outside[0]}` are judged by the caller's sidecar, and `plaintext` has none"
            )
            self._findings.add(names.WRONG_KIND, message, caller.span)
            return
        callers = self._resolver.callers(caller)
        because = None if statement.because is None else statement.because.text
        for grant, matcher in lowered:
            site = GrantSite(statement, grant)
            targets = fitting(callee, matcher)
            if not targets:
                no_port_fits(callee, matcher, grant.span, self._findings)
            # An allow opens what it speaks of and no more; a deny closes every way by which that could be done.
            reached = [(*target, matcher.matches) for target in targets]
            if effect is Effect.DENY:
                reached = reaching(callee, matcher)
            for name, port, matches in reached:
                for match in matches:
                    sentence = (
                        f"{effect} {caller.text} -> {callee_text(name, port)} : {match_text(match, port.protocol)}"
                    )
                    self._put(
                        Rule(
                            id=sentence,
                            effect=effect,
                            callers=callers,
                            callee=name,
                            port=port.number,
                            match=match,
                            because=because,
                            origin=grant.span,
                        ),
                        site,
                    )

    def _put(self, rule: Rule, site: GrantSite) -> None:
        known = self._rules.get(rule.id)
        if known is None:
            self._rules[rule.id] = rule
            self.sites[rule.id] = site
            return
        other = self.sites[rule.id]
        if _precedence(rule) < _precedence(known):
            self._rules[rule.id], self.sites[rule.id] = rule, site
            site, other = other, site
        self.repeated.append((other, site))


def _precedence(rule: Rule) -> tuple[bool, str]:
    """Of two equal rules the one with a reason is kept, so that the order of statements does not matter."""
    return (rule.because is None, rule.because or "")


def fitting(callee: CalleeEnd, matcher: LoweredMatcher) -> list[tuple[str, ServicePort]]:
    """Return the ports of the callees that show what the matcher speaks of."""
    guarded = any(is_about_requests(match.condition) for match in matcher.matches)
    return [(name, port) for name, ports in callee.ports for port in ports if matcher.form.fits(port, guarded)]


def reaching(callee: CalleeEnd, matcher: LoweredMatcher) -> list[tuple[str, ServicePort, tuple[RequestMatch, ...]]]:
    """Return every port of the callees on which a request of the matcher can be made, with what it means there.

    Of several ports also those count that show it in another form than it is written in: a path is seen on a gRPC port,
    an rpc on an HTTP one, and a connection is a request that bears nothing. None, if no port shows the form itself.
    """
    if not fitting(callee, matcher):
        return []
    reached = []
    for name, ports in callee.ports:
        for port in ports:
            if port.protocol.is_http:
                if matcher.form is not Form.TCP:
                    reached.append((name, port, matcher.matches))
            elif matcher.form in {Form.TCP, Form.ANYTHING} and (bare := _of_connections(matcher)):
                reached.append((name, port, bare))
    return reached


def _of_connections(matcher: LoweredMatcher) -> tuple[RequestMatch, ...]:
    """Return what a matcher means for connections, which show who calls and nothing else."""
    left = (
        True if match.condition is None else settled(match.condition, _answer_of_connection)
        for match in matcher.matches
    )
    return tuple(RequestMatch(condition=None if rest is True else rest) for rest in left if rest is not False)


def _answer_of_connection(asked: Question) -> bool | None:
    return None if isinstance(asked, CallerIn) else holds(asked, View())


def no_port_fits(callee: CalleeEnd, matcher: LoweredMatcher, span: Span, findings: Findings) -> None:
    """Tell that a sentence speaks of what none of the callee's ports carries."""
    spoken = sorted({port.protocol.value for _, ports in callee.ports for port in ports})
    if not spoken:
        # An empty group, of which another finding tells.
        return
    wanted = {
        Form.HTTP: "methods and paths are seen on `http` ports",
        Form.RPC: "rpcs are seen on `grpc` ports",
        Form.TCP: "`tcp` grants are about `tcp` and `tls` ports",
        Form.ANYTHING: "what a request bears is seen on `http` and `grpc` ports",
    }[matcher.form]
    speaks = " and ".join(f"`{protocol}`" for protocol in spoken)
    help_line = {
        "http": "write a method and a path, for example `GET /x`",
        "http2": "write a method and a path, for example `GET /x`",
        "grpc": "write `rpc package.Service/Method`",
        "tcp": "write `tcp`",
        "tls": "write `tcp`",
    }.get(spoken[0], "")
    if len(spoken) > 1 or matcher.form is Form.ANYTHING:
        help_line = ""
    related: tuple[Label, ...] = ()
    if callee.one:
        port = callee.ports[0][1][0]
        if port.origin is not None:
            related = (Label(port.origin, f"this port speaks `{port.protocol}`"),)
    message = f"{wanted}, and `{callee.text}` speaks {speaks}"
    fixes: tuple[Fix, ...] = ()
    if help_line == "write `tcp`" and " " not in span.text.replace(" /", ""):
        help_line, fixes = "", (replacement("write `tcp`", span, "tcp"),)
    findings.add(units.PROTOCOL_MISMATCH, message, span, related=related, help=help_line, fixes=fixes)


def lower_limit(statement: LimitDecl, resolver: PeerResolver, findings: Findings) -> tuple[Limit, ...]:
    """Return the limits of a statement: one for each port of its callees that carries requests."""
    caller = resolver.caller(statement.flow.caller)
    callee = resolver.callee(statement.flow.callee)
    rate, burst = statement.rate, statement.burst
    if isinstance(rate, Name) or isinstance(burst, Name):
        # A name that is left stands for no value, which another finding tells.
        return ()
    amount = rate.amount if burst is None else burst.value
    sound = True
    for what, number, span in (
        ("a rate", rate.amount, rate.span),
        ("`burst`", amount, burst.span if burst is not None else rate.span),
    ):
        if not 1 <= number <= _MOST_TOKENS:
            sound = False
            findings.add(units.OUT_OF_RANGE, f"{what} is from 1 to {_MOST_TOKENS:,}, and this is {number:,}", span)
            break
    key = None
    if (per := statement.per) is not None:
        name = attribute_name(per, resolver, findings)
        sound &= name is not None
        key = None if name is None else LimitKey(LimitKeyKind(per.kind.value), name)
    if not sound or caller is None or callee is None or caller.nobody:
        return ()
    if callee.one and callee.ports[0][0] in resolver.externals:
        message = f"a limit is kept by the callee's sidecar, and the external `{callee.text}` has none"
        findings.add(names.WRONG_KIND, message, callee.span)
        return ()
    targets = [
        (name, port)
        for name, ports in callee.ports
        for port in ports
        if port.protocol.is_http and name not in resolver.externals
    ]
    if not targets and callee.ports:
        message = f"a limit counts requests, and no port of `{callee.text}` shows them"
        findings.add(units.PROTOCOL_MISMATCH, message, callee.span)
    words = print_rate(rate.amount, rate.seconds)
    if burst is not None and burst.value != rate.amount:
        words += f" burst {burst.value}"
    if key is not None:
        words += f" per {key.kind} {quoted(key.name)}"
    return tuple(
        Limit(
            id=f"limit {caller.text} -> {callee_text(name, port)} {words}",
            callers=resolver.callers(caller),
            callee=name,
            port=port.number,
            amount=rate.amount,
            seconds=rate.seconds,
            burst=amount,
            per=key,
            origin=statement.span,
        )
        for name, port in targets
    )
