"""Allows of which denies take everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from meshc_compiler.checks.deletion import delete_grant
from meshc_compiler.checks.subject import CheckSubject, Doubt
from meshc_compiler.finding import labels_at
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.space.callee_space import CalleeSpace
from meshc_compiler.space.cover import covering
from meshc_compiler.space.request_space import Nothing
from meshc_lang.codes import authorization
from meshc_lang.diagnostic import Applicability, Diagnostic


def check_dead_allows(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find the grants all of whose requests are denied, with the denies that it takes."""
    for site, rules in subject.grants_of(Effect.ALLOW):
        takers: list[Rule] = []
        for rule in rules:
            space = subject.space(rule.callee, rule.port)
            denies = None if space is None else takers_of(space, rule, subject.doubt_of(rule, Doubt.DEAD))
            if denies is None:
                break
            takers += denies
        else:
            yield Diagnostic(
                code=authorization.DEAD_ALLOW,
                message=f"every request that this grant to `{rules[0].callee}` allows is denied",
                primary=site.grant.span,
                related=labels_at((deny.origin for deny in takers), "denied here"),
                fixes=(delete_grant(site, Applicability.UNSAFE),),
                subject=rules[0].id,
            )


def is_dead(space: CalleeSpace, rule: Rule) -> bool:
    """Tell whether it is proved that denies take all that an allow matches."""
    if space.has_paths_alone(rule):
        return False
    denies = tuple(space.meeting(rule, Effect.DENY))
    return bool(denies) and isinstance(space.escape(space.rule_boxes(rule), space.union(denies)), Nothing)


def takers_of(space: CalleeSpace, rule: Rule, doubt: Callable[[], None] | None = None) -> tuple[Rule, ...] | None:
    """Return the denies that are needed to take all that an allow matches; None where it is not proved that they do."""
    if space.has_paths_alone(rule):
        return None
    denies = tuple(space.meeting(rule, Effect.DENY))
    return covering(space, space.rule_boxes(rule), denies, doubt=doubt) if denies else None
