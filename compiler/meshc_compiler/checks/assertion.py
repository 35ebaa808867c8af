"""Asserts: proved, or refuted by a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import replace
from typing import assert_never

from meshc_compiler.checks.chain import check_chain
from meshc_compiler.checks.edge_requirement import check_every_edge
from meshc_compiler.checks.metric_bound import check_metric_bound
from meshc_compiler.checks.mutual_tls import check_mutual_tls
from meshc_compiler.checks.refutation import refutation, undecided_assert
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.evaluate import NEVER_FORWARDED, evaluate
from meshc_compiler.ir.claim import (
    ANYBODY,
    Always,
    Assertion,
    EveryEdge,
    MetricBound,
    MutualTls,
    Never,
    NeverChain,
    Only,
)
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.space.callee_space import CalleeSpace, Region
from meshc_compiler.space.request_space import Nothing, Undecided, Witness
from meshc_lang.codes import authorization
from meshc_lang.diagnostic import Diagnostic, Label
from meshc_lang.request import PLAINTEXT, Request


def check_assertions(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find the asserts that do not hold, and those of which it could not be decided."""
    for claim in subject.mesh.assertions:
        yield from check_claim(subject, claim)


def check_claim(subject: CheckSubject, claim: Assertion) -> Iterator[Diagnostic]:
    """Find what breaks one assert: nothing if it is proved."""
    match claim:
        case Never() | Always() | Only():
            yield from _check_requests(subject, claim)
        case NeverChain():
            found = tuple(check_chain(subject, claim))
            yield from found
            if not found and ANYBODY in claim.callers:
                # A caller that nobody declares makes no chain, but may make the last call itself.
                yield from _check_requests(subject, _last_call(claim))
        case EveryEdge():
            yield from check_every_edge(subject, claim)
        case MetricBound():
            yield from check_metric_bound(subject, claim)
        case MutualTls():
            yield from check_mutual_tls(subject, claim)
        case _:
            assert_never(claim)


def _last_call(claim: NeverChain) -> Never:
    return Never(
        callers=claim.callers,
        callees=claim.callees,
        matches=claim.matches,
        text=claim.text,
        because=claim.because,
        origin=claim.origin,
    )


def _check_requests(subject: CheckSubject, claim: Never | Always | Only) -> Iterator[Diagnostic]:
    callers = claimed_callers(subject.index, claim)
    undecided: list[CalleeSpace] = []
    for callee, number in claim.callees:
        space = subject.space(callee, number)
        if space is None or not (space.rules or isinstance(claim, Always)):
            continue
        if isinstance(claim, Always) and PLAINTEXT in claim.callers and not space.callers.plaintext:
            promised = space.example(space.requests_of(claim.matches, space.callers.verified))
            if isinstance(promised, Witness):
                yield from _violation(subject, claim, replace(space.request(promised), caller=PLAINTEXT))
                return
            if isinstance(promised, Undecided):
                undecided.append(space)
        match space.example(_breaches(space, claim, callers)):
            case Nothing():
                pass
            case Undecided():
                undecided.append(space)
            case Witness() as witness:
                request = space.request(witness, callers, outside=isinstance(claim, Only))
                yield from _violation(subject, claim, request)
                return
    if undecided:
        yield from undecided_assert(claim, f"at `{undecided[0].callee}`", undecided[0].doubts)


def _breaches(space: CalleeSpace, claim: Never | Always | Only, callers: Set[SpiffeId] | None) -> Region:
    """Return the requests of which the contrary is true; callers of None stand for any identity."""
    if space.space is None:
        return None
    claimed = claimed_requests(space, claim, callers)
    return (
        space.left_over(claimed, space.allowed) if isinstance(claim, Always) else space.shared(space.allowed, claimed)
    )


def claimed_requests(space: CalleeSpace, claim: Never | Always | Only, callers: Set[SpiffeId] | None) -> Region:
    """Return the requests at a port that a claim promises or forbids; callers of None stand for any identity."""
    plaintext = space.callers.plaintext if PLAINTEXT in claim.callers else 0
    if isinstance(claim, Only):
        mask = 0 if callers is None else space.mask_outside(callers) & ~plaintext
    else:
        mask = space.callers.verified if callers is None else space.mask_within(callers) | plaintext
    claimed = space.requests_of(claim.matches or (RequestMatch(),), mask)
    if isinstance(claim, Always) and space.port.protocol.is_http:
        # What no sidecar forwards is promised to nobody.
        refused = RequestMatch(methods=tuple(sorted(NEVER_FORWARDED)))
        claimed = space.left_over(claimed, space.requests_of((refused,), mask))
    return claimed


def claimed_callers(index: MeshIndex, claim: Never | Always | Only) -> frozenset[SpiffeId] | None:
    """Return the identities that a claim names; None for any."""
    return None if ANYBODY in claim.callers else frozenset(_identities(index, claim.callers))


def _identities(index: MeshIndex, callers: Iterable[str]) -> Iterator[SpiffeId]:
    for caller in callers:
        workload = index.workloads.get(caller)
        identity = workload.spiffe_id if workload is not None else SpiffeId.parse(caller)
        if identity is not None:
            yield identity


def _violation(subject: CheckSubject, claim: Never | Always | Only, request: Request) -> Iterator[Diagnostic]:
    decision = evaluate(subject.index, request)
    spans = sorted({rule.origin for rule in decision.rules if rule.origin}, key=lambda span: span.sort_key)
    always = isinstance(claim, Always)
    words = "denies the request" if always else "allows the request"
    yield from refutation(
        authorization.ALWAYS_VIOLATED if always else authorization.ASSERTION_VIOLATED,
        claim,
        related=tuple(Label(span, words) for span in spans[:3]),
        witness=request,
        detail="no allow matches this request" if always and not spans else "",
    )
