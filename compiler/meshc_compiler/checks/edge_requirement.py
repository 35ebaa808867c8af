"""`every edge … has`: each open edge, with the settings of each case of its calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from meshc_compiler.call_graph import Case, Hop
from meshc_compiler.checks.refutation import refutation, undecided_assert
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.ir.claim import ANYBODY, EveryEdge
from meshc_compiler.ir.edge_condition import (
    EdgeAllOf,
    EdgeAnyOf,
    EdgeCompare,
    EdgeCondition,
    EdgeNot,
    EdgePresent,
    EdgeValue,
)
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.setting import SETTING_NAMES
from meshc_compiler.lower.setting_text import setting_text
from meshc_compiler.space.request_space import Nothing, Witness
from meshc_lang.codes import authorization
from meshc_lang.diagnostic import Diagnostic, Label

_UNBOUNDED = float("inf")


def check_every_edge(subject: CheckSubject, claim: EveryEdge) -> Iterator[Diagnostic]:
    """Find the first edge, in the order of names, on which some call lacks what the assert asks of all."""
    graph, index = subject.calls, subject.index
    callers = None if ANYBODY in claim.callers else frozenset(claim.callers)
    doubtful: Hop | None = None
    for callee, port in claim.callees:
        for caller in sorted(graph.callers_of(callee, port)):
            if callers is not None and caller not in callers:
                continue
            hop = Hop(caller, callee, port)
            for case in graph.cases(hop):
                if _holds(index, claim.condition, hop, case):
                    continue
                answer = case.answer
                if isinstance(answer, Witness):
                    yield from refutation(
                        authorization.EDGE_LACKS,
                        claim,
                        detail=f"`{hop}` has {_actual(index, claim.condition, hop, case)}",
                        related=_labels(subject, claim.condition, hop, case),
                        witness=graph.request(hop, answer, routed=True),
                    )
                    return
                if not isinstance(answer, Nothing):
                    doubtful = hop
    if doubtful is not None:
        yield from undecided_assert(claim, f"on `{doubtful}`", graph.doubts((doubtful,)))


def _holds(index: MeshIndex, condition: EdgeCondition, hop: Hop, case: Case) -> bool:
    match condition:
        case EdgeCompare():
            return _compares(_value(index, condition.field, hop, case), condition)
        case EdgePresent():
            return any(getattr(case.settings, field) is not None for field in condition.fields)
        case EdgeAllOf():
            return all(_holds(index, operand, hop, case) for operand in condition.operands)
        case EdgeAnyOf():
            return any(_holds(index, operand, hop, case) for operand in condition.operands)
        case EdgeNot():
            return not _holds(index, condition.operand, hop, case)
        case _:
            assert_never(condition)


def _value(index: MeshIndex, field: str, hop: Hop, case: Case) -> EdgeValue | None:
    """Return what an edge has of a field; None where nothing is stated."""
    match field:
        case "attempts":
            return case.tries
        case "protocol":
            port = index.port_of(hop.callee, hop.port)
            return None if port is None else port.protocol.value
        case "mtls":
            service = index.services.get(hop.callee)
            return "off" if service is None else service.mtls.value
        case _:
            stated = getattr(case.settings, field)
            value: EdgeValue | None = None if stated is None else stated.value
            return 0 if value is None and field == "retry_limit" else value


def _compares(actual: EdgeValue | None, condition: EdgeCompare) -> bool:
    wanted = condition.value
    is_time = condition.field.endswith("_ns")
    if is_time:
        # Nothing bounds a time that is not stated, and `off` says the same.
        actual = actual or _UNBOUNDED  # type: ignore[assignment]
        wanted = wanted or _UNBOUNDED  # type: ignore[assignment]
    match condition.comparison:
        case "==":
            return actual == wanted
        case "!=":
            return actual != wanted
    if not isinstance(actual, int | float) or not isinstance(wanted, int | float):
        return False
    match condition.comparison:
        case "<=":
            return actual <= wanted
        case "<":
            return actual < wanted
        case ">=":
            return actual >= wanted
        case _:
            return actual > wanted


def _fields(condition: EdgeCondition) -> tuple[str, ...]:
    match condition:
        case EdgeCompare():
            return (condition.field,)
        case EdgePresent():
            return condition.fields
        case EdgeAllOf() | EdgeAnyOf():
            return tuple(dict.fromkeys(field for operand in condition.operands for field in _fields(operand)))
        case EdgeNot():
            return _fields(condition.operand)
        case _:
            assert_never(condition)


def _actual(index: MeshIndex, condition: EdgeCondition, hop: Hop, case: Case) -> str:
    """Return what the edge has of the fields that the condition speaks of."""
    words = []
    for field in _fields(condition)[:4]:
        name = SETTING_NAMES.get(field, field).replace(" ", ".")
        value = _value(index, field, hop, case)
        if field in SETTING_NAMES:
            words.append(f"no {name}" if value is None else f"{name} {setting_text(field, value)}")
        else:
            words.append(f"{name} {value}")
    return " and ".join(words)


def _labels(subject: CheckSubject, condition: EdgeCondition, hop: Hop, case: Case) -> tuple[Label, ...]:
    labels = []
    for field in _fields(condition):
        stated = getattr(case.settings, field, None)
        if stated is not None and stated.origin is not None:
            labels.append(Label(stated.origin, f"stated here, for the {stated.scope.name.lower()}"))
    rule = subject.calls.opening(hop)
    if rule is not None and rule.origin is not None:
        labels.append(Label(rule.origin, "opens the edge"))
    return tuple(labels[:3])
