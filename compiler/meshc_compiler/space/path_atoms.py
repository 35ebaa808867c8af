"""Paths in finitely many classes: the atoms of a set of templates, by subset construction over segments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from meshc_compiler.ir.match import PathTemplate, Segment, SegmentKind
from meshc_compiler.path import path_segments, segment_matches, template_matches

MOST_STATES = 20_000
"""The most states of the construction; laminar sets need one a segment, crossing `*` and literals many more."""

_REPRESENTATIVES = (
    "x",
    "7",
    "X",
    "00000000-0000-4000-8000-000000000000",
    "AAAAAAAA-0000-4000-8000-000000000000",
)
"""One segment for each combination of classes that a segment can be in: any is, some are `int`, `uuid` or `slug`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathAtoms:
    """The atoms: two paths are in one atom when the same templates match them.

    Sets of atoms are bit masks. `masks` has the set of each template; `witnesses` a canonical path of each atom.
    """

    templates: tuple[PathTemplate, ...]
    masks: dict[PathTemplate, int]
    witnesses: tuple[str, ...]
    atom_by_signature: dict[frozenset[int], int]

    @property
    def everything(self) -> int:
        """The set of all paths."""
        return (1 << len(self.witnesses)) - 1

    def atom_of(self, canonical: str) -> int:
        """Return the atom (a number) that a canonical path is in."""
        segments = path_segments(canonical)
        signature = frozenset(
            number for number, template in enumerate(self.templates) if template_matches(template, segments)
        )
        return self.atom_by_signature[signature]


def split_paths(templates: Iterable[PathTemplate]) -> PathAtoms | None:
    """Return the atoms of a set of templates, or None where there would be too many states.

    A state is the set of template positions that some path leads to; each transition is a segment: a literal that some
    template mentions there, or a representative of a combination of classes. The templates that accept in a state are
    the signature of its paths. The search goes by length, so that witnesses are short.
    """
    ordered = tuple(dict.fromkeys(templates))
    pieces = [template.segments for template in ordered]
    start = tuple((number, 0) for number in range(len(ordered)))
    witness = {start: ""}
    atoms: dict[frozenset[int], int] = {}
    witnesses: list[str] = []
    level = [start]
    while level:
        following: list[tuple[tuple[int, int], ...]] = []
        for state in level:
            path = witness[state]
            signature = frozenset(number for number, at in state if _accepts(pieces[number], at))
            if signature not in atoms:
                atoms[signature] = len(witnesses)
                witnesses.append(path or "/")
            for segment in _alphabet(state, pieces):
                reached = tuple(
                    (number, after) for number, at in state if (after := _step(pieces[number], at, segment)) is not None
                )
                if reached not in witness:
                    witness[reached] = f"{path}/{segment}"
                    following.append(reached)
                    if len(witness) > MOST_STATES:
                        return None
        level = following
    masks = dict.fromkeys(ordered, 0)
    for signature, atom in atoms.items():
        for number in signature:
            masks[ordered[number]] |= 1 << atom
    return PathAtoms(templates=ordered, masks=masks, witnesses=tuple(witnesses), atom_by_signature=atoms)


def _accepts(segments: tuple[Segment, ...], at: int) -> bool:
    return at == len(segments) or segments[at].kind is SegmentKind.REST


def _step(segments: tuple[Segment, ...], at: int, segment: str) -> int | None:
    if at == len(segments):
        return None
    if segments[at].kind is SegmentKind.REST:
        return at
    return at + 1 if segment_matches(segments[at], segment) else None


def _alphabet(state: tuple[tuple[int, int], ...], pieces: list[tuple[Segment, ...]]) -> Iterator[str]:
    """Yield one segment for each class of segments that the templates in this state tell apart."""
    literals: dict[str, None] = {}
    classes: dict[SegmentKind, None] = {}
    for number, at in state:
        if at < len(pieces[number]):
            segment = pieces[number][at]
            if segment.kind is SegmentKind.LITERAL:
                literals[segment.literal] = None
            else:
                classes[segment.kind] = None
    if not literals and not classes:
        # Nothing is waited for: every longer path leads to the same dead end.
        yield _REPRESENTATIVES[0]
        return
    seen: set[tuple[bool, ...]] = set()
    told_apart = [Segment(kind) for kind in classes if kind is not SegmentKind.REST]
    for representative in _REPRESENTATIVES:
        combination = tuple(segment_matches(segment, representative) for segment in told_apart)
        if combination not in seen:
            seen.add(combination)
            yield _unmentioned(representative, literals)
    yield from literals


def _unmentioned(representative: str, literals: dict[str, None]) -> str:
    """Return a segment of the same classes that is none of the literals."""
    segment, number = representative, 0
    while segment in literals:
        number += 1
        # Digits at the end keep a number a number, a word a word and a UUID a UUID.
        segment = f"{representative[:-12]}{number:012}" if len(representative) == 36 else f"{representative}{number}"
    return segment
