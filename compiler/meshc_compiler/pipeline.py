"""From paths to a mesh: the stages of the compiler, in order."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from meshc_compiler.checks import CHECKS
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.ir.mesh import Mesh, MeshIndex
from meshc_compiler.loader import DiskReader, Program, SourceReader, load
from meshc_compiler.lower.program import LoweredProgram, lower_program
from meshc_compiler.suppression import Suppressed, Suppressions, Today, read_suppressions
from meshc_lang.diagnostic import Diagnostic, has_errors, in_order
from meshc_lang.record import dataclass, field

STAGES = ("load", "lower", "check", "suppress")
"""What happens to a program, in order: a stage with errors is the last, but for those that read what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileResult:
    """What came of a program. `mesh` and `index` are None where it could not be read or lowered without errors.

    A mesh whose checks found errors (an assert that does not hold) is there all the same, to be asked about; only a
    program without errors may be built. `suppressed` are the findings that comments keep out of `diagnostics`;
    `suppressions` keep silent what a build finds besides.
    """

    program: Program
    mesh: Mesh | None
    index: MeshIndex | None
    diagnostics: tuple[Diagnostic, ...]
    suppressed: tuple[Suppressed, ...] = ()
    suppressions: Suppressions = field(default_factory=Suppressions)

    @property
    def buildable(self) -> bool:
        """Whether artefacts may be made of it."""
        return self.mesh is not None and not has_errors(self.diagnostics)


def compile_program(
    paths: Sequence[str], reader: SourceReader | None = None, today: Today | None = None
) -> CompileResult:
    """Read, lower and check a program. All that is wrong with it is found in one run, and told in order.

    `today` tells which suppressions are over; without it none is.
    """
    with _collector_paused():
        return _compile(paths, reader or DiskReader(), today)


def _compile(paths: Sequence[str], reader: SourceReader, today: Today | None) -> CompileResult:
    program, diagnostics = load(paths, reader)
    lowered, found = lower_program(program) if program.files else (None, ())
    diagnostics += found
    index: MeshIndex | None = None
    if lowered is not None and not has_errors(diagnostics):
        index = MeshIndex(lowered.mesh)
        diagnostics += check_mesh(lowered, index)
    suppressions = read_suppressions(program.files, today)
    silence = suppressions.apply(in_order(diagnostics), complete=index is not None)
    return CompileResult(
        program=program,
        mesh=None if index is None else index.mesh,
        index=index,
        diagnostics=in_order(silence.kept + silence.found),
        suppressed=silence.suppressed,
        suppressions=suppressions,
    )


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep the cyclic collector from walking the growing mesh again and again: a third of a large program's time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def check_mesh(lowered: LoweredProgram, index: MeshIndex) -> tuple[Diagnostic, ...]:
    """Return what the checks find in a mesh that was lowered without errors."""
    subject = CheckSubject(lowered, index)
    return tuple(diagnostic for check in CHECKS for diagnostic in check(subject))
