"""Asserts about chains: that nobody gets somewhere by calls one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.call_graph import CallGraph, Hop, is_open, sources_of
from meshc_compiler.checks.refutation import refutation, undecided_assert
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.ir.claim import ANYBODY, NeverChain
from meshc_compiler.space.request_space import Witness
from meshc_lang.codes import authorization
from meshc_lang.diagnostic import Diagnostic, Label


def check_chain(subject: CheckSubject, claim: NeverChain) -> Iterator[Diagnostic]:
    """Find the shortest chain of calls that breaks the assert."""
    graph = subject.calls
    certain = _shortest(graph, claim, doubtful=False)
    if certain is None:
        doubtful = _shortest(graph, claim, doubtful=True)
        if doubtful is not None:
            yield from undecided_assert(claim, f"of the chain `{chain_text(doubtful)}`", graph.doubts(doubtful))
        return
    last = certain[-1]
    answer = graph.answer(last, claim.matches)
    witness = graph.request(last, answer) if isinstance(answer, Witness) else None
    yield from refutation(
        authorization.CHAIN_VIOLATED,
        claim,
        detail=f"`{chain_text(certain)}` is allowed call by call",
        related=hop_labels(graph, certain),
        witness=witness,
    )


def chain_text(hops: tuple[Hop, ...]) -> str:
    """Return a chain as it is read: `web -> api -> ledger`."""
    return " -> ".join([hops[0].caller, *(hop.callee for hop in hops)])


def hop_labels(graph: CallGraph, hops: tuple[Hop, ...]) -> tuple[Label, ...]:
    """Return where the calls of a chain are allowed."""
    labels = []
    for hop in hops:
        rule = graph.opening(hop)
        if rule is not None and rule.origin is not None:
            labels.append(Label(rule.origin, f"opens `{hop}`"))
    return tuple(labels)


def _shortest(graph: CallGraph, claim: NeverChain, *, doubtful: bool) -> tuple[Hop, ...] | None:
    """Search breadth first; with `doubtful` also through calls of which it could not be decided."""
    targets = frozenset(claim.callees)
    came_by: dict[str, Hop | None] = dict.fromkeys(sources_of(claim.callers, graph, ANYBODY))
    front = list(came_by)
    while front:
        further: list[str] = []
        for caller in front:
            for hop in graph.hops(caller):
                is_target = (hop.callee, hop.port) in targets
                if is_target and _passes(graph, hop, claim, doubtful=doubtful):
                    return _back(came_by, hop)
                if hop.callee not in came_by and _passes(graph, hop, None, doubtful=doubtful):
                    came_by[hop.callee] = hop
                    further.append(hop.callee)
        front = further
    return None


def _passes(graph: CallGraph, hop: Hop, claim: NeverChain | None, *, doubtful: bool) -> bool:
    answer = graph.answer(hop, () if claim is None else claim.matches)
    return is_open(answer) if doubtful else isinstance(answer, Witness)


def _back(came_by: dict[str, Hop | None], last: Hop) -> tuple[Hop, ...]:
    hops = [last]
    while (before := came_by[hops[-1].caller]) is not None:
        hops.append(before)
    return tuple(reversed(hops))
