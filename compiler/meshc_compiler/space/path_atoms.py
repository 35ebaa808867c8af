"""Paths in finitely many classes: the atoms of a set of templates, by subset construction over segments."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import TypeAlias

from meshc_compiler.ir.match import PathTemplate, Segment, SegmentKind
from meshc_compiler.path import path_segments, segment_matches, template_matches
from meshc_lang.record import dataclass

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

_State: TypeAlias = tuple[tuple[int, int], ...]
"""Where the templates are in their segments, those that are still possible: (template, position), sorted."""


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
    start: _State = tuple((number, 0) for number in range(len(ordered)))
    witness = {start: ""}
    atoms: dict[frozenset[int], int] = {}
    witnesses: list[str] = []
    level = [start]
    while level:
        following: list[_State] = []
        for state in level:
            path = witness[state]
            signature = frozenset(number for number, at in state if _accepts(pieces[number], at))
            if signature not in atoms:
                atoms[signature] = len(witnesses)
                witnesses.append(path or "/")
            for segment, reached in _transitions(state, pieces):
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


def _transitions(state: _State, pieces: list[tuple[Segment, ...]]) -> Iterator[tuple[str, _State]]:
    """Yield one segment for each class of segments that the templates tell apart here, with the state it leads to."""
    always: list[tuple[int, int]] = []
    literals: dict[str, list[tuple[int, int]]] = {}
    classes: dict[SegmentKind, list[tuple[int, int]]] = {}
    for number, at in state:
        if at == len(pieces[number]):
            continue
        segment = pieces[number][at]
        match segment.kind:
            case SegmentKind.REST:
                always.append((number, at))
            case SegmentKind.ANY:
                always.append((number, at + 1))
            case SegmentKind.LITERAL:
                literals.setdefault(segment.literal, []).append((number, at + 1))
            case kind:
                classes.setdefault(kind, []).append((number, at + 1))
    for literal, after in literals.items():
        reached = always + after
        for kind, those in classes.items():
            if segment_matches(Segment(kind), literal):
                reached += those
        yield literal, tuple(sorted(reached))
    combinations: set[tuple[bool, ...]] = set()
    for representative in _REPRESENTATIVES if classes else _REPRESENTATIVES[:1]:
        combination = tuple(segment_matches(Segment(kind), representative) for kind in classes)
        if combination not in combinations:
            combinations.add(combination)
            reached = always.copy()
            for those, inside in zip(classes.values(), combination, strict=True):
                reached += those if inside else ()
            yield _unmentioned(representative, literals), tuple(sorted(reached))


def _unmentioned(representative: str, literals: Container[str]) -> str:
    """Return a segment of the same classes that is none of the literals."""
    segment, number = representative, 0
    while segment in literals:
        number += 1
        # Digits at the end keep a number a number, a word a word and a UUID a UUID.
        segment = f"{representative[:-12]}{number:012}" if len(representative) == 36 else f"{representative}{number}"
    return segment
