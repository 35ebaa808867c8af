"""A program from the command line, compiled; verbs that need a mesh stop here if there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from meshc.reporting import Reporting
    from meshc_compiler.flip.search import FlipFinder
    from meshc_compiler.ir.mesh import MeshIndex
    from meshc_compiler.pipeline import CompileResult
    from meshc_compiler.source_reader import SourceReader


def compile_paths(
    paths: tuple[str, ...], overlay: str | None = None, reader: SourceReader | None = None, *, proofs: bool = True
) -> CompileResult:
    """Compile the files and directories that were named, as an overlay has them if one is given.

    Verbs that only ask do without `proofs`, which none but `check`, `build` and `test` show.
    """
    from meshc_compiler.loader import DiskReader
    from meshc_compiler.pipeline import NoSuchOverlayError, compile_program

    try:
        return compile_program(paths, reader or DiskReader(), today, overlay=overlay, proofs=proofs)
    except NoSuchOverlayError as error:
        import click

        from meshc_lang.suggestion import suggest

        near = suggest(error.name, error.known)
        known = f"it has {', '.join(f'`{name}`' for name in error.known)}" if error.known else "the program has none"
        meant = f"did you mean `{near[0]}`?" if near else known
        raise click.UsageError(f"there is no overlay `{error.name}`; {meant}") from None


def compile_every(paths: tuple[str, ...], reader: SourceReader | None = None, *, proofs: bool = True) -> CompileResult:
    """Compile the files and directories that were named, by themselves and with each of their overlays."""
    from meshc_compiler.loader import DiskReader
    from meshc_compiler.pipeline import compile_all

    return compile_all(paths, reader or DiskReader(), today, proofs=proofs)


def today() -> date:
    """Return which day it is, in UTC."""
    from datetime import UTC, datetime

    return datetime.now(UTC).date()


def mesh_or_exit(
    paths: tuple[str, ...], reporting: Reporting, *, overlay: str | None = None, with_failed_checks: bool = False
) -> MeshIndex:
    """Return the mesh of a program without errors; else tell the findings on standard error and end with 1.

    A format for programs is written to standard output. `with_failed_checks` is for verbs that only ask: a mesh whose
    assert does not hold can still be asked why. Warnings are told by `check` alone: a verb that asks something of the
    mesh answers that and nothing else.
    """
    result = compile_paths(paths, overlay, proofs=not with_failed_checks)
    if result.index is None or not (with_failed_checks or result.buildable):
        import click

        reporting.tell_result(result)
        raise click.exceptions.Exit(1)
    return result.index


def flip_finder(paths: tuple[str, ...], overlay: str | None, *, of_allowed: bool) -> FlipFinder:
    """Return what looks for the smallest edit that turns a verdict in a program; of refused requests at least."""
    from meshc_compiler.flip.search import FlipFinder
    from meshc_compiler.loader import DiskReader

    return FlipFinder(paths, DiskReader(), today, overlay, of_allowed=of_allowed)
