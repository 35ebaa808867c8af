"""Asserts: proved, or refuted by a request."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import assert_never

from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.evaluate import evaluate
from meshc_compiler.ir.claim import ANYBODY, Assertion, Never, Only
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.space.callee_space import CalleeSpace
from meshc_compiler.space.request_space import Box, Nothing, Undecided, Witness
from meshc_lang.codes import authorization
from meshc_lang.diagnostic import Diagnostic, Label
from meshc_lang.request import Request


def check_assertions(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find the asserts that do not hold, and those of which it could not be decided."""
    for claim in subject.mesh.assertions:
        yield from _check_claim(subject, claim)


def _check_claim(subject: CheckSubject, claim: Assertion) -> Iterator[Diagnostic]:
    if claim.origin is None:
        return
    callers = None if ANYBODY in claim.callers else frozenset(_identities(subject.index, claim))
    undecided: list[str] = []
    for callee, number in claim.callees:
        space = subject.space(callee, number)
        if space is None or not space.rules:
            continue
        match space.example(_breaches(space, claim, callers)):
            case Nothing():
                pass
            case Undecided():
                undecided.append(callee)
            case Witness() as witness:
                request = space.request(witness, callers, outside=isinstance(claim, Only))
                yield _violation(subject, claim, request)
                return
    if undecided:
        yield Diagnostic(
            code=authorization.NOT_VERIFIED,
            message=f"it could not be decided whether `{claim.text}` holds at `{undecided[0]}`",
            primary=claim.origin,
            help="regular expressions are compared by samples: write paths as templates where a proof is needed",
            subject=f"assert {claim.text}",
        )


def _breaches(space: CalleeSpace, claim: Assertion, callers: Set[SpiffeId] | None) -> tuple[Box, ...] | None:
    """Return the requests that are allowed although the claim rules them out; callers of None stand for anybody."""
    if space.space is None:
        return None
    match claim:
        case Never():
            mask = space.everybody if callers is None else space.mask_within(callers)
            matches = claim.matches or (RequestMatch(),)
        case Only():
            mask = 0 if callers is None else space.mask_outside(callers)
            matches = (RequestMatch(),)
        case _:
            assert_never(claim)
    ruled_out: list[Box] = []
    for match in matches:
        boxes = space.space.boxes(match, mask)
        if boxes is None:
            return None
        ruled_out += boxes
    return space.shared(space.allowed, tuple(ruled_out))


def _identities(index: MeshIndex, claim: Assertion) -> Iterator[SpiffeId]:
    for caller in claim.callers:
        workload = index.workloads.get(caller)
        identity = workload.spiffe_id if workload is not None else SpiffeId.parse(caller)
        if identity is not None:
            yield identity


def _violation(subject: CheckSubject, claim: Assertion, request: Request) -> Diagnostic:
    decision = evaluate(subject.index, request)
    spans = sorted({rule.origin for rule in decision.rules if rule.origin}, key=lambda span: span.sort_key)
    because = "" if claim.because is None else f" ({claim.because})"
    assert claim.origin is not None  # noqa: S101 - checked by the caller
    return Diagnostic(
        code=authorization.ASSERTION_VIOLATED,
        message=f"the assert `{claim.text}` does not hold{because}",
        primary=claim.origin,
        related=tuple(Label(span, "allows the request") for span in spans[:3]),
        witness=request,
        subject=f"assert {claim.text}",
    )
