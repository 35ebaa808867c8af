"""Mutants that nothing notices: what changes for a request, and the cases that would notice them."""

from __future__ import annotations

from collections.abc import Iterable

from meshc_compiler.coverage.missing_test import Detail, MissingCase, case_of, test_name, verdicts_of
from meshc_compiler.coverage.mutation import MutantResult
from meshc_compiler.evaluate import evaluate, port_of
from meshc_compiler.ir.mesh import MeshIndex
from meshc_lang.request import Request


def verdicts_before_and_after(index: MeshIndex, one: MutantResult) -> tuple[str, str] | None:
    """Return what becomes of the mutant's request now, and with the mutant in place, in the words of a test.

    None where no request is known, or where these words cannot tell the two apart.
    """
    if one.witness is None:
        return None
    now, then = evaluate(index, one.witness), evaluate(one.variant, one.witness)
    for detail in Detail:
        told = ", ".join(verdicts_of(index, now, detail)), ", ".join(verdicts_of(index, then, detail))
        if told[0] != told[1]:
            return told
    return None


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
    test, decision = test_name(request.callee, port), evaluate(index, request)
    for detail in Detail:
        case = case_of(index, test, decision, (one.mutant.text,), detail)
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
    met = (word for detail in Detail for word in verdicts_of(one.variant, then, detail))
    return not set(case.verdicts) <= set(met)
