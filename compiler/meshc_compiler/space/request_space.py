"""Sets of requests as boxes: callers, methods, paths as bit masks, and what is known of what they bear as literals.

Everything that a program can say of requests is a union of atoms in each dimension, so that emptiness and inclusion are
decided exactly, and each set that is not empty has a request to show for it. Regular expressions are not split into
atoms. Each is a variable of its own, true or false of a path or of some value. That keeps "empty" and "covered" sound
(what is empty for all values of the variables is empty); whether a box has any request at all is decided by automata,
and left open only beyond their bound.

Few boxes are a tuple. Many become a decision diagram (`meshc_compiler.space.diagram`), which is another way to write
the same set; whoever works with regions need not know which it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from typing import TypeAlias

from meshc_compiler.automaton import MOST_STATES, NoText
from meshc_compiler.evaluate import View
from meshc_compiler.ir.match import AllOf, AnyOf, CallerIn, Condition, Not, PathRegex, PathTemplate, RequestMatch
from meshc_compiler.space.answer import Answer, Nothing, Undecided, Witness
from meshc_compiler.space.caller_classes import CallerClasses, identities_asked
from meshc_compiler.space.diagram import EMPTY, MOST_NODES, Box, Diagram, Diagrams, TooManyNodesError
from meshc_compiler.space.literals import Literals
from meshc_compiler.space.path_atoms import PathAtoms, split_paths
from meshc_compiler.space.path_search import PathSearch, covering_templates, pattern_text

__all__ = (
    "Answer",
    "Box",
    "Diagram",
    "Nothing",
    "Region",
    "RequestSpace",
    "Undecided",
    "Witness",
    "build_space",
    "intersect",
)

Region: TypeAlias = tuple[Box, ...] | Diagram | None
"""A set of requests; None is one that was too much to tell. Only its space can read it."""

_Cube: TypeAlias = tuple[int, int, int]
"""One alternative of a condition: callers, literals that hold, literals that do not (both closed)."""

MOST_CUBES = 256
"""The most alternatives into which a condition unfolds as boxes; one with more becomes a diagram."""

MOST_BOXES = 256
"""The most boxes of a difference or intersection; beyond, it becomes a diagram."""

_MOST_STEPS = 8192
"""The most pieces that boxes are cut into on the way to a difference."""

_MOST_SHOWN = 2048
"""The most boxes of a diagram in which a request is looked for, one after the other."""

_METHODS = ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
_METHOD_BITS = {method: 1 << number for number, method in enumerate(_METHODS)}
_OTHER_METHODS = ("PURGE", "REPORT", "SEARCH", "LINK")


class RequestSpace:
    """The atoms of some matches. Only these matches can be made into sets of the space.

    `callers` must name every identity that a condition `from` of the matches names.
    """

    def __init__(self, atoms: PathAtoms, matches: tuple[RequestMatch, ...], callers: CallerClasses) -> None:
        self._atoms = atoms
        self._callers = callers
        self._methods, self._method_bits = _methods_of(matches)
        self._all_methods = (1 << len(self._methods)) - 1
        self._literals = Literals(matches)
        self._search = PathSearch(atoms, self._literals.path_patterns)
        self._known: dict[tuple[int, int | None], Region] = {}
        self._kept = [*matches]
        """What sets were made of: it is known by its identity, which must stay its own."""
        self._cubes: dict[int, tuple[_Cube, ...] | None] = {}
        self._diagrams: Diagrams | None = None
        self._consistent = EMPTY
        self._roots: dict[tuple[Box, ...], int] = {}
        self._overflows: dict[str, None] = {}

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why something could not be decided, as half-sentences; empty as long as everything could."""
        found = [*self._overflows, *self._literals.doubts]
        if self._search.doubtful:
            what = pattern_text(self._search.doubtful)
            found.append(
                f"no path was found that fits {what}, and none ruled out within {MOST_STATES:,} states of automata"
            )
        return tuple(found)

    # ---- sets

    def boxes(self, wanted: RequestMatch, callers: int | None = None) -> Region:
        """Return the requests of a match by these callers (by default all that have an identity)."""
        key = (id(wanted), callers)
        if key not in self._known:
            self._kept.append(wanted)
            self._known[key] = self._boxes(wanted, callers)
        return self._known[key]

    def _boxes(self, wanted: RequestMatch, callers: int | None) -> Region:
        methods = self._all_methods
        if wanted.methods:
            methods = 0
            for method in wanted.methods:
                methods |= self._method_bits[method]
        paths = self._atoms.everything
        pos = 0
        match wanted.path:
            case PathTemplate() as template:
                paths = self._atoms.mask(template)
            case PathRegex(pattern):
                paths = 0
                for template in covering_templates(pattern):
                    paths |= self._atoms.mask(template)
                pos = self._literals.path_patterns[pattern]
            case _:
                pass
        if callers is None:
            callers = self._callers.verified
        if not paths or not callers:
            return ()
        if wanted.condition is None:
            return ((callers, methods, paths, pos, 0),)
        cubes = self._cubes_of(wanted.condition)
        if cubes is None:
            condition = wanted.condition
            whole = ((callers, methods, paths, pos, 0),)
            return self._drawn(lambda own: own.intersection(self._root(whole), self._condition(own, condition)))
        return tuple((callers & who, methods, paths, pos | own, neg) for who, own, neg in cubes if callers & who)

    def _cubes_of(self, condition: Condition) -> tuple[_Cube, ...] | None:
        key = id(condition)
        if key not in self._cubes:
            cubes = self._unfold(condition, True)
            self._cubes[key] = None if cubes is None else tuple(dict.fromkeys(cubes))
        return self._cubes[key]

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

    def union(self, regions: Iterable[Region]) -> Region:
        """Return what is in any of some sets."""
        boxes: list[Box] = []
        drawn: list[Diagram] = []
        for region in regions:
            if region is None:
                return None
            if isinstance(region, Diagram):
                drawn.append(region)
            else:
                boxes += region
        if not drawn:
            return tuple(boxes)
        nodes = [self._root(tuple(boxes)), *(one.root for one in drawn)] if boxes else [one.root for one in drawn]
        return self._drawn(lambda own: reduce(own.union, nodes))

    def intersection(self, left: Region, right: Region) -> Region:
        """Return what is in both."""
        if left is None or right is None:
            return None
        if not isinstance(left, Diagram) and not isinstance(right, Diagram) and len(left) * len(right) <= _MOST_STEPS:
            both = tuple([box for a in left for b in right if (box := intersect(a, b)) is not None])
            if len(both) <= MOST_BOXES:
                return both
        return self._drawn(lambda own: own.intersection(self._root(left), self._root(right)))

    def difference(self, left: Region, right: Region) -> Region:
        """Return what is in the first set only."""
        if left is None or right is None:
            return None
        if not isinstance(left, Diagram) and not isinstance(right, Diagram):
            rest = self._boxes_left(left, right)
            if rest is not None:
                return rest
        return self._drawn(lambda own: own.difference(self._root(left), self._root(right)))

    def _boxes_left(self, left: tuple[Box, ...], right: tuple[Box, ...]) -> tuple[Box, ...] | None:
        """Return a difference as disjoint boxes; None where it takes too many."""
        rest = list(left)
        steps = 0
        for other in right:
            pieces: list[Box] = []
            for box in rest:
                self._subtract(box, other, pieces)
            steps += len(rest)
            rest = pieces
            if not rest:
                return ()
            if len(rest) > MOST_BOXES or steps > _MOST_STEPS:
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

    def without_claims(self, region: Region) -> Region:
        """Return the requests of a set that bear no claim that is asked for."""
        neg = self._literals.claims_absent
        if not neg:
            return region
        return self.intersection(
            region, ((self._callers.everybody, self._all_methods, self._atoms.everything, 0, neg),)
        )

    # ---- diagrams

    def drawn(self, region: Region) -> Diagram | None:
        """Return a set as a diagram, whatever it was: equal sets as equal ones, unless expressions are about paths."""
        return None if region is None else self._drawn(lambda _: self._root(region))

    def _drawn(self, draw: Callable[[Diagrams], int]) -> Diagram | None:
        """Return a set as a diagram; None where that grows beyond its bound."""
        try:
            return Diagram(draw(self._own_diagrams()))
        except TooManyNodesError:
            self._overflows[f"its sets of requests take diagrams of more than {MOST_NODES:,} nodes"] = None
            return None

    def _own_diagrams(self) -> Diagrams:
        if self._diagrams is None:
            self._diagrams = Diagrams(self._literals.order)
            self._consistent = self._literals.consistent(self._diagrams)
        return self._diagrams

    def _root(self, region: tuple[Box, ...] | Diagram) -> int:
        if isinstance(region, Diagram):
            return region.root
        if region not in self._roots:
            self._roots[region] = self._own_diagrams().of_boxes(region, self._consistent)
        return self._roots[region]

    def _condition(self, own: Diagrams, condition: Condition) -> int:
        """Return the requests of which a condition holds."""
        everybody, methods, paths = self._callers.everybody, self._all_methods, self._atoms.everything
        match condition:
            case CallerIn():
                callers = self._callers.mask(condition.callers)
                return self._root(((callers, methods, paths, 0, 0),) if callers else ())
            case Not():
                whole = self._root(((everybody, methods, paths, 0, 0),))
                return own.difference(whole, self._condition(own, condition.operand))
            case AllOf() | AnyOf():
                nodes = [self._condition(own, operand) for operand in condition.operands]
                return reduce(own.intersection if isinstance(condition, AllOf) else own.union, nodes)
            case _:
                ways = self._literals.alternatives(condition, True)
                return self._root(tuple((everybody, methods, paths, pos, neg) for pos, neg in ways))

    def contains(self, region: Region, caller: int, method: str, path: str, view: View) -> bool | None:
        """Tell whether one request is in a set: its caller as a bit, its canonical path, and what it bears."""
        if region is None:
            return None
        methods = self._method_bits.get(method, 1 << (len(self._methods) - 1))
        paths = 1 << self._atoms.atom_of(path)
        yes = self._literals.answers(path, view)
        if isinstance(region, Diagram):
            return self._own_diagrams().holds(region.root, caller, methods, paths, yes)
        return any(
            box[0] & caller and box[1] & methods and box[2] & paths and not box[3] & ~yes and not box[4] & yes
            for box in region
        )

    @property
    def paths(self) -> tuple[str, ...]:
        """One path of each class of paths that the space tells apart."""
        return self._atoms.witnesses

    def same(self, left: Region, right: Region) -> bool | None:
        """Tell whether two sets are equal; None where it could not be decided."""
        if left is None or right is None:
            return None
        one, other = self.drawn(left), self.drawn(right)
        if one is not None and one == other:
            return True
        answers = (self.escape(left, right), self.escape(right, left))
        if any(isinstance(answer, Witness) for answer in answers):
            return False
        return True if all(isinstance(answer, Nothing) for answer in answers) else None

    # ---- answers

    def example(self, region: Region) -> Answer:
        """Return a request out of the set, or that there is none, or that it could not be decided."""
        if region is None:
            return Undecided()
        boxes: Iterable[Box] = region if not isinstance(region, Diagram) else self._own_diagrams().boxes(region.root)
        undecided = False
        for number, box in enumerate(boxes):
            found = self._request_in(box)
            if isinstance(found, Witness):
                return found
            undecided |= found is NoText.UNKNOWN
            if number >= _MOST_SHOWN and isinstance(region, Diagram):
                self._overflows[f"a request is looked for in at most {_MOST_SHOWN:,} boxes"] = None
                return Undecided()
        return Undecided() if undecided else Nothing()

    def escape(self, left: Region, right: Region) -> Answer:
        """Return a request that is in the first set only, or that there is none: the second may be many boxes.

        A box of the first is cut by one of the second after the other, but only until something is left that none of
        them meets. Most questions end so, after a few cuts; the others make a diagram.
        """
        if left is None or right is None:
            return Undecided()
        if isinstance(left, Diagram) or isinstance(right, Diagram):
            return self.example(self.difference(left, right))
        steps = 0
        undecided = False
        stack = [(box, 0) for box in reversed(left)]
        while stack:
            box, at = stack.pop()
            steps += 1
            if steps > _MOST_STEPS:
                return self.example(self._drawn(lambda own: own.difference(self._root(left), self._root(right))))
            while at < len(right) and intersect(box, right[at]) is None:
                at += 1
            if at < len(right):
                pieces: list[Box] = []
                self._subtract(box, right[at], pieces)
                stack += [(piece, at + 1) for piece in reversed(pieces)]
                continue
            found = self._request_in(box)
            if isinstance(found, Witness):
                return found
            undecided |= found is NoText.UNKNOWN
        return Undecided() if undecided else Nothing()

    def cells(self, region: Region) -> dict[tuple[int, int], int] | None:
        """Return the callers (a mask) of each kind of path and method in a set; None where it is too much to tell."""
        if region is None:
            return None
        boxes: Iterable[Box] = region if not isinstance(region, Diagram) else self._own_diagrams().boxes(region.root)
        cells: dict[tuple[int, int], int] = {}
        for number, (callers, methods, paths, _, _) in enumerate(boxes):
            if number >= _MOST_SHOWN:
                return None
            for path in _each_bit(paths):
                for method in _each_bit(methods):
                    cells[path, method] = cells.get((path, method), 0) | callers
        return cells

    def callers_in(self, region: Region) -> int | None:
        """Return the callers (as a mask) of whom some request is in a set; None where it could not be decided."""
        if region is None:
            return None
        possible = 0
        if isinstance(region, Diagram):
            possible = self._own_diagrams().callers(region.root)
            if not self._literals.path_patterns and self._literals.is_exact:
                return possible
        else:
            for box in region:
                possible |= box[0]
        certain = 0
        while rest := possible & ~certain:
            found = self.example(self.intersection(region, ((rest, self._all_methods, self._atoms.everything, 0, 0),)))
            if isinstance(found, Nothing):
                break
            if isinstance(found, Undecided):
                return None
            certain |= self._callers_like(region, found)
        return certain

    def _callers_like(self, region: tuple[Box, ...] | Diagram, witness: Witness) -> int:
        """Return the callers of the box of which a request was found: what holds of one holds of all of them."""
        bit = 1 << witness.caller
        if isinstance(region, Diagram):
            return bit
        methods = self._method_bits[witness.method]
        for box in region:
            if box[0] & bit and box[1] & methods and self._request_in((bit, *box[1:])) == witness:
                return box[0]
        return bit

    def _request_in(self, box: Box) -> Witness | NoText:
        callers, methods, paths, pos, neg = box
        shown = self._literals.shown(pos, neg)
        if shown is NoText.NONE:
            return shown
        path = self._search.path(paths, pos, neg)
        if isinstance(path, NoText) or isinstance(shown, NoText):
            return NoText.NONE if path is NoText.NONE else NoText.UNKNOWN
        return Witness(
            caller=(callers & -callers).bit_length() - 1,
            method=self._methods[(methods & -methods).bit_length() - 1],
            path=path,
            query=shown.query,
            headers=shown.headers,
            claims=shown.claims,
        )


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
    distinct = tuple({id(match): match for match in matches}.values())
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


def _methods_of(matches: Iterable[RequestMatch]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the methods that are told apart, the last one for all that are not mentioned; and their bits."""
    mentioned = {method for match in matches for method in match.methods}.difference(_METHODS)
    others = next(name for name in _OTHER_METHODS if name not in mentioned)
    methods = (*_METHODS, *sorted(mentioned), others)
    bits = _METHOD_BITS if not mentioned else {method: 1 << number for number, method in enumerate(methods)}
    return methods, bits


def _each_bit(mask: int) -> Iterable[int]:
    while mask:
        bit = mask & -mask
        yield bit
        mask ^= bit
