"""Sets of requests as boxes: callers, methods, paths as bit masks, and what is known of headers as literals.

Everything that a program can say of requests is a union of atoms in each dimension, so that emptiness and inclusion are
decided exactly, and each set that is not empty has a request to show for it. One thing is not split into atoms: regular
expressions. Each is a variable of its own, true or false of a path. That keeps "empty" and "covered" sound (what is
empty for all values of the variables is empty), and "not empty" is believed only with a witness that was checked. The
literal beginning of an expression bounds its paths, so that most expressions are told apart all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import count, islice
from typing import TypeAlias

from meshc_compiler.ir.match import (
    AllOf,
    AnyOf,
    Condition,
    HeaderOneOf,
    HeaderPresent,
    Not,
    PathRegex,
    PathTemplate,
    RequestMatch,
    Segment,
    SegmentKind,
)
from meshc_compiler.path import canonical_path
from meshc_compiler.regex import compiled, cover, full_match, samples
from meshc_compiler.space.path_atoms import PathAtoms, split_paths
from meshc_lang.record import dataclass

Box: TypeAlias = tuple[int, int, int, int, int]
"""Callers, methods, paths (masks, none is zero), variables that hold, variables that do not (both closed)."""

MOST_CUBES = 256
"""The most alternatives into which a condition may unfold."""

MOST_BOXES = 4096
"""The most boxes of a difference."""

_METHODS = ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
_OTHER_METHODS = ("PURGE", "REPORT", "SEARCH", "LINK")
_SAMPLES = 24
_ATOM_SAMPLES = 64
_MOST_CANDIDATES = 256


@dataclass(frozen=True, slots=True)
class Variable:
    """One yes-or-no question about a request: is a header there (value None), has it a member, does a path match."""

    kind: str
    name: str
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A request out of a set. `caller` is the number of a caller's bit."""

    caller: int
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Nothing:
    """The set is empty: proved."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """Neither a proof nor a witness was found."""


Answer: TypeAlias = Witness | Nothing | Undecided
"""Whether a set holds any request."""


class RequestSpace:
    """The atoms of some matches. Only these matches can be made into boxes of the space."""

    def __init__(self, atoms: PathAtoms, matches: tuple[RequestMatch, ...]) -> None:
        self._atoms = atoms
        mentioned = {method for match in matches for method in match.methods}
        others = next(name for name in _OTHER_METHODS if name not in mentioned)
        self._methods = (*_METHODS, *sorted(mentioned.difference(_METHODS)), others)
        self._method_bits = {method: 1 << number for number, method in enumerate(self._methods)}
        self._all_methods = (1 << len(self._methods)) - 1
        self._variables: list[Variable] = []
        self._bits: dict[Variable, int] = {}
        self._members: dict[int, int] = {}
        for match in matches:
            self._declare(match)
        self._matched: dict[tuple[str, str], bool] = {}
        self._cubes: dict[RequestMatch, tuple[tuple[int, int], ...] | None] = {}

    def _declare(self, match: RequestMatch) -> None:
        if isinstance(match.path, PathRegex):
            self._bit(Variable("regex", match.path.pattern))
        todo = [match.condition] if match.condition is not None else []
        while todo:
            condition = todo.pop()
            match condition:
                case HeaderPresent():
                    self._bit(Variable("header", condition.name))
                case HeaderOneOf():
                    present = self._bit(Variable("header", condition.name))
                    for value in condition.values:
                        member = self._bit(Variable("header", condition.name, value))
                        self._members[present] = self._members.get(present, 0) | member
                case AllOf() | AnyOf():
                    todo.extend(condition.operands)
                case Not():
                    todo.append(condition.operand)
                case _:
                    raise NotImplementedError(type(condition).__name__)

    def _bit(self, variable: Variable) -> int:
        bit = self._bits.get(variable)
        if bit is None:
            bit = self._bits[variable] = 1 << len(self._variables)
            self._variables.append(variable)
        return bit

    # ---- sets

    def boxes(self, wanted: RequestMatch, callers: int = 1) -> tuple[Box, ...] | None:
        """Return a match by these callers as boxes; None where its condition unfolds into too many."""
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
        return tuple((callers, methods, paths, pos, neg) for pos, neg in cubes) if callers and paths else ()

    def _cubes_of(self, match: RequestMatch) -> tuple[tuple[int, int], ...] | None:
        if match not in self._cubes:
            start = (0, 0)
            if isinstance(match.path, PathRegex):
                start = (self._bits[Variable("regex", match.path.pattern)], 0)
            cubes: list[tuple[int, int]] | None = [start]
            if match.condition is not None:
                cubes = self._conjoin([start], self._unfold(match.condition, True))
            self._cubes[match] = None if cubes is None else tuple(dict.fromkeys(cubes))
        return self._cubes[match]

    def _unfold(self, condition: Condition, wanted: bool) -> list[tuple[int, int]] | None:
        """Return the alternatives (conjunctions of literals) under which the condition is as wanted."""
        match condition:
            case HeaderPresent():
                present = self._bits[Variable("header", condition.name)]
                return [(present, 0)] if wanted else [(0, present | self._members.get(present, 0))]
            case HeaderOneOf():
                present = self._bits[Variable("header", condition.name)]
                members = [self._bits[Variable("header", condition.name, value)] for value in condition.values]
                return [(present | member, 0) for member in members] if wanted else [(0, sum(set(members)))]
            case Not():
                return self._unfold(condition.operand, not wanted)
            case AllOf() | AnyOf():
                parts = [self._unfold(operand, wanted) for operand in condition.operands]
                conjunction = isinstance(condition, AllOf) is wanted
                cubes: list[tuple[int, int]] | None = [(0, 0)] if conjunction else []
                for part in parts:
                    if part is None or cubes is None or len(cubes) + len(part) > MOST_CUBES:
                        return None
                    cubes = self._conjoin(cubes, part) if conjunction else [*cubes, *part]
                return cubes
            case _:
                raise NotImplementedError(type(condition).__name__)

    def _conjoin(
        self, left: list[tuple[int, int]], right: list[tuple[int, int]] | None
    ) -> list[tuple[int, int]] | None:
        if right is None or len(left) * len(right) > MOST_CUBES:
            return None
        both = ((a[0] | b[0], a[1] | b[1]) for a in left for b in right)
        return [(pos, neg) for pos, neg in dict.fromkeys(both) if not pos & neg]

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
        for literal in _each_bit(other[3] & ~pos):
            without = neg | literal | self._members.get(literal, 0)
            if not pos & without:
                out.append((callers, methods, paths, pos, without))
            pos |= literal
            for present, members in self._members.items():
                if members & literal:
                    pos |= present
        for literal in _each_bit(other[4] & ~neg):
            having = pos | literal
            for present, members in self._members.items():
                if members & literal:
                    having |= present
            if not having & neg:
                out.append((callers, methods, paths, having, neg))
            neg |= literal | self._members.get(literal, 0)

    # ---- answers

    def example(self, boxes: tuple[Box, ...] | None) -> Answer:
        """Return a request out of the set, or that there is none, or that it could not be decided."""
        if boxes is None:
            return Undecided()
        for box in boxes:
            path = self._path(box)
            if path is not None:
                return Witness(
                    caller=(box[0] & -box[0]).bit_length() - 1,
                    method=self._methods[(box[1] & -box[1]).bit_length() - 1],
                    path=path,
                    headers=self._headers(box),
                )
        return Undecided() if boxes else Nothing()

    def _path(self, box: Box) -> str | None:
        paths, pos, neg = box[2:]
        regexes = [
            (variable.name, bool(pos & bit))
            for variable, bit in self._bits.items()
            if variable.kind == "regex" and (pos | neg) & bit
        ]
        if not regexes:
            return self._atoms.witnesses[(paths & -paths).bit_length() - 1]
        # Samples of those that must match first; those of the others are as good as any where nothing must.
        candidates = [text for pattern, wanted in regexes if wanted for text in _samples(pattern)]
        atoms = islice(_each_bit(paths), _ATOM_SAMPLES)
        candidates += [self._atoms.witnesses[bit.bit_length() - 1] for bit in atoms]
        for variable in self._bits:
            if variable.kind == "regex":
                candidates += _samples(variable.name)
        for candidate in islice(dict.fromkeys(candidates), _MOST_CANDIDATES):
            if all(self._matches(pattern, candidate) is wanted for pattern, wanted in regexes) and (
                paths >> self._atoms.atom_of(candidate) & 1
            ):
                return candidate
        return None

    def _matches(self, pattern: str, path: str) -> bool:
        key = (pattern, path)
        if key not in self._matched:
            self._matched[key] = full_match(pattern, path)
        return self._matched[key]

    def _headers(self, box: Box) -> tuple[tuple[str, str], ...]:
        """Return header lines that answer the box's questions as it does, and no more lines than needed."""
        pos = box[3]
        headers = []
        for variable, bit in sorted(self._bits.items(), key=lambda item: item[0].name):
            if variable.kind != "header" or variable.value is not None or not pos & bit:
                continue
            members = [
                str(member.value)
                for member, member_bit in self._bits.items()
                if member.kind == "header" and member.name == variable.name and member.value and pos & member_bit
            ]
            headers.append((variable.name, ", ".join(sorted(members)) or self._unmentioned_value(variable.name)))
        return tuple(headers)

    def _unmentioned_value(self, name: str) -> str:
        """Return a value of a header that no condition compares it with."""
        mentioned = {member.value for member in self._bits if member.name == name}
        return next(text for text in ("x" * length for length in count(1)) if text not in mentioned)


def intersect(left: Box, right: Box) -> Box | None:
    """Return what is in both boxes; None if that is nothing."""
    callers, methods, paths = left[0] & right[0], left[1] & right[1], left[2] & right[2]
    pos, neg = left[3] | right[3], left[4] | right[4]
    if not (callers and methods and paths) or pos & neg:
        return None
    return (callers, methods, paths, pos, neg)


def build_space(matches: Iterable[RequestMatch]) -> RequestSpace | None:
    """Return the space of some matches; None where their paths have too many atoms."""
    distinct = tuple(dict.fromkeys(matches))
    templates: list[PathTemplate] = []
    for match in distinct:
        if isinstance(match.path, PathTemplate):
            templates.append(match.path)
        elif isinstance(match.path, PathRegex):
            templates += covering_templates(match.path.pattern)
    atoms = split_paths(templates)
    return None if atoms is None else RequestSpace(atoms, distinct)


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
