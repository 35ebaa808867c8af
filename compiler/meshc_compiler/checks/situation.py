"""The cases in which calls have settings of their own, and whether there is a call in one at all."""

from __future__ import annotations

from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.route import RouteRule
from meshc_compiler.ir.workload import ServicePort
from meshc_compiler.space.callee_space import CalleeSpace
from meshc_compiler.space.request_space import Answer, Undecided


def request_in_case(
    subject: CheckSubject,
    caller: str | None,
    callee: str,
    port: ServicePort,
    rule: RouteRule | None,
    asked: RequestMatch,
) -> tuple[Answer, CalleeSpace]:
    """Return whether a request that is asked about is allowed and has the settings of a case.

    A caller of None stands for all of whose edge nothing is stated, a rule of None for what no rule matches.
    """
    index = subject.index
    route = index.routes.get((callee, port.number))
    rules = route.rules if route else ()
    space = CalleeSpace(index, callee, port, (asked, *(other.match for other in rules)))
    if space.space is None:
        return Undecided(), space
    mask = _callers(subject, space, caller, callee, port.number)
    allowed = space.shared(space.allowed, space.space.boxes(asked, mask))
    if rule is not None:
        allowed = space.shared(allowed, space.space.boxes(rule.match, space.everybody))
    others: list[RequestMatch] = []
    for other in rules:
        if rule is None or other.id in rule.yields_to:
            others.append(other.match)
    return space.escape(allowed, space.requests_of(others, space.everybody)), space


def _callers(subject: CheckSubject, space: CalleeSpace, caller: str | None, callee: str, port: int) -> int:
    """Return the classes of callers that a case is about: one, or all whose edge states nothing of its own."""
    index = subject.index
    if caller is not None:
        workload = index.workloads.get(caller)
        return 0 if workload is None else space.mask_within({workload.spiffe_id})
    # Calls without an identity come from no sidecar of ours, which could try again.
    mask = space.callers.verified
    for other in index.callers_with_settings(callee, port):
        workload = index.workloads.get(other)
        if workload is not None:
            mask &= ~space.mask_within({workload.spiffe_id}) | space.others
    return mask
