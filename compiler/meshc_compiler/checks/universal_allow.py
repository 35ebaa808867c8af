"""Allows of everything to everybody."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.ir.caller import AnyCaller
from meshc_compiler.ir.match import PathTemplate, RequestMatch, SegmentKind
from meshc_compiler.ir.policy import Effect
from meshc_lang.codes import authorization
from meshc_lang.diagnostic import Diagnostic


def check_universal_allows(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find the allows from `any` that grant all of a port, without a reason given."""
    for site, rules in subject.grants_of(Effect.ALLOW):
        rule = rules[0]
        if isinstance(rule.callers, AnyCaller) and is_universal(rule.match) and site.statement.because is None:
            yield Diagnostic(
                code=authorization.UNIVERSAL_ALLOW,
                message=f"every workload of the mesh, `ingress` among them, may do anything at `{rule.callee}`",
                primary=site.statement.flow.span,
                help="name the callers or the requests; or say by `because` that it is meant",
                subject=rule.id,
            )


def is_universal(match: RequestMatch) -> bool:
    """Tell whether a match is all requests, be it as `*` or as `/**`."""
    if match.methods or match.condition is not None:
        return False
    path = match.path
    return path is None or (
        isinstance(path, PathTemplate) and len(path.segments) == 1 and path.segments[0].kind is SegmentKind.REST
    )
