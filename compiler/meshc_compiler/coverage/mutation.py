"""Mutants of a mesh, and who would notice them: a test, an assert, the compiler, or nobody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import groupby

from meshc_compiler.checks.assertion import check_claim, claimed_callers, claimed_requests
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.coverage.fate import Changed, PortFates
from meshc_compiler.coverage.mutant import Mutant, mutants_of
from meshc_compiler.coverage.port_variant import PortVariant
from meshc_compiler.evaluate import evaluate, port_of
from meshc_compiler.examples import is_met
from meshc_compiler.ir.claim import Always, Assertion, EveryEdge, MetricBound, MutualTls, Never, NeverChain, Only
from meshc_compiler.ir.example import Example
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Rule
from meshc_compiler.ir.route import RouteRule
from meshc_compiler.lower.program import LoweredProgram
from meshc_compiler.space.request_space import Witness
from meshc_lang.codes.authorization import NOT_VERIFIED
from meshc_lang.record import dataclass
from meshc_lang.request import Request


class Outcome(StrEnum):
    """What became of a mutant."""

    TEST = "test"
    """A test fails."""
    ASSERT = "assert"
    """An assert does not hold."""
    COMPILER = "compiler"
    """The program would be refused."""
    SURVIVED = "survived"
    """The fate of a request changes, and nothing of the program says that it must not."""
    UNDECIDED = "undecided"
    """Nothing notices it, and it is not known whether the fate of any request changes."""
    EQUIVALENT = "equivalent"
    """Proved: the fate of no request changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MutantResult:
    """A mutant and what became of it: `by` names who noticed, `witness` is a request whose fate changes."""

    mutant: Mutant
    outcome: Outcome
    by: str = ""
    witness: Request | None = None
    variant: PortVariant


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """What became of the mutants that were tried; there were `total` of them to choose from."""

    results: tuple[MutantResult, ...]
    total: int

    def count(self, *outcomes: Outcome) -> int:
        """Return how many mutants had one of these outcomes."""
        return sum(one.outcome in outcomes for one in self.results)

    @property
    def noticed(self) -> int:
        """How many a test, an assert or the compiler notices."""
        return self.count(Outcome.TEST, Outcome.ASSERT, Outcome.COMPILER)

    @property
    def counted(self) -> int:
        """How many should be noticed: those that are not equivalent."""
        return len(self.results) - self.count(Outcome.EQUIVALENT)

    @property
    def unnoticed(self) -> tuple[MutantResult, ...]:
        """Those that nothing notices, and that may change the fate of a request."""
        return tuple(one for one in self.results if one.outcome in (Outcome.SURVIVED, Outcome.UNDECIDED))

    @property
    def percent(self) -> float:
        """The share that is noticed; all of nothing is 100."""
        return 100.0 if not self.counted else 100.0 * self.noticed / self.counted


def mutate(index: MeshIndex, examples: Iterable[Example], most: int | None = None) -> Mutation:
    """Try the mutants of a mesh whose tests pass and whose asserts hold; at most so many, taken evenly from all."""
    mutants = tuple(mutants_of(index))
    total = len(mutants)
    if most is not None and total > most:
        mutants = tuple(mutants[number * total // most] for number in range(most))
    asked: dict[tuple[str, int], list[Example]] = {}
    for example in examples:
        port = port_of(index, example.request)
        if port is not None:
            asked.setdefault((example.request.callee, port.number), []).append(example)
    asserts = _Asserts(index)
    results: list[MutantResult] = []
    for key, own in groupby(mutants, key=lambda one: (one.sentence.callee, one.sentence.port)):
        here = tuple(own)
        fates = PortFates(index, here, asserts.matches_at(key))
        results += (_try(fates, mutant, asked.get(key, ()), asserts) for mutant in here)
    return Mutation(results=tuple(results), total=total)


def _try(fates: PortFates, mutant: Mutant, examples: Sequence[Example], asserts: _Asserts) -> MutantResult:
    variant = fates.variant(mutant)
    for example in examples:
        decision = evaluate(variant, example.request)
        if not all(is_met(expectation, decision) for expectation in example.expectations):
            by = f"{example.test}: {example.request.text}"
            return MutantResult(mutant=mutant, outcome=Outcome.TEST, by=by, variant=variant)
    changed = fates.changed(mutant)
    if changed.ambiguous:
        return MutantResult(mutant=mutant, outcome=Outcome.COMPILER, by="ambiguous-route", variant=variant)
    if changed.witness is None and not changed.undecided:
        return MutantResult(mutant=mutant, outcome=Outcome.EQUIVALENT, variant=variant)
    claim = asserts.broken(fates, mutant, changed)
    if claim is not None:
        return MutantResult(
            mutant=mutant, outcome=Outcome.ASSERT, by=claim.text, witness=changed.witness, variant=variant
        )
    outcome = Outcome.UNDECIDED if changed.witness is None else Outcome.SURVIVED
    return MutantResult(mutant=mutant, outcome=outcome, witness=changed.witness, variant=variant)


class _Asserts:
    """The asserts of a mesh, to be asked about one mutant after the other."""

    def __init__(self, index: MeshIndex) -> None:
        self._index = index
        self._at: dict[tuple[str, int], list[Never | Always | Only]] = {}
        self._graph: list[NeverChain | EveryEdge | MetricBound] = []
        for claim in index.mesh.assertions:
            match claim:
                case Never() | Always() | Only():
                    for key in claim.callees:
                        self._at.setdefault(key, []).append(claim)
                case NeverChain() | EveryEdge() | MetricBound():
                    self._graph.append(claim)
                case MutualTls():
                    pass

    def matches_at(self, key: tuple[str, int]) -> tuple[RequestMatch, ...]:
        """Return what the asserts about single calls ask about a port."""
        return tuple(match for claim in self._at.get(key, ()) for match in claim.matches)

    def broken(self, fates: PortFates, mutant: Mutant, changed: Changed) -> Assertion | None:
        """Return an assert that does not hold with the mutant in place."""
        space = fates.space.space
        for claim in self._at.get((fates.callee, fates.number), ()):
            claimed = claimed_requests(space, claim, claimed_callers(self._index, claim))
            regions = changed.closed if isinstance(claim, Always) else changed.opened
            if any(isinstance(space.example(space.shared(region, claimed)), Witness) for region in regions):
                return claim
        concerned = [claim for claim in self._graph if self._may_concern(fates, mutant, changed, claim)]
        if not concerned:
            return None
        subject = self._subject(fates, mutant)
        for one in concerned:
            if any(finding.code is not NOT_VERIFIED for finding in check_claim(subject, one)):
                return one
        return None

    def _may_concern(
        self, fates: PortFates, mutant: Mutant, changed: Changed, claim: NeverChain | EveryEdge | MetricBound
    ) -> bool:
        """Tell whether an assert about paths has to be proved again: most mutants change no call between workloads."""
        if isinstance(mutant.before, RouteRule):
            return not isinstance(claim, NeverChain)
        if not isinstance(mutant.before, Rule):
            return False
        if isinstance(claim, MetricBound) and claim.exact:
            return True
        space = fates.space.space
        opens = [region for region in changed.opened if region != fates.space.nothing]
        if not opens:
            return False
        routed = (fates.callee, fates.number) in self._index.routes
        if (fates.callee, fates.number) in claim.callees or (routed and not isinstance(claim, NeverChain)):
            return True
        before = space.callers_in(space.allowed)
        for region in opens:
            now = space.callers_in(region)
            if before is None or now is None or now & ~before:
                return True
        return False

    def _subject(self, fates: PortFates, mutant: Mutant) -> CheckSubject:
        """Return the whole mesh with the mutant in place, as checks look at it."""
        mesh = self._index.mesh
        variant = fates.variant(mutant)
        key = (fates.callee, fates.number)
        rules = tuple(rule for rule in mesh.rules if (rule.callee, rule.port) != key)
        routes = tuple(variant.routes[key] if (route.service, route.port) == key else route for route in mesh.routes)
        changed = replace(mesh, rules=(*rules, *variant.rules_of(*key)), routes=routes)
        return CheckSubject(LoweredProgram(mesh=changed, sites={}, repeated=()), MeshIndex(changed))
