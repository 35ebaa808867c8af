"""Guards that no request can meet."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.subject import CheckSubject, Doubt
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.space.request_space import Nothing, Undecided
from meshc_lang.codes import units
from meshc_lang.diagnostic import Diagnostic


def check_impossible_guards(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find the grants of allows and denies of which the conditions contradict themselves, or never hold of a caller."""
    for site, rules in subject.grants:
        unless = getattr(site.statement, "unless", None)
        guard = site.grant.guard or unless
        if guard is not None and all(_is_empty(subject, rule) for rule in rules):
            verb = "allows" if rules[0].effect is Effect.ALLOW else "denies"
            yield Diagnostic(
                code=units.IMPOSSIBLE_GUARD,
                message=f"no request of these callers meets this, so the grant {verb} nothing",
                primary=guard.span,
                subject=rules[0].id,
            )


def _is_empty(subject: CheckSubject, rule: Rule) -> bool:
    space = subject.space(rule.callee, rule.port)
    if space is None or not space.callers.mask(rule.callers):
        # Of callers without an identity where none are heard, another check tells.
        return False
    if rule.match.condition is None:
        return False
    answer = space.example(space.rule_boxes(rule))
    if isinstance(answer, Undecided):
        subject.doubt_of(rule, Doubt.EMPTY)()
    return isinstance(answer, Nothing)
