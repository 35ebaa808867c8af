"""Denies that take nothing away."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.deletion import delete_grant
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.space.request_space import Nothing
from meshc_lang.codes import authorization
from meshc_lang.diagnostic import Applicability, Diagnostic


def check_useless_denies(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find the denies without a reason that no allow meets."""
    for site, rules in subject.grants_of(Effect.DENY):
        if site.statement.because is None and all(_is_useless(subject, rule) for rule in rules):
            yield Diagnostic(
                code=authorization.USELESS_DENY,
                message=f"no allow grants what this denies at `{rules[0].callee}`",
                primary=site.grant.span,
                help="if it is a guard rail, say so by `because`",
                fixes=(delete_grant(site, Applicability.SAFE),),
                subject=rules[0].id,
            )


def _is_useless(subject: CheckSubject, rule: Rule) -> bool:
    space = subject.space(rule.callee, rule.port)
    if space is None:
        return False
    if space.callers.mask(rule.callers) and isinstance(space.example(space.rule_boxes(rule)), Nothing):
        # It describes no request at all, which another check tells.
        return False
    taken = space.shared(space.rule_boxes(rule), space.union(space.of_effect(Effect.ALLOW)))
    return isinstance(space.example(taken), Nothing)
