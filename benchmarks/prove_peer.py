"""Z3 asked what our algebra is asked: which allows of a callee are dead, and which redundant, in its theory of strings.

Methods, callers and headers are strings; a path is one in the regular language of its template. A question that z3 does
not answer in time counts as open. Where z3 is not installed, one line says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import reduce
from typing import Any

from benchmarks.timing import print_table
from meshc_compiler.checks.dead_allow import is_dead
from meshc_compiler.ir.caller import TheseCallers
from meshc_compiler.ir.match import (
    AllOf,
    AnyOf,
    Condition,
    HeaderOneOf,
    HeaderPresent,
    Not,
    PathTemplate,
    Segment,
    SegmentKind,
)
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.lower.program import LoweredProgram
from meshc_compiler.space.callee_space import CalleeSpace
from meshc_compiler.space.request_space import Answer, Nothing, Witness

SIZES = (5, 10, 20)
TIMEOUT_MS = 3_000


def compare_with_z3(program: Callable[[int], LoweredProgram], sizes: tuple[int, ...] = SIZES) -> None:
    """Print seconds, the ratio and whether the answers agree; `program` makes one about a callee with so many rules."""
    try:
        import z3
    except ImportError:
        print("\nz3 is not installed (`pip install '.[bench]'`): nothing to compare with")
        return
    rows = []
    for size in sizes:
        index = MeshIndex(program(size).mesh)
        port = index.port_of("api", 8080)
        assert port is not None
        start = time.process_time()
        ours = _our_answers(CalleeSpace(index, "api", port))
        own = time.process_time() - start
        start = time.process_time()
        theirs = _Peer(z3, index.rules_of("api", 8080)).answers()
        other = time.process_time() - start
        answered = [(a, b) for a, b in zip(ours, theirs, strict=True) if b is not None]
        differing = sum(a is not b for a, b in answered)
        if differing:
            raise SystemExit(f"z3 answers {differing} questions otherwise")
        rows.append(
            (
                str(size),
                str(len(ours)),
                f"{own * 1e3:.1f}",
                f"{other:.2f}",
                f"{other / own:,.0f}",
                f"{len(answered)} of {len(ours)}",
            )
        )
    head = ("rules", "questions", "ours ms", "z3 s", "ratio", "answered, all alike")
    print_table(f"z3 {z3.get_version_string()}, theory of strings, {TIMEOUT_MS / 1000:.0f} s a question", head, rows)


def _our_answers(space: CalleeSpace) -> list[bool]:
    """Return of each allow whether it is dead, and whether the other allows make it redundant."""
    answers = []
    allows = space.of_effect(Effect.ALLOW)
    denied = space.union(space.of_effect(Effect.DENY))
    for rule in allows:
        answers.append(is_dead(space, rule))
        others = space.union(other for other in allows if other is not rule)
        answers.append(_is_empty(space.escape(space.rule_boxes(rule), space.any_of((denied, others)))))
    return answers


def _is_empty(answer: Answer) -> bool:
    if not isinstance(answer, Nothing | Witness):
        raise SystemExit("a question was not decided")
    return isinstance(answer, Nothing)


class _Peer:
    """The rules of a callee as formulas over strings."""

    def __init__(self, z3: Any, rules: tuple[Rule, ...]) -> None:
        self.z3 = z3
        self.caller, self.method, self.path = (z3.String(name) for name in ("caller", "method", "path"))
        self.allows = [self._formula(rule) for rule in rules if rule.effect is Effect.ALLOW]
        self.denies = [self._formula(rule) for rule in rules if rule.effect is Effect.DENY]

    def answers(self) -> list[bool | None]:
        """Return what `_our_answers` returns; None where no answer came in time."""
        answers = []
        for number, allow in enumerate(self.allows):
            answers.append(self._implies(allow, self.denies))
            others = [*self.allows[:number], *self.allows[number + 1 :]]
            answers.append(self._implies(allow, [*self.denies, *others]))
        return answers

    def _implies(self, formula: Any, others: list[Any]) -> bool | None:
        z3 = self.z3
        solver = z3.Solver()
        solver.set("timeout", TIMEOUT_MS)
        path = z3.Concat(
            z3.Re("/"), z3.Option(z3.Concat(self._segment(), z3.Star(z3.Concat(z3.Re("/"), self._segment()))))
        )
        solver.add(z3.InRe(self.path, path), formula, *(z3.Not(other) for other in others))
        answer = solver.check()
        return None if answer == z3.unknown else bool(answer == z3.unsat)

    def _formula(self, rule: Rule) -> Any:
        z3 = self.z3
        parts = []
        if isinstance(rule.callers, TheseCallers):
            parts.append(z3.Or([self.caller == str(one) for one in rule.callers.ids]))
        if rule.match.methods:
            parts.append(z3.Or([self.method == method for method in rule.match.methods]))
        if isinstance(rule.match.path, PathTemplate):
            parts.append(z3.InRe(self.path, self._template(rule.match.path)))
        if rule.match.condition is not None:
            parts.append(self._condition(rule.match.condition))
        return z3.And(parts)

    def _condition(self, condition: Condition) -> Any:
        z3 = self.z3
        match condition:
            case HeaderPresent(name):
                return z3.Bool(f"{name} present")
            case HeaderOneOf(name, values):
                # Several members may be there at once: each is a question of its own.
                asked = [z3.Bool(f"{name}={value}") for value in values]
                return z3.And(z3.Or(asked), z3.Bool(f"{name} present"))
            case Not(operand):
                return z3.Not(self._condition(operand))
            case AllOf(operands):
                return z3.And([self._condition(one) for one in operands])
            case AnyOf(operands):
                return z3.Or([self._condition(one) for one in operands])
            case _:
                raise TypeError(type(condition).__name__)

    def _template(self, template: PathTemplate) -> Any:
        z3 = self.z3
        parts = []
        for segment in template.segments:
            if segment.kind is SegmentKind.REST:
                parts.append(z3.Star(z3.Concat(z3.Re("/"), self._segment())))
            else:
                parts.append(z3.Concat(z3.Re("/"), self._one(segment)))
        return parts[0] if len(parts) == 1 else z3.Concat(*parts)

    def _one(self, segment: Segment) -> Any:
        z3 = self.z3
        digit, lower, upper = z3.Range("0", "9"), z3.Range("a", "z"), z3.Range("A", "Z")
        match segment.kind:
            case SegmentKind.LITERAL:
                return z3.Re(segment.literal)
            case SegmentKind.INT:
                return z3.Plus(digit)
            case SegmentKind.SLUG:
                return z3.Plus(z3.Union(digit, lower, z3.Re("-")))
            case SegmentKind.UUID:
                hexadecimal = z3.Union(digit, z3.Range("a", "f"), z3.Range("A", "F"))
                groups = [z3.Loop(hexadecimal, count, count) for count in (8, 4, 4, 4, 12)]
                return reduce(lambda left, right: z3.Concat(left, z3.Re("-"), right), groups)
            case _:
                return z3.Plus(z3.Union(digit, lower, upper, z3.Re("-"), z3.Re("_"), z3.Re(".")))

    def _segment(self) -> Any:
        return self._one(Segment(SegmentKind.ANY))
