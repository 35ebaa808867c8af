"""What the tests and asserts of a program would notice, and what they would not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshc.render.coverage_report import percent_text
from meshc.render.json import Json, request_json, span_json
from meshc.render.terminal import Ink, Terminal
from meshc_compiler.coverage.mutation import Outcome
from meshc_compiler.coverage.survivor import verdicts_before_and_after
from meshc_lang.codes import coverage as codes
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.source import SourceText

if TYPE_CHECKING:
    from meshc_compiler.coverage.mutation import MutantResult, Mutation
    from meshc_compiler.ir.mesh import MeshIndex

_NOT_DECIDED = "it was not decided whether the fate of a request changes"


def mutation_text(index: MeshIndex, mutation: Mutation, terminal: Terminal) -> str:
    """Return the changes that nothing notices, each with a request whose fate changes, and the count of all."""
    lines: list[str] = []
    for one in mutation.unnoticed:
        origin = one.mutant.sentence.origin
        place = terminal.paint(terminal.safe(f"   {origin}"), Ink.FAINT) if origin is not None else ""
        mark = terminal.paint(terminal.safe("✗" if one.outcome is Outcome.SURVIVED else "?"), Ink.ERROR)
        lines.append(f"  {mark} {terminal.safe(one.mutant.text)}{place}")
        lines.append(f"      {terminal.safe(_told(index, one))}")
    if lines:
        lines.insert(0, "changes that nothing notices")
    lines.append(terminal.paint(mutation_line(mutation), Ink.STRONG))
    return "\n".join(lines) + "\n"


def mutation_line(mutation: Mutation) -> str:
    """Return the count of all mutants in words."""
    told = f"mutants: {mutation.noticed:,} of {mutation.counted:,} noticed, {percent_text(mutation.percent)}"
    if equivalent := mutation.count(Outcome.EQUIVALENT):
        told += f"; {equivalent:,} more {'changes' if equivalent == 1 else 'change'} nothing"
    if undecided := mutation.count(Outcome.UNDECIDED):
        told += f"; {undecided:,} not decided"
    if len(mutation.results) < mutation.total:
        told += f"; tried {len(mutation.results):,} of {mutation.total:,}"
    return told


def _told(index: MeshIndex, one: MutantResult) -> str:
    verdicts = verdicts_before_and_after(index, one)
    if one.witness is None:
        return _NOT_DECIDED
    if verdicts is None:
        return f"{one.witness.text} fares otherwise, in a way for which tests have no words"
    now, then = verdicts
    return f"{one.witness.text} is {now}; it would be {then}"


def mutation_json(index: MeshIndex, mutation: Mutation) -> Json:
    """Return the counts, and each mutant."""
    return {
        "mutants": len(mutation.results),
        "of": mutation.total,
        "noticed": mutation.noticed,
        "survived": mutation.count(Outcome.SURVIVED),
        "undecided": mutation.count(Outcome.UNDECIDED),
        "equivalent": mutation.count(Outcome.EQUIVALENT),
        "percent": round(mutation.percent, 2),
        "list": [_mutant_json(index, one) for one in mutation.results],
    }


def _mutant_json(index: MeshIndex, one: MutantResult) -> Json:
    sentence = one.mutant.sentence
    verdicts = verdicts_before_and_after(index, one)
    return {
        "callee": sentence.callee,
        "kind": sentence.kind.value,
        "sentence": sentence.text,
        "change": one.mutant.change,
        "span": span_json(sentence.origin),
        "outcome": one.outcome.value,
        "by": one.by or None,
        "witness": request_json(one.witness),
        "before": None if verdicts is None else verdicts[0],
        "after": None if verdicts is None else verdicts[1],
    }


def mutation_findings(index: MeshIndex, mutation: Mutation) -> tuple[Diagnostic, ...]:
    """Return the changes that nothing notices as findings, for the formats that know findings alone."""
    return tuple(
        Diagnostic(
            code=codes.UNNOTICED_CHANGE,
            message=f"nothing notices this change: {one.mutant.text}",
            primary=one.mutant.sentence.origin or SourceText("", "").span(0, 0),
            witness=one.witness,
            help=_told(index, one),
            subject=f"mutant {one.mutant.text}",
        )
        for one in mutation.unnoticed
    )
