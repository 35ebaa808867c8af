"""Budgets: that retries of much-used calls cannot double the load of what is failing already."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.call_graph import Case, Hop, is_open
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.ir.caller import includes
from meshc_compiler.ir.policy import Limit
from meshc_lang.codes import resilience
from meshc_lang.diagnostic import Diagnostic, Label
from meshc_lang.source import Span

HOT_RATE = 100
"""From how many requests a second an edge counts as hot."""


def check_retry_budgets(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find retries without a budget on edges that the program itself expects to be hot: it limits them that high."""
    told: set[Span] = set()
    for limit in subject.mesh.limits:
        if limit.amount < HOT_RATE * limit.seconds:
            continue
        for hop in _limited(subject, limit):
            case = _unbounded(subject, hop)
            stated = None if case is None else case.settings.retry_limit
            if stated is None or stated.origin is None or stated.origin in told:
                continue
            told.add(stated.origin)
            related = () if limit.origin is None else (Label(limit.origin, "so many calls are expected"),)
            yield Diagnostic(
                code=resilience.RETRY_WITHOUT_BUDGET,
                message=f"`{hop}` carries up to {limit.amount // limit.seconds:,} calls a second, and nothing bounds "
                "how many of them are tried again",
                primary=stated.origin,
                related=related,
                help="add for example `budget: 20%`",
                subject=f"budget {hop}",
            )


def _limited(subject: CheckSubject, limit: Limit) -> Iterator[Hop]:
    for caller in subject.calls.callers_of(limit.callee, limit.port):
        if includes(limit.callers, subject.index.workloads[caller].spiffe_id):
            yield Hop(caller, limit.callee, limit.port)


def _unbounded(subject: CheckSubject, hop: Hop) -> Case | None:
    for case in subject.calls.cases(hop):
        if case.tries > 1 and case.settings.retry_budget is None and is_open(case.answer):
            return case
    return None
