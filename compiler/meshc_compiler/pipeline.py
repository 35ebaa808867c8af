"""From paths to a mesh: the stages of the compiler, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from meshc_compiler.checks import CHECKS
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.expand.need import needs_expansion
from meshc_compiler.ir.mesh import Mesh, MeshIndex
from meshc_compiler.loader import DiskReader, Program, SourceReader, load
from meshc_compiler.lower.program import LoweredProgram, lower_program
from meshc_compiler.suppression import Suppressed, Suppressions, Today, read_suppressions
from meshc_lang.collector import collector_paused
from meshc_lang.diagnostic import Diagnostic, Label, has_errors, in_order
from meshc_lang.record import dataclass, field

if TYPE_CHECKING:
    from meshc_compiler.expand.program import Expander

STAGES = ("load", "expand", "lower", "check", "suppress")
"""What happens to a program, in order; from `expand` on once more for each overlay that is compiled.

A stage with errors is the last, but for those that read what there is.
"""

_IN_OVERLAY = "in the overlay"


class NoSuchOverlayError(Exception):
    """The program has no overlay of the name that was asked for; `known` are those that it has."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"there is no overlay `{name}`")
        self.name = name
        self.known = known


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileResult:
    """What came of a program. `mesh` and `index` are None where it could not be read or lowered without errors.

    A mesh whose checks found errors (an assert that does not hold) is there all the same, to be asked about; only a
    program without errors may be built. `suppressed` are the findings that comments keep out of `diagnostics`;
    `suppressions` keep silent what a build finds besides. `overlay` is the name of the overlay that was applied.

    Of `compile_all`, `overlays` are the results with each overlay applied, and `diagnostics` are those of all.

    One that was not `proved` was lowered alone: nothing was checked, so it can be asked about and never be built.
    """

    program: Program
    mesh: Mesh | None
    index: MeshIndex | None
    diagnostics: tuple[Diagnostic, ...]
    suppressed: tuple[Suppressed, ...] = ()
    suppressions: Suppressions = field(default_factory=Suppressions)
    overlay: str | None = None
    overlays: tuple[CompileResult, ...] = ()
    proved: bool = True

    @property
    def buildable(self) -> bool:
        """Whether artefacts may be made of it."""
        return self.proved and self.mesh is not None and not has_errors(self.diagnostics)


def compile_program(
    paths: Sequence[str],
    reader: SourceReader | None = None,
    today: Today | None = None,
    *,
    overlay: str | None = None,
    proofs: bool = True,
) -> CompileResult:
    """Read, expand, lower and check a program. All that is wrong with it is found in one run, and told in order.

    `today` tells which suppressions are over; without it none is. With `overlay` the program is taken as that overlay
    has it, which must be one of its own (else `NoSuchOverlayError`).

    Without `proofs` the checks are left out, for whoever asks about the mesh and shows none of their findings; what is
    wrong with the text, names and types is found all the same.
    """
    with collector_paused():
        program, found = load(paths, reader or DiskReader())
        return compile_loaded(program, found, today, overlay=overlay, proofs=proofs)


def compile_all(
    paths: Sequence[str], reader: SourceReader | None = None, today: Today | None = None, *, proofs: bool = True
) -> CompileResult:
    """Compile a program by itself and with each of its overlays; its files are read once.

    A finding that the program has by itself is told once, one that only overlays have with the first of them.
    """
    with collector_paused():
        program, found = load(paths, reader or DiskReader())
        return compile_loaded(program, found, today, every=True, proofs=proofs)


def compile_loaded(
    program: Program,
    found: tuple[Diagnostic, ...],
    today: Today | None = None,
    *,
    overlay: str | None = None,
    every: bool = False,
    proofs: bool = True,
) -> CompileResult:
    """Compile a program that was read, with what was found while reading: as `compile_all` does with `every`."""
    expander = _expander(program, found)
    overlays = expander.overlays if expander is not None else ()
    if overlay is not None and overlay not in overlays:
        if not has_errors(found):
            raise NoSuchOverlayError(overlay, overlays)
        overlay = None
    if overlay is not None and expander is not None:
        base = _with_overlay(program, found, expander, overlay, proofs=proofs)
    else:
        base = _by_itself(program, found, expander, proofs=proofs)
    told = {one.key: one for one in base.diagnostics}
    results: list[_Lowered] = []
    if every and expander is not None:
        for name in overlays:
            result = _with_overlay(program, None, expander, name, only_look=base.index is None, proofs=proofs)
            results.append(result)
            for one in result.diagnostics:
                told[one.key] = _also(told[one.key], name) if one.key in told else one
    suppressions = read_suppressions(program.files, today)
    # A comment may be about what only another overlay shows: unless all were compiled, none is called unused.
    complete = (
        proofs and base.index is not None and (every or not overlays) and all(one.index is not None for one in results)
    )
    silence = suppressions.apply(in_order(_own_fixes(program, tuple(told.values()))), complete=complete)
    parts = tuple(_result(program, one, suppressions, proofs=proofs) for one in results)
    return CompileResult(
        program=program,
        mesh=None if base.index is None else base.index.mesh,
        index=base.index,
        diagnostics=in_order(silence.kept + silence.found),
        suppressed=silence.suppressed,
        suppressions=suppressions,
        overlay=overlay,
        overlays=parts,
        proved=proofs,
    )


@dataclass(frozen=True, slots=True)
class _Lowered:
    """How far a program came, by itself or with an overlay, and what was found on the way."""

    index: MeshIndex | None
    diagnostics: tuple[Diagnostic, ...]
    overlay: str | None = None


def _result(program: Program, lowered: _Lowered, suppressions: Suppressions, *, proofs: bool) -> CompileResult:
    silence = suppressions.silence(_own_fixes(program, lowered.diagnostics))
    return CompileResult(
        program=program,
        mesh=None if lowered.index is None else lowered.index.mesh,
        index=lowered.index,
        diagnostics=in_order(silence.kept),
        suppressed=silence.suppressed,
        suppressions=suppressions,
        overlay=lowered.overlay,
        proved=proofs,
    )


def _expander(program: Program, found: tuple[Diagnostic, ...]) -> Expander | None:
    """Return what expands a program; None for the many that have nothing to expand."""
    unread = program.incomplete or program.lost_names  # a word may be the name of a value that could not be read
    if not unread and not any(needs_expansion(file.statements) for file in program.files):
        return None
    from meshc_compiler.expand.program import Expander

    return Expander(program, complete=not has_errors(found))


def _by_itself(program: Program, found: tuple[Diagnostic, ...], expander: Expander | None, *, proofs: bool) -> _Lowered:
    """Lower and check a program without an overlay."""
    if expander is None:
        lowered, more = lower_program(program) if program.files else (None, ())
        return _checked(lowered, found + more, proofs=proofs)
    from meshc_compiler.expand.provenance import explained, less_sure

    expansion = expander.base()
    lowered, more = lower_program(program, expansion.statements, expansion.lost_names)
    result = _checked(lowered, found + expansion.diagnostics + more, proofs=proofs)
    told = explained(result.diagnostics, expansion.background)
    return replace(result, diagnostics=less_sure(told) if expander.overlays else told)


def _with_overlay(
    program: Program,
    found: tuple[Diagnostic, ...] | None,
    expander: Expander,
    overlay: str,
    *,
    only_look: bool = False,
    proofs: bool,
) -> _Lowered:
    """Lower and check a program with an overlay.

    `found` is what was found while reading, where the overlay is all that is compiled: then what is wrong with the
    program's values and templates comes with it; None where the program by itself is compiled as well. To `only_look`
    at the overlay is enough where the program by itself could not be lowered: what else would be found is most likely
    the same mistakes again.
    """
    from meshc_compiler.expand.provenance import explained

    base, expansion = expander.base(), expander.overlay(overlay)
    start = () if found is None else found + explained(base.diagnostics, base.background)
    if only_look:
        return _Lowered(None, explained(expansion.diagnostics, expansion.background), overlay)
    lowered, more = lower_program(program, expansion.statements, expansion.lost_names, overlay)
    result = _checked(lowered, start + expansion.diagnostics + more, proofs=proofs)
    background = replace(expansion.background, by_itself=found is not None)
    own = explained(result.diagnostics[len(start) :], background)
    return _Lowered(result.index, start + own, overlay)


def _also(diagnostic: Diagnostic, overlay: str) -> Diagnostic:
    """Return a finding that an overlay has as well: one of another overlay names both, one of the program neither."""
    label = next((one for one in diagnostic.related if one.text.startswith(_IN_OVERLAY)), None)
    if label is None or f"`{overlay}`" in label.text:
        return diagnostic
    joined = Label(label.span, f"{label.text}, and in `{overlay}`")
    related = tuple(joined if one is label else one for one in diagnostic.related)
    return replace(diagnostic, related=related)


def _checked(lowered: LoweredProgram | None, found: tuple[Diagnostic, ...], *, proofs: bool) -> _Lowered:
    if lowered is None or has_errors(found):
        return _Lowered(None, found)
    index = MeshIndex(lowered.mesh)
    return _Lowered(index, found + (check_mesh(lowered, index) if proofs else ()))


def _own_fixes(program: Program, diagnostics: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """Take away fixes that would write the language into a file that was imported, as a manifest."""
    if program.imported is None:
        return diagnostics
    own = set(program.sources)
    return tuple(
        finding
        if all(edit.span.source in own for fix in finding.fixes for edit in fix.edits)
        else replace(finding, fixes=())
        for finding in diagnostics
    )


def check_mesh(lowered: LoweredProgram, index: MeshIndex) -> tuple[Diagnostic, ...]:
    """Return what the checks find in a mesh that was lowered without errors."""
    subject = CheckSubject(lowered, index)
    return tuple(diagnostic for check in CHECKS for diagnostic in check(subject))
