"""Denies against services that take several spellings of a path for one: the other spellings are not denied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from meshc_compiler.checks.subject import CheckSubject, Doubt
from meshc_compiler.evaluate import Reason, evaluate
from meshc_compiler.ir.match import PathTemplate, SegmentKind
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.ir.workload import Folding
from meshc_compiler.space.request_space import Undecided, Witness
from meshc_lang.codes import authorization
from meshc_lang.diagnostic import Diagnostic, Label
from meshc_lang.request import Request


def check_folded_paths(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find denies that a caller slips by another spelling, which the service itself reads as the one that is denied.

    Only services that say by `folds` how they read paths are looked at, and only a request that the mesh does let pass
    is told.
    """
    for site, rules in subject.grants_of(Effect.DENY):
        for rule in rules:
            service = subject.index.services.get(rule.callee)
            if service is None or not service.folds:
                continue
            slipped = _slipped(subject, rule, service.folds)
            if slipped is None:
                continue
            folding, request = slipped
            allows = evaluate(subject.index, request).rules
            related = tuple(Label(allow.origin, "allows it") for allow in allows[:2] if allow.origin is not None)
            yield Diagnostic(
                code=authorization.DENY_SLIPPED,
                message=f"`{service.name}` reads `{request.path}` as a path that this denies: it {_WORDS[folding]}",
                primary=site.grant.span,
                related=related,
                witness=request,
                help="allow the paths that are meant, one by one, in place of denying among all",
                subject=rule.id,
            )
            break


_WORDS = {
    Folding.CASE: "takes no heed of the case of letters",
    Folding.PARAMETERS: "cuts off what stands behind a `;` in a segment",
}


def _slipped(subject: CheckSubject, rule: Rule, folds: tuple[Folding, ...]) -> tuple[Folding, Request] | None:
    """Return a request that is allowed though another spelling of its path is denied by the rule."""
    denied = _denied_request(subject, rule)
    if denied is None:
        return None
    for folding in folds:
        for path in _spellings(denied.path, rule, folding):
            request = replace(denied, path=path)
            if evaluate(subject.index, request).allowed:
                return folding, request
    return None


def _denied_request(subject: CheckSubject, rule: Rule) -> Request | None:
    """Return a request that would be allowed if the rule did not deny it."""
    space = subject.space(rule.callee, rule.port)
    if space is None:
        return None
    answer = space.example(space.shared(space.union(space.of_effect(Effect.ALLOW)), space.rule_boxes(rule)))
    if isinstance(answer, Undecided):
        subject.doubt_of(rule, Doubt.RESPELT)()
    if not isinstance(answer, Witness):
        return None
    request = space.request(answer)
    decision = evaluate(subject.index, request)
    return request if decision.reason is Reason.DENIED_BY_RULE else None


def _spellings(path: str, rule: Rule, folding: Folding) -> Iterator[str]:
    """Yield other spellings of a path, of those parts that the rule names."""
    segments = path.split("/")[1:]
    named: tuple[int, ...] = tuple(range(len(segments)))
    if isinstance(rule.match.path, PathTemplate):
        kinds = [segment.kind for segment in rule.match.path.segments]
        named = tuple(number for number in named if number < len(kinds) and kinds[number] is SegmentKind.LITERAL)
    for number in named:
        segment = segments[number]
        changed = f"{segment};x" if folding is Folding.PARAMETERS else segment.swapcase()
        if changed != segment and segment:
            yield "/" + "/".join([*segments[:number], changed, *segments[number + 1 :]])
