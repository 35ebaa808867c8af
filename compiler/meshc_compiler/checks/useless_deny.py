"""Denies that take nothing away: nothing is allowed there, or others take it."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.deletion import delete_grant
from meshc_compiler.checks.subject import CheckSubject, Doubt
from meshc_compiler.finding import labels_at
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.space.cover import covering
from meshc_compiler.space.request_space import Nothing, Undecided
from meshc_lang.codes import authorization
from meshc_lang.diagnostic import Applicability, Diagnostic


def check_useless_denies(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find the denies without a reason that no allow meets, or of which other denies take all that an allow grants."""
    gone: set[str] = set()
    for site, rules in reversed(tuple(subject.grants_of(Effect.DENY))):
        if site.statement.because is not None:
            continue
        covers = [_covering(subject, rule, gone) for rule in rules]
        if any(cover is None for cover in covers):
            continue
        gone.update(rule.id for rule in rules)
        others = [rule for cover in covers for rule in cover or ()]
        callee = rules[0].callee
        yield Diagnostic(
            code=authorization.USELESS_DENY,
            message=f"other denies take all that this one takes at `{callee}`"
            if others
            else f"no allow grants what this denies at `{callee}`",
            primary=site.grant.span,
            related=labels_at((rule.origin for rule in others), "denies it already"),
            help="if it is a guard rail, say so by `because`",
            fixes=(delete_grant(site, Applicability.SAFE),),
            subject=rules[0].id,
        )


def _covering(subject: CheckSubject, rule: Rule, gone: set[str]) -> tuple[Rule, ...] | None:
    """Return the denies that are needed to take all that a deny takes: none where it takes nothing anyway.

    None where it is not proved that it takes nothing away, or describes no request at all, which another check tells.
    """
    space = subject.space(rule.callee, rule.port)
    if space is None:
        return None
    doubt = subject.doubt_of(rule, Doubt.USELESS)
    own = space.rule_boxes(rule)
    if space.callers.mask(rule.callers) and isinstance(space.example(own), Nothing):
        return None
    taken = space.shared(own, space.union(space.meeting(rule, Effect.ALLOW)))
    answer = space.example(taken)
    if isinstance(answer, Nothing):
        return ()
    if isinstance(answer, Undecided):
        doubt()
    others = tuple(other for other in space.meeting(rule, Effect.DENY) if other.id not in gone)
    return covering(space, taken, others, doubt=doubt) if others else None
