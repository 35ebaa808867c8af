"""Allows that other allows make superfluous."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.dead_allow import is_dead
from meshc_compiler.checks.deletion import delete_grant
from meshc_compiler.checks.subject import CheckSubject, Doubt
from meshc_compiler.finding import labels_at
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.space.cover import covering
from meshc_lang.codes import authorization
from meshc_lang.diagnostic import Applicability, Diagnostic, Label
from meshc_lang.tree.statement import DenyDecl


def check_redundant_allows(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find the grants that could go without closing anything; of equal ones all but one."""
    for kept, again in subject.lowered.repeated:
        deny = isinstance(kept.statement, DenyDecl)
        yield Diagnostic(
            code=authorization.USELESS_DENY if deny else authorization.REDUNDANT_ALLOW,
            message="this grant is written twice: another says exactly the same",
            primary=again.grant.span,
            related=(Label(kept.grant.span, "the other one"),),
            fixes=(delete_grant(again, Applicability.SAFE),),
        )
    gone: set[str] = set()
    for site, rules in reversed(tuple(subject.grants_of(Effect.ALLOW))):
        covers = [_covering(subject, rule, gone) for rule in rules]
        if any(cover is None for cover in covers):
            continue
        gone.update(rule.id for rule in rules)
        yield Diagnostic(
            code=authorization.REDUNDANT_ALLOW,
            message=f"other grants to `{rules[0].callee}` allow all that this one allows",
            primary=site.grant.span,
            related=labels_at((rule.origin for cover in covers for rule in cover or ()), "allows it already"),
            fixes=(delete_grant(site, Applicability.SAFE),),
            subject=rules[0].id,
        )


def _covering(subject: CheckSubject, rule: Rule, gone: set[str]) -> tuple[Rule, ...] | None:
    """Return the other allows that are needed to allow all that a rule does; None if it is not proved that they do."""
    space = subject.space(rule.callee, rule.port)
    if space is None or space.has_paths_alone(rule):
        return None
    others = tuple(other for other in space.meeting(rule, Effect.ALLOW) if other.id not in gone)
    if not others or is_dead(space, rule):
        return None
    denied = space.union(space.meeting(rule, Effect.DENY))
    return covering(space, space.rule_boxes(rule), others, denied, subject.doubt_of(rule, Doubt.REDUNDANT))
