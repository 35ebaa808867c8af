"""`meshc test`: the cases run, what they exercise, the missing ones written; and what the run comes to."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from meshc_lang.record import dataclass

if TYPE_CHECKING:
    from meshc.render.json import Json
    from meshc.reporting import Reporting
    from meshc_compiler.coverage.fill import Filling
    from meshc_compiler.coverage.measure import Coverage
    from meshc_compiler.coverage.missing_test import MissingCase
    from meshc_compiler.coverage.mutation import Mutation
    from meshc_compiler.examples import CaseResult
    from meshc_compiler.ir.mesh import MeshIndex
    from meshc_compiler.pipeline import CompileResult

OK, FOUND, USAGE = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of a run of tests is asked for.

    `chosen` are the words of `--filter`; a bound of None (`least_cover`, `least_mutate`, `mutants`) is none.
    """

    quiet: bool = False
    chosen: tuple[str, ...] = ()
    cover: bool = False
    least_cover: float | None = None
    fill: bool = False
    into: str | None = None
    diff: bool = False
    mutate: bool = False
    least_mutate: float | None = None
    mutants: int | None = None


def test_program(paths: tuple[str, ...], result: CompileResult, reporting: Reporting, wanted: Wanted) -> int:
    """Run the cases of a program, tell what came of them, and return the exit status."""
    from meshc_compiler.examples import run_examples

    index = result.index
    if index is None or not result.buildable:
        reporting.tell_result(result)
        return FOUND
    cases = run_examples(index, wanted.chosen)
    if wanted.chosen and not cases:
        words = " or ".join(f"`{word}`" for word in wanted.chosen)
        click.echo(f"meshc test: no case of {len(index.mesh.examples):,} has {words} in its name or request", err=True)
        return USAGE
    failed = any(not case.passed for case in cases)
    if wanted.fill:
        if failed:
            _tell_cases(index, cases, reporting, Wanted(quiet=wanted.quiet))
            click.echo("meshc test: nothing is written while a case fails", err=True)
            return FOUND
        return _fill(paths, index, cases, wanted)
    coverage, mutation = _tell_cases(index, cases, reporting, wanted)
    beneath = coverage is not None and _is_beneath("coverage", coverage.percent, wanted.least_cover)
    if mutation is not None:
        beneath |= _is_beneath("the share of mutants noticed", mutation.percent, wanted.least_mutate)
    return FOUND if failed or beneath else OK


def _tell_cases(
    index: MeshIndex, cases: tuple[CaseResult, ...], reporting: Reporting, wanted: Wanted
) -> tuple[Coverage | None, Mutation | None]:
    """Print the cases, and what they exercise and would notice if that was asked for."""
    from meshc.render.terminal import terminal_of
    from meshc.render.test_report import test_document, test_findings, test_text

    coverage = _coverage(index, cases) if wanted.cover or reporting.form == "json" else None
    mutation = _mutation(index, cases, wanted)
    match reporting.form:
        case "text":
            terminal = terminal_of(sys.stdout)
            told = test_text(cases, terminal, quiet=wanted.quiet)
            if coverage is not None:
                from meshc.render.coverage_report import coverage_text

                told += "\n" + coverage_text(coverage, terminal)
            if mutation is not None:
                from meshc.render.mutation_report import mutation_text

                told += "\n" + mutation_text(index, mutation, terminal)
        case "json":
            members: dict[str, Json] = {}
            if coverage is not None:
                from meshc.render.coverage_report import coverage_json

                members["coverage"] = coverage_json(coverage, listed=wanted.cover)
            if mutation is not None:
                from meshc.render.mutation_report import mutation_json

                members["mutation"] = mutation_json(index, mutation)
            told = test_document(cases, one_line=reporting.one_line, **members)
        case "junit":
            from meshc.render.junit import junit_of_cases

            told = junit_of_cases(cases, _properties(coverage, mutation))
        case _:
            found = test_findings(cases)
            if coverage is not None:
                from meshc.render.coverage_report import coverage_findings

                found += coverage_findings(index, coverage)
            if mutation is not None:
                from meshc.render.mutation_report import mutation_findings

                found += mutation_findings(index, mutation)
            told = reporting.document(found)
    click.echo(told, nl=False)
    return coverage if wanted.cover else None, mutation


def _coverage(index: MeshIndex, cases: tuple[CaseResult, ...]) -> Coverage:
    from meshc_compiler.coverage.measure import measure

    # A case that fails shows nothing about what it asks for.
    return measure(index, (case.decision for case in cases if case.passed))


def _mutation(index: MeshIndex, cases: tuple[CaseResult, ...], wanted: Wanted) -> Mutation | None:
    if not wanted.mutate:
        return None
    if any(not case.passed for case in cases):
        click.echo("meshc test: no mutant is tried while a case fails: it would fail anyway", err=True)
        return None
    from meshc_compiler.coverage.mutation import mutate

    return mutate(index, index.mesh.examples, wanted.mutants)


def _properties(coverage: Coverage | None, mutation: Mutation | None) -> dict[str, str]:
    counts: dict[str, int] = {}
    if coverage is not None:
        counts["coverage.classes"] = len(coverage.classes)
        counts["coverage.covered"] = coverage.covered
        counts["coverage.undecided"] = coverage.undecided
    if mutation is not None:
        counts["mutation.mutants"] = mutation.counted
        counts["mutation.noticed"] = mutation.noticed
    return {name: str(count) for name, count in counts.items()}


def _is_beneath(what: str, percent: float, least: float | None) -> bool:
    """Tell on standard error if there is less of something than was asked for."""
    if least is None or percent >= least:
        return False
    from meshc.render.coverage_report import percent_text

    click.echo(f"meshc test: {what} is {percent_text(percent)}, beneath {least:g} %", err=True)
    return True


# ---- missing tests


def _fill(paths: tuple[str, ...], index: MeshIndex, cases: tuple[CaseResult, ...], wanted: Wanted) -> int:
    """Write the cases that are missing into a file of the program, or show them."""
    from meshc.render.coverage_report import coverage_line
    from meshc_compiler.coverage.fill import NotOfTheProgramError, default_file, fill
    from meshc_compiler.coverage.missing_test import missing_cases
    from meshc_compiler.loader import DiskReader

    reader = DiskReader()
    coverage = _coverage(index, cases)
    missing = missing_cases(index, coverage)
    path = default_file(paths, reader) if wanted.into is None else reader.relative(wanted.into)
    try:
        filling = fill(paths, reader, path, missing)
        if wanted.mutate:
            # What the missing cases do not notice either.
            more = _noticing(filling.index, wanted)
            filling = fill(paths, reader, path, (*missing, *more)) if more else filling
    except NotOfTheProgramError as error:
        raise click.UsageError(f"{error}: `--into` takes a `.mesh` file that it reads, or would read") from None
    status = _show(filling) if wanted.diff else _write(filling)
    for case in filling.left_out:
        click.echo(f"meshc test: an overlay has no place for `{case.line}`: it was left out", err=True)
    told = coverage_line(filling.coverage)
    click.echo(f"{told} (before: {coverage.covered:,} of {len(coverage.classes):,})", err=True)
    return FOUND if _is_beneath("coverage", filling.coverage.percent, wanted.least_cover) else status


def _noticing(index: MeshIndex, wanted: Wanted) -> tuple[MissingCase, ...]:
    from meshc_compiler.coverage.mutation import mutate
    from meshc_compiler.coverage.survivor import noticing_cases

    return noticing_cases(index, mutate(index, index.mesh.examples, wanted.mutants).unnoticed)


def _show(filling: Filling) -> int:
    from meshc.render.difference import difference
    from meshc.render.terminal import terminal_of

    if filling.cases:
        terminal = terminal_of(sys.stdout)
        click.echo(difference(filling.path, filling.text_before, filling.text_after, terminal), nl=False)
    return OK


def _write(filling: Filling) -> int:
    from meshc.render.count import counted
    from meshc.render.terminal import Ink, terminal_of
    from meshc.replacing import create_file, replace_file
    from meshc_backends.finding import reason_of

    if not filling.cases:
        click.echo("nothing to write: there are cases for all of which a request is known")
        return OK
    try:
        if filling.before is None:
            create_file(filling.path, filling.after)
        else:
            replace_file(filling.path, filling.after)
    except OSError as error:
        click.echo(f"meshc test: `{filling.path}` cannot be written: {reason_of(error)}", err=True)
        return FOUND
    terminal = terminal_of(sys.stdout)
    head = terminal.paint("wrote", Ink.GOOD)
    click.echo(f"{head} {counted(len(filling.cases), 'case')} into {terminal.safe(filling.path)}")
    return OK
