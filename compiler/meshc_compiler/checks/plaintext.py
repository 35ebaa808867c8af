"""Calls without a mesh identity: allows that open nothing, and sentences about `any` that say nothing of them."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.refutation import undecided_assert
from meshc_compiler.checks.subject import CheckSubject, Doubt
from meshc_compiler.evaluate import evaluate
from meshc_compiler.finding import heading
from meshc_compiler.ir.caller import AnyCaller, PlaintextCaller
from meshc_compiler.ir.claim import ANYBODY, Never
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.policy import Effect
from meshc_compiler.lower.sentence import callee_text, match_text
from meshc_compiler.space.callee_space import CalleeSpace
from meshc_compiler.space.request_space import Answer, Nothing, Undecided, Witness
from meshc_lang.codes import authorization, identities
from meshc_lang.diagnostic import Diagnostic, Label


def check_plaintext_allows(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find the allows for `plaintext` of which every callee takes calls with mutual TLS only."""
    for site, rules in subject.grants_of(Effect.ALLOW):
        if not isinstance(rules[0].callers, PlaintextCaller):
            continue
        if any(subject.index.takes_plaintext(rule.callee) for rule in rules):
            continue
        callee = rules[0].callee
        service = subject.index.services.get(callee)
        place = None
        if service is not None:
            place = service.mtls_origin or (None if service.origin is None else heading(service.origin))
        yield Diagnostic(
            code=identities.PLAINTEXT_UNDER_STRICT,
            message=f"`{callee}` takes mutual TLS only, so this opens nothing to callers without an identity",
            primary=site.statement.flow.span,
            related=() if place is None else (Label(place, "`mtls: strict`, stated or by default"),),
            help=f"let `{callee}` take both by `mtls: permissive`, or name callers that have an identity",
            subject=rules[0].id,
        )


def check_denies_of_any(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find the denies for `any` of what is allowed to calls without an identity all the same."""
    for site, rules in subject.grants_of(Effect.DENY):
        if not isinstance(rules[0].callers, AnyCaller):
            continue
        for rule in rules:
            answer, space = _open_to_plaintext(subject, rule.callee, rule.port, (rule.match,))
            if isinstance(answer, Undecided):
                subject.note_doubt(space, Doubt.PASSING, rule.origin)
            if space is None or not isinstance(answer, Witness):
                continue
            request = space.request(answer)
            decision = evaluate(subject.index, request)
            allows = [allow.origin for allow in decision.rules if allow.origin is not None]
            port = subject.index.port_of(rule.callee, rule.port)
            grant = rule.callee
            if port is not None:
                grant = f"{callee_text(rule.callee, port)} : {match_text(rule.match, port.protocol)}"
            yield Diagnostic(
                code=authorization.DENY_MISSES_PLAINTEXT,
                message="`any` is every verified identity, so this does not deny calls without one",
                primary=site.statement.flow.caller.span,
                related=tuple(Label(span, "allows such a call") for span in allows[:1]),
                witness=request,
                help=f"if it is meant for all, add `deny plaintext -> {grant}`",
                subject=rule.id,
            )
            break


def check_asserts_of_any(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find the asserts that `any` never does what is allowed to calls without an identity."""
    for claim in subject.mesh.assertions:
        if not isinstance(claim, Never) or ANYBODY not in claim.callers or claim.origin is None:
            continue
        for callee, number in claim.callees:
            answer, space = _open_to_plaintext(subject, callee, number, claim.matches or (RequestMatch(),))
            if isinstance(answer, Undecided):
                yield from undecided_assert(
                    claim, f"of calls to `{callee}` without an identity", () if space is None else space.doubts
                )
                break
            if space is not None and isinstance(answer, Witness):
                yield Diagnostic(
                    code=authorization.DENY_MISSES_PLAINTEXT,
                    message="`any` is every verified identity, so this promises nothing of calls without one",
                    primary=claim.origin,
                    witness=space.request(answer),
                    help=f"if it is meant of all, add `assert never plaintext -> {callee} …`",
                    subject=f"assert {claim.text}",
                )
                break


def _open_to_plaintext(
    subject: CheckSubject, callee: str, number: int, matches: tuple[RequestMatch, ...]
) -> tuple[Answer, CalleeSpace | None]:
    """Return whether a request without an identity is allowed that some matches describe."""
    space = subject.space(callee, number) if subject.index.takes_plaintext(callee) else None
    if space is None:
        return Nothing(), None
    return space.example(space.shared(space.allowed, space.requests_of(matches, space.callers.plaintext))), space
