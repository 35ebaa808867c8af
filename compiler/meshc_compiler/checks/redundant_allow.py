"""Allows that other allows make superfluous."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.dead_allow import is_dead
from meshc_compiler.checks.deletion import delete_grant
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.space.callee_space import CalleeSpace
from meshc_compiler.space.request_space import Nothing
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
        covers = [_covering(subject.space(rule.callee, rule.port), rule, gone) for rule in rules]
        if any(cover is None for cover in covers):
            continue
        gone.update(rule.id for rule in rules)
        spans = {rule.origin for cover in covers for rule in cover or () if rule.origin is not None}
        yield Diagnostic(
            code=authorization.REDUNDANT_ALLOW,
            message=f"other grants to `{rules[0].callee}` allow all that this one allows",
            primary=site.grant.span,
            related=tuple(
                Label(span, "allows it already") for span in sorted(spans, key=lambda span: span.sort_key)[:3]
            ),
            fixes=(delete_grant(site, Applicability.SAFE),),
            subject=rules[0].id,
        )


def _covering(space: CalleeSpace | None, rule: Rule, gone: set[str]) -> tuple[Rule, ...] | None:
    """Return the other allows that together allow all that a rule does; None if that is not proved."""
    if space is None or is_dead(space, rule):
        return None
    own = space.rule_boxes(rule)
    others = [other for other in space.meeting(rule, Effect.ALLOW) if other.id not in gone]
    if not others:
        return None
    effective = space.left_over(own, space.union(space.of_effect(Effect.DENY)))
    rest = space.left_over(effective, space.union(others))
    return tuple(others) if isinstance(space.example(rest), Nothing) else None
