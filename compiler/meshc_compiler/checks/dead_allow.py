"""Allows of which denies take everything."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.deletion import delete_grant
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.space.callee_space import CalleeSpace
from meshc_compiler.space.request_space import Nothing
from meshc_lang.codes import authorization
from meshc_lang.diagnostic import Applicability, Diagnostic, Label
from meshc_lang.source import Span


def check_dead_allows(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find the grants all of whose requests are denied."""
    for site, rules in subject.grants_of(Effect.ALLOW):
        if not all(_is_dead(subject, rule) for rule in rules):
            continue
        denies = {
            deny.origin
            for rule in rules
            for deny in _denies_that_meet(subject.space(rule.callee, rule.port), rule)
            if deny.origin is not None
        }
        yield Diagnostic(
            code=authorization.DEAD_ALLOW,
            message=f"every request that this grant to `{rules[0].callee}` allows is denied",
            primary=site.grant.span,
            related=tuple(Label(span, "denied here") for span in sorted(denies, key=_place)[:3]),
            fixes=(delete_grant(site, Applicability.UNSAFE),),
            subject=rules[0].id,
        )


def is_dead(space: CalleeSpace, rule: Rule) -> bool:
    """Tell whether it is proved that denies take all that an allow matches."""
    denies = tuple(space.meeting(rule, Effect.DENY))
    if not denies:
        return False
    rest = space.left_over(space.rule_boxes(rule), space.union(denies))
    return isinstance(space.example(rest), Nothing)


def _is_dead(subject: CheckSubject, rule: Rule) -> bool:
    space = subject.space(rule.callee, rule.port)
    return space is not None and is_dead(space, rule)


def _denies_that_meet(space: CalleeSpace | None, rule: Rule) -> Iterator[Rule]:
    if space is not None:
        yield from space.meeting(rule, Effect.DENY)


def _place(span: Span) -> tuple[str, int, int]:
    return span.sort_key
