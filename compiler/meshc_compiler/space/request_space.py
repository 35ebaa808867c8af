"""Sets of requests as boxes: callers, methods, paths as bit masks, and what is known of what they bear as literals.

Everything that a program can say of requests is a union of atoms in each dimension, so that emptiness and inclusion are
decided exactly, and each set that is not empty has a request to show for it. Regular expressions are not split into
atoms. Each is a variable of its own, true or false of a path or of some value. That keeps "empty" and "covered" sound
(what is empty for all values of the variables is empty); whether a box has any request at all is decided by automata,
and left open only beyond their bound.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from typing import TypeAlias

from meshc_compiler.automaton import MOST_GIVEN_UP, NoText
from meshc_compiler.ir.match import (
    AllOf,
    AnyOf,
    CallerIn,
    Condition,
    Not,
    PathRegex,
    PathTemplate,
    RequestMatch,
    Segment,
    SegmentKind,
)
from meshc_compiler.path import canonical_path
from meshc_compiler.regex import compiled, cover, full_match, samples
from meshc_compiler.space.caller_classes import CallerClasses, identities_asked
from meshc_compiler.space.literals import Literals
from meshc_compiler.space.path_atoms import PathAtoms, split_paths
from meshc_compiler.space.path_language import find_path
from meshc_lang.record import dataclass

Box: TypeAlias = tuple[int, int, int, int, int]
"""Callers, methods, paths (masks, none is zero), literals that hold, literals that do not (both closed)."""

_Cube: TypeAlias = tuple[int, int, int]
"""One alternative of a condition: callers, literals that hold, literals that do not."""

MOST_CUBES = 256
"""The most alternatives into which a condition may unfold."""

MOST_BOXES = 4096
"""The most boxes of a difference."""

_METHODS = ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
_OTHER_METHODS = ("PURGE", "REPORT", "SEARCH", "LINK")
_SAMPLES = 24
_ATOM_SAMPLES = 64
_MOST_CANDIDATES = 256
_MOST_ATOMS = 64
_MOST_TEMPLATES = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A request out of a set. `caller` is the number of a caller's bit; `query` is written as behind the `?`."""

    caller: int
    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    claims: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Nothing:
    """The set is empty: proved."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """Neither a proof nor a witness was found."""


Answer: TypeAlias = Witness | Nothing | Undecided
"""Whether a set holds any request."""


class RequestSpace:
    """The atoms of some matches. Only these matches can be made into boxes of the space.

    `callers` must name every identity that a condition `from` of the matches names.
    """

    def __init__(self, atoms: PathAtoms, matches: tuple[RequestMatch, ...], callers: CallerClasses) -> None:
        self._atoms = atoms
        self._callers = callers
        mentioned = {method for match in matches for method in match.methods}
        others = next(name for name in _OTHER_METHODS if name not in mentioned)
        self._methods = (*_METHODS, *sorted(mentioned.difference(_METHODS)), others)
        self._method_bits = {method: 1 << number for number, method in enumerate(self._methods)}
        self._all_methods = (1 << len(self._methods)) - 1
        self._literals = Literals(matches)
        self._matched: dict[tuple[str, str], bool] = {}
        self._given_up = 0
        self._paths: dict[tuple[int, int, int], str | NoText] = {}
        self._cubes: dict[RequestMatch, tuple[_Cube, ...] | None] = {}

    # ---- sets

    def boxes(self, wanted: RequestMatch, callers: int | None = None) -> tuple[Box, ...] | None:
        """Return a match by these callers (by default all with an identity) as boxes; None if they are too many."""
        cubes = self._cubes_of(wanted)
        if cubes is None:
            return None
        methods = self._all_methods
        if wanted.methods:
            methods = 0
            for method in wanted.methods:
                methods |= self._method_bits[method]
        paths = self._atoms.everything
        match wanted.path:
            case PathTemplate() as template:
                paths = self._atoms.masks[template]
            case PathRegex(pattern):
                paths = 0
                for template in covering_templates(pattern):
                    paths |= self._atoms.masks[template]
            case _:
                pass
        if not paths:
            return ()
        if callers is None:
            callers = self._callers.verified
        return tuple((callers & who, methods, paths, pos, neg) for who, pos, neg in cubes if callers & who)

    def _cubes_of(self, match: RequestMatch) -> tuple[_Cube, ...] | None:
        if match not in self._cubes:
            start = (self._callers.everybody, 0, 0)
            if isinstance(match.path, PathRegex):
                start = (self._callers.everybody, self._literals.path_patterns[match.path.pattern], 0)
            cubes: list[_Cube] | None = [start]
            if match.condition is not None:
                cubes = self._conjoin([start], self._unfold(match.condition, True))
            self._cubes[match] = None if cubes is None else tuple(dict.fromkeys(cubes))
        return self._cubes[match]

    def _unfold(self, condition: Condition, wanted: bool) -> list[_Cube] | None:
        """Return the alternatives (conjunctions of literals) under which the condition is as wanted."""
        everybody = self._callers.everybody
        match condition:
            case CallerIn():
                callers = self._callers.mask(condition.callers)
                return [(callers if wanted else everybody & ~callers, 0, 0)]
            case Not():
                return self._unfold(condition.operand, not wanted)
            case AllOf() | AnyOf():
                parts = [self._unfold(operand, wanted) for operand in condition.operands]
                conjunction = isinstance(condition, AllOf) is wanted
                cubes: list[_Cube] | None = [(everybody, 0, 0)] if conjunction else []
                for part in parts:
                    if part is None or cubes is None or len(cubes) + len(part) > MOST_CUBES:
                        return None
                    cubes = self._conjoin(cubes, part) if conjunction else [*cubes, *part]
                return cubes
            case _:
                return [(everybody, pos, neg) for pos, neg in self._literals.alternatives(condition, wanted)]

    def _conjoin(self, left: list[_Cube], right: list[_Cube] | None) -> list[_Cube] | None:
        if right is None or len(left) * len(right) > MOST_CUBES:
            return None
        both = ((a[0] & b[0], a[1] | b[1], a[2] | b[2]) for a in left for b in right)
        return [(who, pos, neg) for who, pos, neg in dict.fromkeys(both) if who and not pos & neg]

    def intersection(self, left: Iterable[Box], right: tuple[Box, ...]) -> tuple[Box, ...]:
        """Return what is in both."""
        return tuple(box for a in left for b in right if (box := intersect(a, b)) is not None)

    def difference(self, left: tuple[Box, ...], right: Iterable[Box]) -> tuple[Box, ...] | None:
        """Return what is in the first set only, as disjoint pieces; None where there would be too many."""
        rest = list(left)
        for other in right:
            pieces: list[Box] = []
            for box in rest:
                self._subtract(box, other, pieces)
            rest = pieces
            if not rest:
                return ()
            if len(rest) > MOST_BOXES:
                return None
        return tuple(rest)

    def _subtract(self, box: Box, other: Box, out: list[Box]) -> None:
        if intersect(box, other) is None:
            out.append(box)
            return
        callers, methods, paths, pos, neg = box
        if rest := callers & ~other[0]:
            out.append((rest, methods, paths, pos, neg))
        callers &= other[0]
        if rest := methods & ~other[1]:
            out.append((callers, rest, paths, pos, neg))
        methods &= other[1]
        if rest := paths & ~other[2]:
            out.append((callers, methods, rest, pos, neg))
        paths &= other[2]
        if other[3] & ~pos:
            down, up = self._literals.down, self._literals.up
            for literal in _each_bit(other[3] & ~pos):
                without = neg | down[literal]
                if not pos & without:
                    out.append((callers, methods, paths, pos, without))
                pos |= up[literal]
        if other[4] & ~neg:
            down, up = self._literals.down, self._literals.up
            for literal in _each_bit(other[4] & ~neg):
                having = pos | up[literal]
                if not having & neg:
                    out.append((callers, methods, paths, having, neg))
                neg |= down[literal]

    # ---- answers

    def example(self, boxes: tuple[Box, ...] | None) -> Answer:
        """Return a request out of the set, or that there is none, or that it could not be decided."""
        if boxes is None:
            return Undecided()
        undecided = False
        for box in boxes:
            found = self._request_in(box)
            if isinstance(found, Witness):
                return found
            undecided |= found is NoText.UNKNOWN
        return Undecided() if undecided else Nothing()

    def _request_in(self, box: Box) -> Witness | NoText:
        shown = self._literals.shown(box[3], box[4])
        if shown is NoText.NONE:
            return shown
        path = self._path(box)
        if isinstance(path, NoText) or isinstance(shown, NoText):
            return NoText.NONE if path is NoText.NONE else NoText.UNKNOWN
        return Witness(
            caller=(box[0] & -box[0]).bit_length() - 1,
            method=self._methods[(box[1] & -box[1]).bit_length() - 1],
            path=path,
            query=shown.query,
            headers=shown.headers,
            claims=shown.claims,
        )

    def _path(self, box: Box) -> str | NoText:
        paths, pos, neg = box[2:]
        patterns = self._literals.path_patterns
        asked = [(pattern, bool(pos & bit)) for pattern, bit in patterns.items() if (pos | neg) & bit]
        if not asked:
            return self._atoms.witnesses[(paths & -paths).bit_length() - 1]
        of_paths = sum(patterns.values())
        key = (paths, pos & of_paths, neg & of_paths)
        if key not in self._paths:
            path = self._sampled_path(paths, asked) or self._sought_path(paths, asked)
            self._given_up += path is NoText.UNKNOWN
            self._paths[key] = path
        return self._paths[key]

    def _sampled_path(self, paths: int, asked: list[tuple[str, bool]]) -> str | None:
        """Return a path that some expressions match and others do not, if one is at hand: the plainest are."""
        # Samples of those that must match first; those of the others are as good as any where nothing must.
        candidates = [text for pattern, wanted in asked if wanted for text in _samples(pattern)]
        atoms = islice(_each_bit(paths), _ATOM_SAMPLES)
        candidates += [self._atoms.witnesses[bit.bit_length() - 1] for bit in atoms]
        for pattern in self._literals.path_patterns:
            candidates += _samples(pattern)
        for candidate in islice(dict.fromkeys(candidates), _MOST_CANDIDATES):
            if all(self._matches(pattern, candidate) is wanted for pattern, wanted in asked) and (
                paths >> self._atoms.atom_of(candidate) & 1
            ):
                return candidate
        return None

    def _sought_path(self, paths: int, asked: list[tuple[str, bool]]) -> str | NoText:
        """Return such a path out of the atoms, sought by automata; or that there is none."""
        matched = [pattern for pattern, wanted in asked if wanted]
        unmatched = [pattern for pattern, wanted in asked if not wanted]
        if self._given_up >= MOST_GIVEN_UP:
            return NoText.UNKNOWN
        if paths == self._atoms.everything:
            return find_path((), (), matched, unmatched)
        # Without regard to the atoms first: most sets that are empty are so for their expressions alone.
        if find_path((), (), matched, unmatched) is NoText.NONE:
            return NoText.NONE
        if paths.bit_count() > _MOST_ATOMS or len(self._atoms.templates) > _MOST_TEMPLATES:
            return NoText.UNKNOWN
        unknown = False
        for bit in _each_bit(paths):
            inside = [template for template, mask in self._atoms.masks.items() if mask & bit]
            outside = [template for template, mask in self._atoms.masks.items() if not mask & bit]
            path = find_path(inside, outside, matched, unmatched)
            if isinstance(path, str):
                return path
            unknown |= path is NoText.UNKNOWN
        return NoText.UNKNOWN if unknown else NoText.NONE

    def _matches(self, pattern: str, path: str) -> bool:
        key = (pattern, path)
        if key not in self._matched:
            self._matched[key] = full_match(pattern, path)
        return self._matched[key]


def intersect(left: Box, right: Box) -> Box | None:
    """Return what is in both boxes; None if that is nothing."""
    callers, methods, paths = left[0] & right[0], left[1] & right[1], left[2] & right[2]
    pos, neg = left[3] | right[3], left[4] | right[4]
    if not (callers and methods and paths) or pos & neg:
        return None
    return (callers, methods, paths, pos, neg)


def build_space(matches: Iterable[RequestMatch], callers: CallerClasses | None = None) -> RequestSpace | None:
    """Return the space of some matches; None where their paths have too many atoms.

    Without `callers` there are those that conditions name, and all others with an identity.
    """
    distinct = tuple(dict.fromkeys(matches))
    templates: list[PathTemplate] = []
    for match in distinct:
        if isinstance(match.path, PathTemplate):
            templates.append(match.path)
        elif isinstance(match.path, PathRegex):
            templates += covering_templates(match.path.pattern)
    atoms = split_paths(templates)
    return (
        None if atoms is None else RequestSpace(atoms, distinct, callers or CallerClasses(identities_asked(distinct)))
    )


@lru_cache(maxsize=4096)
def covering_templates(pattern: str) -> tuple[PathTemplate, ...]:
    """Return templates that together match every path which the expression matches."""
    rest = Segment(SegmentKind.REST)
    return tuple(
        PathTemplate((*(Segment(SegmentKind.LITERAL, text) for text in beginning), rest))
        for beginning in cover(compiled(pattern))
    )


@lru_cache(maxsize=4096)
def _samples(pattern: str) -> tuple[str, ...]:
    """Return a few canonical paths that the expression matches."""
    return tuple(text for text in samples(compiled(pattern), _SAMPLES) if canonical_path(text) == text)


def _each_bit(mask: int) -> Iterable[int]:
    while mask:
        bit = mask & -mask
        yield bit
        mask ^= bit
