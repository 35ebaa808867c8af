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
    from meshc_compiler.examples import CaseResult
    from meshc_compiler.ir.mesh import MeshIndex
    from meshc_compiler.pipeline import CompileResult

OK, FOUND, USAGE = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of a run of tests is asked for. `chosen` are the words of `--filter`; a `least` of None asks for none."""

    quiet: bool = False
    chosen: tuple[str, ...] = ()
    cover: bool = False
    least_cover: float | None = None
    fill: bool = False
    into: str | None = None
    diff: bool = False


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
            _tell_cases(index, cases, reporting, wanted)
            click.echo("meshc test: nothing is written while a case fails", err=True)
            return FOUND
        return _fill(paths, index, cases, wanted)
    coverage = _tell_cases(index, cases, reporting, wanted)
    beneath = _is_beneath(coverage, wanted.least_cover)
    return FOUND if failed or beneath else OK


def _tell_cases(
    index: MeshIndex, cases: tuple[CaseResult, ...], reporting: Reporting, wanted: Wanted
) -> Coverage | None:
    """Print the cases, and what they exercise if that was asked for."""
    from meshc.render.terminal import terminal_of
    from meshc.render.test_report import test_document, test_findings, test_text

    coverage = None
    if wanted.cover or reporting.form == "json":
        from meshc.render.coverage_report import coverage_findings, coverage_json, coverage_text
        from meshc_compiler.coverage.measure import measure

        # A case that fails shows nothing about what it asks for.
        coverage = measure(index, (case.decision for case in cases if case.passed))
    match reporting.form:
        case "text":
            terminal = terminal_of(sys.stdout)
            told = test_text(cases, terminal, quiet=wanted.quiet)
            if coverage is not None:
                told += "\n" + coverage_text(coverage, terminal)
        case "json":
            members: dict[str, Json] = {}
            if coverage is not None:
                members["coverage"] = coverage_json(coverage, listed=wanted.cover)
            told = test_document(cases, one_line=reporting.one_line, **members)
        case "junit":
            from meshc.render.junit import junit_of_cases

            told = junit_of_cases(cases, {} if coverage is None else _properties(coverage))
        case _:
            found = test_findings(cases)
            if coverage is not None:
                found += coverage_findings(index, coverage)
            told = reporting.document(found)
    click.echo(told, nl=False)
    return coverage if wanted.cover else None


def _properties(coverage: Coverage) -> dict[str, str]:
    counts = {"classes": len(coverage.classes), "covered": coverage.covered, "undecided": coverage.undecided}
    return {f"coverage.{name}": str(count) for name, count in counts.items()}


def _is_beneath(coverage: Coverage | None, least: float | None) -> bool:
    """Tell on standard error if less is exercised than was asked for."""
    if coverage is None or least is None or coverage.percent >= least:
        return False
    from meshc.render.coverage_report import percent_text

    click.echo(f"meshc test: coverage is {percent_text(coverage.percent)}, beneath {least:g} %", err=True)
    return True


# ---- missing tests


def _fill(paths: tuple[str, ...], index: MeshIndex, cases: tuple[CaseResult, ...], wanted: Wanted) -> int:
    """Write the cases that are missing into a file of the program, or show them."""
    from meshc.render.coverage_report import coverage_line
    from meshc_compiler.coverage.fill import NotOfTheProgramError, default_file, fill
    from meshc_compiler.coverage.measure import measure
    from meshc_compiler.coverage.missing_test import missing_cases
    from meshc_compiler.loader import DiskReader

    reader = DiskReader()
    coverage = measure(index, (case.decision for case in cases))
    missing = missing_cases(index, coverage)
    path = default_file(paths, reader) if wanted.into is None else reader.relative(wanted.into)
    try:
        filling = fill(paths, reader, path, missing)
    except NotOfTheProgramError as error:
        raise click.UsageError(f"{error}: `--into` takes a `.mesh` file that it reads, or would read") from None
    status = _show(filling) if wanted.diff else _write(filling)
    for case in filling.left_out:
        click.echo(f"meshc test: an overlay has no place for `{case.line}`: it was left out", err=True)
    told = coverage_line(filling.coverage)
    click.echo(f"{told} (before: {coverage.covered:,} of {len(coverage.classes):,})", err=True)
    return FOUND if _is_beneath(filling.coverage, wanted.least_cover) else status


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
        click.echo("nothing to write: every class of which a request is known has its test")
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
