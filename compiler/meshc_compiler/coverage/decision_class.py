"""Classes of requests that are decided alike, each by one sentence of the program or by the want of one."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from meshc_compiler.coverage.port_variant import PortVariant
from meshc_compiler.evaluate import Decision, Reason, evaluate, identity_of
from meshc_compiler.ir.caller import includes
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect, Limit, Rule
from meshc_compiler.ir.route import RouteRule
from meshc_compiler.ir.traffic import Fault, Mirror
from meshc_compiler.ir.workload import ServicePort
from meshc_lang.record import dataclass, field
from meshc_lang.request import Request
from meshc_lang.source import Span


class Kind(StrEnum):
    """What decides the requests of a class."""

    ALLOW = "allow"
    DENY = "deny"
    ROUTE = "route"
    NO_ROUTE = "no-route"
    """No rule of the route matches: the request goes to all instances."""
    LIMIT = "limit"
    MIRROR = "mirror"
    FAULT = "fault"
    NO_RULE = "no-rule"
    """Somebody who has a grant asks for something that nobody grants or denies."""
    STRANGER = "stranger"
    """Somebody who has no grant asks for something that nobody denies."""


class Sharpness(StrEnum):
    """How far the sentence of a class decides alone."""

    ALONE = "alone"
    """Without the sentence the verdict would be the contrary."""
    TOGETHER = "together"
    """Others decide the same, each request of the sentence being theirs too."""
    BESIDE = "beside"
    """A deny of what no allow grants: it changes nothing, and is told as the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """What a class is about: a port of a callee and what decides there; `id` is empty where no sentence does.

    `text` says it to people. Equal sentences are equal wherever they stand.
    """

    callee: str
    port: int
    kind: Kind
    id: str
    text: str
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionClass:
    """A set of requests to one port that is not empty, or of which that could not be decided.

    `witness` is one of them; None where neither the algebra nor a test knows any.
    """

    sentence: Sentence
    sharpness: Sharpness = Sharpness.ALONE
    witness: Request | None

    @property
    def undecided(self) -> bool:
        """Whether it is not known to hold any request."""
        return self.witness is None


def rule_sentence(rule: Rule) -> Sentence:
    """Return what a class about an allow or deny is about."""
    kind = Kind.ALLOW if rule.effect is Effect.ALLOW else Kind.DENY
    return Sentence(callee=rule.callee, port=rule.port, kind=kind, id=rule.id, text=rule.id, origin=rule.origin)


def route_sentence(callee: str, port: int, rule: RouteRule) -> Sentence:
    """Return what a class about a rule of a route is about."""
    text = f"route {callee} {{ {rule.id} }}" if rule.name is None else f"the rule `{rule.name}` of `route {callee}`"
    return Sentence(callee=callee, port=port, kind=Kind.ROUTE, id=rule.id, text=text, origin=rule.origin)


def traffic_sentence(one: Limit | Mirror | Fault) -> Sentence:
    """Return what a class about a limit, a mirror or a fault is about."""
    match one:
        case Limit():
            return Sentence(
                callee=one.callee, port=one.port, kind=Kind.LIMIT, id=one.id, text=one.id, origin=one.origin
            )
        case Mirror():
            return Sentence(
                callee=one.service, port=one.port, kind=Kind.MIRROR, id=one.id, text=one.id, origin=one.origin
            )
        case Fault():
            text = f"fault {one.name} at {one.callee}"
            return Sentence(
                callee=one.callee, port=one.port, kind=Kind.FAULT, id=one.name, text=text, origin=one.origin
            )
        case _:
            assert_never(one)


def default_sentence(callee: str, port: ServicePort, kind: Kind) -> Sentence:
    """Return what a class is about that no sentence decides."""
    text = {
        Kind.NO_ROUTE: f"no rule of `route {callee}` matches",
        Kind.NO_RULE: f"a caller of `{callee}` asks for what nothing grants",
        Kind.STRANGER: f"somebody calls `{callee}` whom nothing lets call it",
    }[kind]
    return Sentence(callee=callee, port=port.number, kind=kind, id="", text=text)


class Membership:
    """Tells, by the reference semantics, of which classes at one port a request is."""

    def __init__(self, index: MeshIndex, callee: str, port: int) -> None:
        self._index = index
        self._rules = index.rules_of(callee, port)
        allows = tuple(rule for rule in self._rules if rule.effect is Effect.ALLOW)
        self._allows = allows
        self._without_denies = PortVariant(index, callee, port, rules=allows)
        self._has_route = (callee, port) in index.routes

    def sharpness(self, sentence: Sentence, decision: Decision) -> Sharpness | None:
        """Return how the request of a decision belongs to a class of the sentence; None if it does not."""
        match sentence.kind:
            case Kind.ALLOW:
                if not decision.allowed or not _names(decision.rules, sentence.id):
                    return None
                return Sharpness.ALONE if len(decision.rules) == 1 else Sharpness.TOGETHER
            case Kind.DENY:
                return self._denied(sentence, decision)
            case _:
                return Sharpness.ALONE if self._is_in(sentence, decision) else None

    def _denied(self, sentence: Sentence, decision: Decision) -> Sharpness | None:
        if decision.reason is not Reason.DENIED_BY_RULE or not _names(decision.rules, sentence.id):
            return None
        if not evaluate(self._without_denies, decision.request).allowed:
            return Sharpness.BESIDE
        return Sharpness.ALONE if len(decision.rules) == 1 else Sharpness.TOGETHER

    def _is_in(self, sentence: Sentence, decision: Decision) -> bool:
        caller = identity_of(self._index, decision.request.caller)
        match sentence.kind:
            case Kind.ROUTE:
                return decision.route_rule is not None and decision.route_rule.id == sentence.id
            case Kind.NO_ROUTE:
                routed = decision.allowed and caller is not None and self._has_route
                return routed and decision.route_rule is None
            case Kind.LIMIT:
                return any(limit.id == sentence.id for limit in decision.limits)
            case Kind.MIRROR:
                return any(mirror.id == sentence.id for mirror in decision.mirrors)
            case Kind.FAULT:
                return any(fault.name == sentence.id for fault in decision.faults)
            case Kind.NO_RULE | Kind.STRANGER:
                if decision.reason is not Reason.NO_ALLOW:
                    return False
                known = any(includes(rule.callers, caller) for rule in self._allows)
                return known if sentence.kind is Kind.NO_RULE else not known and caller is not None
            case Kind.ALLOW | Kind.DENY:
                raise AssertionError("their classes have a sharpness of their own")
            case _:
                assert_never(sentence.kind)


def _names(rules: tuple[Rule, ...], wanted: str) -> bool:
    return any(rule.id == wanted for rule in rules)
