"""The two sides of a comparison: a directory or file, a revision of git, or what a build was made of."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meshc.git_tree import PREFIX, GitError, GitPlace, GitTree
from meshc.reporting import Reporting
from meshc_lang.record import dataclass

if TYPE_CHECKING:
    from meshc_compiler.diff.program_diff import Environments
    from meshc_compiler.ir.mesh import MeshIndex
    from meshc_compiler.pipeline import CompileResult
    from meshc_compiler.source_reader import SourceReader

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class BuiltVersion:
    """A program as a build recorded it, with the overlay that was applied."""

    index: MeshIndex
    overlay: str | None


def compared(old: str, new: str, overlay: str | None) -> tuple[Environments, Environments]:
    """Return both programs, by themselves and in their overlays; with `overlay`, in that one alone.

    A build has one overlay or none: then the other side is taken with the same. What cannot be compiled ends the
    command, with its findings on standard error.
    """
    built = {text: _read_built(text) for text in dict.fromkeys((old, new)) if _is_built(text)}
    for text, one in built.items():
        if overlay is not None and one.overlay != overlay:
            made = f"with the overlay `{one.overlay}`" if one.overlay else "without an overlay"
            raise click.UsageError(f"`{text}` was built {made}, not with `{overlay}`")
    chosen, alone = overlay, overlay is not None
    if built:
        chosen, alone = next(iter(built.values())).overlay, True
    sides: list[Environments] = [
        {None: built[text].index} if text in built else _compiled(text, chosen, alone=alone) for text in (old, new)
    ]
    return sides[0], sides[1]


def _is_built(text: str) -> bool:
    """Tell whether a path is a build: it has a manifest, and no program of its own beside it."""
    place = Path(text)
    if text.startswith(PREFIX):
        return False
    try:
        return (place / MANIFEST).is_file() and not any(place.glob("*.mesh"))
    except (OSError, ValueError):
        return False


def _read_built(text: str) -> BuiltVersion:
    from meshc_backends.program_record import read_recorded

    recorded, problems = read_recorded(Path(text))
    if recorded is None:
        Reporting().tell(problems)
        raise click.exceptions.Exit(1)
    from meshc_compiler.ir.mesh import MeshIndex

    return BuiltVersion(MeshIndex(recorded), recorded.overlay)


def _compiled(text: str, overlay: str | None, *, alone: bool) -> Environments:
    """Compile one side, in all its environments or in the one that is asked for."""
    from meshc.compiling import compile_every, compile_paths

    path, reader = text, None
    try:
        reader = _git_reader(text)
        path = text if reader is None else reader.path
        source: SourceReader | None = reader
        # A comparison shows what the programs mean, and no finding of either.
        if alone:
            result = compile_paths((path,), overlay, source, proofs=False)
        else:
            result = compile_every((path,), source, proofs=False)
    except GitError as error:
        raise click.UsageError(f"`{text}` cannot be read: {error}") from None
    finally:
        if reader is not None:
            reader.close()
    return _environments(result, text, alone=alone)


def _git_reader(text: str) -> GitTree | None:
    if not text.startswith(PREFIX):
        return None
    place = GitPlace.parse(text)
    if place is None:
        raise click.UsageError(f"`{text}` is not `git:REV:PATH`: for example `git:main:policy`, or `git:HEAD~1:.`")
    return GitTree(place)


def _environments(result: CompileResult, text: str, *, alone: bool) -> Environments:
    """Return a program's meshes. One whose asserts do not hold can be compared; one that has no meaning cannot."""
    parts = (result, *result.overlays)
    indexes = {one.overlay: one.index for one in parts if one.index is not None}
    if len(indexes) < len(parts):
        Reporting().tell_result(result)
        sys.stderr.write(f"meshc: `{text}` is no program that could be compared\n")
        raise click.exceptions.Exit(1)
    return {None: indexes[result.overlay]} if alone else indexes
