"""Mutants that nothing notices: what changes for a request, and the cases that would notice them."""

from __future__ import annotations

from collections.abc import Iterable

from meshc_compiler.coverage.missing_test import MissingCase, case_of, test_name, verdicts_of
from meshc_compiler.coverage.mutation import MutantResult
from meshc_compiler.evaluate import evaluate, port_of
from meshc_compiler.ir.mesh import MeshIndex
from meshc_lang.request import Request


def verdicts_before_and_after(index: MeshIndex, one: MutantResult) -> tuple[str, str] | None:
    """Return what becomes of the mutant's request now, and with the mutant in place, in the words of a test."""
    if one.witness is None:
        return None
    now, then = evaluate(index, one.witness), evaluate(one.variant, one.witness)
    # What differs in settings alone is told with them.
    told = [
        (", ".join(verdicts_of(index, now, settings=settings)), ", ".join(verdicts_of(index, then, settings=settings)))
        for settings in (False, True)
    ]
    return told[0] if told[0][0] != told[0][1] else told[1]


def noticing_cases(index: MeshIndex, survivors: Iterable[MutantResult]) -> tuple[MissingCase, ...]:
    """Return cases that notice these mutants, as far as the words of a test can say what changes."""
    cases: list[MissingCase] = []
    for one in survivors:
        if one.witness is None or any(_notices(case, one) for case in cases):
            continue
        case = _case(index, one, one.witness)
        if case is not None:
            cases.append(case)
    return tuple(cases)


def _case(index: MeshIndex, one: MutantResult, request: Request) -> MissingCase | None:
    port = port_of(index, request)
    if port is None:
        return None
    for settings in (False, True):
        test = test_name(request.callee, port)
        case = case_of(index, test, evaluate(index, request), (one.mutant.text,), settings=settings)
        if _notices(case, one):
            return case
    return None


def _notices(case: MissingCase, one: MutantResult) -> bool:
    """Tell whether a case fails with the mutant in place: something that it expects is not so any more."""
    sentence = one.mutant.sentence
    port = port_of(one.variant, case.request)
    if port is None or (case.request.callee, port.number) != (sentence.callee, sentence.port):
        return False
    then = evaluate(one.variant, case.request)
    return not set(case.verdicts) <= set(verdicts_of(one.variant, then, settings=True))
