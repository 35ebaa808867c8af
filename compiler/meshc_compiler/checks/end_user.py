"""Allows about end users that hold for those who show no token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import TypeAlias

from meshc_compiler.checks.subject import CheckSubject, Doubt
from meshc_compiler.evaluate import evaluate
from meshc_compiler.ir.condition import Question, is_about_claims, is_claim, questions, settled
from meshc_compiler.ir.match import AllOf, Condition, Not, RequestMatch
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.lower.sentence import quoted
from meshc_compiler.space.callee_space import CalleeSpace
from meshc_compiler.space.request_space import Nothing, Undecided
from meshc_lang.codes import authorization, identities
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.request import Request


def check_end_user_rules(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find the allows that a request meets without any token, and would not meet with some token.

    There a claim is asked for only to turn some users away, and whoever shows none is let through. That a guard holds
    without a token for other reasons, as in `claim … or header …`, is no finding.
    """
    spaces: dict[tuple[str, int], _BareSpace] = {}
    for site, rules in subject.grants_of(Effect.ALLOW):
        for rule in rules:
            if rule.match.condition is None or not is_about_claims(rule.match.condition):
                continue
            key = (rule.callee, rule.port)
            if key not in spaces:
                spaces[key] = _bare_space(subject, *key)
            request = _tokenless(subject, rule, spaces[key])
            if request is not None:
                claim = next(asked for asked in questions(rule.match.condition) if is_claim(asked))
                name = quoted(getattr(claim, "name", ""))
                yield Diagnostic(
                    code=authorization.TOKEN_NOT_REQUIRED,
                    message=f"a request without any token is allowed too, for it has no claim {name} either",
                    primary=site.grant.span if site.grant.guard is None else site.grant.guard.span,
                    witness=request,
                    help=f"ask for the claim as well: `claim {name} present and …`",
                    subject=rule.id,
                )
                break


def check_untrusted_denies(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find denies that hold of claims alone, in a program that trusts no token: they keep nobody out."""
    if subject.mesh.token_issuers:
        return
    for site, rules in subject.grants_of(Effect.DENY):
        condition = rules[0].match.condition
        if condition is None or not is_about_claims(condition):
            continue
        if settled(condition, _answer_without_token) is False:
            yield Diagnostic(
                code=identities.DENY_TRUSTS_NO_TOKEN,
                message="this denies only requests with certain claims, and no token is trusted, so it denies nothing",
                primary=site.grant.span if site.grant.guard is None else site.grant.guard.span,
                help="declare whose tokens are, by `jwt NAME { … }`, or deny without the condition",
                subject=rules[0].id,
            )


_Pair: TypeAlias = tuple[RequestMatch, RequestMatch]
"""What is left of a match without a token, and those of it that a token could turn away."""

_BareSpace: TypeAlias = tuple[CalleeSpace | None, dict[str, _Pair]]


def _bare_space(subject: CheckSubject, callee: str, number: int) -> _BareSpace:
    """Return the space of one port in which its allows can be compared with what is left of them without a token."""
    pairs = {rule.id: pair for rule in subject.index.rules_of(callee, number) if (pair := _bare(rule)) is not None}
    port = subject.index.port_of(callee, number)
    if port is None or not pairs:
        return None, {}
    return CalleeSpace(subject.index, callee, port, chain.from_iterable(pairs.values())), pairs


def _bare(rule: Rule) -> _Pair | None:
    condition = rule.match.condition
    if rule.effect is Effect.DENY or condition is None or not is_about_claims(condition):
        return None
    without = settled(condition, _answer_without_token)
    if without is False:
        return None
    bare: Condition | None = None if without is True else without
    turned_away = Not(condition) if bare is None else AllOf((bare, Not(condition)))
    return replace(rule.match, condition=bare), replace(rule.match, condition=turned_away)


def _tokenless(subject: CheckSubject, rule: Rule, bare: _BareSpace) -> Request | None:
    """Return an allowed request without claims that the rule matches, and would not match with certain claims."""
    space, pairs = bare
    if space is None or rule.id not in pairs:
        return None
    without, turned_away = pairs[rule.id]
    mask = space.callers.mask(rule.callers)
    certain = space.example(space.requests_of((turned_away,), mask))
    if isinstance(certain, Nothing):
        return None
    found = space.example(space.shared(space.allowed, space.requests_of((without,), mask)))
    if isinstance(found, Nothing):
        return None
    if isinstance(certain, Undecided) or isinstance(found, Undecided):
        subject.note_doubt(space, Doubt.TOKENLESS, rule.origin)
        return None
    request = replace(space.request(found), claims=())
    return request if evaluate(subject.index, request).allowed else None


def _answer_without_token(asked: Question) -> bool | None:
    return False if is_claim(asked) else None
