"""Sets of requests as decision diagrams: for where boxes would be too many.

A diagram asks for the path first, then for the caller, then for the method; each answer is a class of values (a bit
mask) with the diagram of what remains. What a request bears is asked last, literal by literal. Equal parts are one node
(hash-consed), and classes with equal remains are one class, so that equal sets have the same number: whether two sets
are equal, or one is empty, is seen without a search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from meshc_lang.record import dataclass

EMPTY = 0
"""The node of no requests."""
FULL = 1
"""The node of any literals: where all literals are asked for that matter."""

MOST_NODES = 500_000
"""The most nodes of all diagrams of one space."""

Box: TypeAlias = tuple[int, int, int, int, int]
"""Callers, methods, paths (masks, none is zero), literals that hold, literals that do not."""

_PATHS, _CALLERS, _METHODS, _LITERALS = range(4)
_Edges: TypeAlias = tuple[tuple[int, int], ...]
"""Classes of values, as masks, each with the node of what remains."""
_Rest: TypeAlias = tuple[int, ...]


class TooManyNodesError(Exception):
    """The diagrams of a space would have more nodes than it may have."""


@dataclass(frozen=True, slots=True)
class Diagram:
    """A set as the node of a diagram; equal sets of one space have the same."""

    root: int


class Diagrams:
    """The diagrams of one space. `order` gives for each literal (a bit's number) its place in the order of asking."""

    def __init__(self, order: dict[int, int]) -> None:
        self._place = order
        self._bits = {place: 1 << number for number, place in order.items()}
        # Of a node of masks the edges; of a node of literals its place, and what remains by no and by yes.
        self._edges: list[_Edges] = [(), ()]
        self._asked: list[tuple[int, int, int]] = [(-1, EMPTY, EMPTY), (-1, FULL, FULL)]
        self._nodes: dict[tuple[int, _Edges] | tuple[int, int, int], int] = {}
        self._united: dict[tuple[int, int], int] = {}
        self._shared: dict[tuple[int, int], int] = {}
        self._left: dict[tuple[int, int], int] = {}
        self._cubes: dict[tuple[int, int], int] = {}
        self._rests: dict[tuple[int, frozenset[_Rest]], int] = {}

    # ---- nodes

    def _of_masks(self, level: int, masks: dict[int, int]) -> int:
        """Return the node of classes of values, given by what remains; one that holds nothing is EMPTY."""
        masks.pop(EMPTY, None)
        if not masks:
            return EMPTY
        edges = tuple(sorted([(mask, remains) for remains, mask in masks.items()]))
        key = (level, edges)
        node = self._nodes.get(key)
        if node is None:
            node = self._new(key)
            self._edges.append(edges)
            self._asked.append((-1, EMPTY, EMPTY))
        return node

    def _of_literal(self, place: int, without: int, having: int) -> int:
        if without == having:
            return without
        key = (place, without, having)
        node = self._nodes.get(key)
        if node is None:
            node = self._new(key)
            self._edges.append(())
            self._asked.append(key)
        return node

    def _new(self, key: tuple[int, _Edges] | tuple[int, int, int]) -> int:
        node = len(self._asked)
        if node > MOST_NODES:
            raise TooManyNodesError
        self._nodes[key] = node
        return node

    # ---- literals

    def cube(self, pos: int, neg: int) -> int:
        """Return the literals where some hold and some do not."""
        key = (pos, neg)
        if key not in self._cubes:
            asked = [(self._place[number], True) for number in each_bit(pos)]
            asked += [(self._place[number], False) for number in each_bit(neg)]
            node = FULL
            for place, holds in sorted(asked, reverse=True):
                node = self._of_literal(place, EMPTY, node) if holds else self._of_literal(place, node, EMPTY)
            self._cubes[key] = node
        return self._cubes[key]

    def any_of(self, nodes: Iterable[int]) -> int:
        """Return the union of sets of literals, put together in pairs so that none grows early."""
        waiting = list(dict.fromkeys(nodes))
        while len(waiting) > 1:
            waiting = [
                self._united_literals(waiting[at], waiting[at + 1]) if at + 1 < len(waiting) else waiting[at]
                for at in range(0, len(waiting), 2)
            ]
        return waiting[0] if waiting else EMPTY

    def both_literals(self, left: int, right: int) -> int:
        """Return what two sets of literals share."""
        return self._walk(self._shared, _shared_end, left, right, symmetric=True)

    def _united_literals(self, left: int, right: int) -> int:
        return self._walk(self._united, _united_end, left, right, symmetric=True)

    def literals_left(self, left: int, right: int) -> int:
        """Return what the first set of literals has alone."""
        return self._walk(self._left, _left_end, left, right, symmetric=False)

    def _walk(
        self,
        known: dict[tuple[int, int], int],
        end: Callable[[int, int], int | None],
        left: int,
        right: int,
        *,
        symmetric: bool,
    ) -> int:
        """Put two sets of literals together, literal by literal; with a stack of its own, for there may be many."""
        first = end(left, right)
        if first is not None:
            return first
        asked = self._asked
        top = (right, left) if symmetric and left > right else (left, right)
        stack = [top]
        while stack:
            pair = stack[-1]
            if pair in known:
                stack.pop()
                continue
            a, b = pair
            place_a, a_without, a_having = asked[a]
            place_b, b_without, b_having = asked[b]
            if place_b < 0 or 0 <= place_a < place_b:
                place, b_without, b_having = place_a, b, b
            elif place_a < 0 or place_b < place_a:
                place, a_without, a_having = place_b, a, a
            else:
                place = place_a
            parts: list[int] = []
            for below, other in ((a_without, b_without), (a_having, b_having)):
                done = end(below, other)
                if done is None:
                    key = (other, below) if symmetric and below > other else (below, other)
                    done = known.get(key)
                    if done is None:
                        stack.append(key)
                        continue
                parts.append(done)
            if len(parts) == 2:
                known[pair] = self._of_literal(place, parts[0], parts[1])
                stack.pop()
        return known[top]

    # ---- sets

    def of_boxes(self, boxes: Iterable[Box], consistent: int = FULL) -> int:
        """Return the union of boxes, as far as their literals are consistent."""
        rests = frozenset((paths, callers, methods, pos, neg) for callers, methods, paths, pos, neg in boxes)
        return self._of_rests(_PATHS, rests, consistent)

    def _of_rests(self, level: int, rests: frozenset[_Rest], consistent: int) -> int:
        if not rests:
            return EMPTY
        key = (level, rests)
        node = self._rests.get(key)
        if node is None:
            if level == _LITERALS:
                node = self.both_literals(self.any_of(self.cube(pos, neg) for pos, neg in rests), consistent)
            else:
                masks: dict[int, int] = {}
                for mask, inside in _classes(rests):
                    remains = self._of_rests(level + 1, inside, consistent)
                    masks[remains] = masks.get(remains, 0) | mask
                node = self._of_masks(level, masks)
            self._rests[key] = node
        return node

    def union(self, left: int, right: int, level: int = _PATHS) -> int:
        """Return what is in either set."""
        if level == _LITERALS:
            return self._united_literals(left, right)
        if left in (EMPTY, right) or right == EMPTY:
            return left or right
        key = (left, right) if left < right else (right, left)
        node = self._united.get(key)
        if node is None:
            masks: dict[int, int] = {}
            others = self._edges[right]
            alone = [mask for mask, _ in others]
            for mask, remains in self._edges[left]:
                rest = mask
                for at, (other, besides) in enumerate(others):
                    common = rest & other
                    if common:
                        both = self.union(remains, besides, level + 1)
                        masks[both] = masks.get(both, 0) | common
                        alone[at] &= ~common
                        rest ^= common
                        if not rest:
                            break
                if rest:
                    masks[remains] = masks.get(remains, 0) | rest
            for mask, (_, besides) in zip(alone, others, strict=True):
                if mask:
                    masks[besides] = masks.get(besides, 0) | mask
            node = self._united[key] = self._of_masks(level, masks)
        return node

    def intersection(self, left: int, right: int, level: int = _PATHS) -> int:
        """Return what is in both sets."""
        if level == _LITERALS:
            return self.both_literals(left, right)
        if EMPTY in (left, right) or left == right:
            return EMPTY if left != right else left
        key = (left, right) if left < right else (right, left)
        node = self._shared.get(key)
        if node is None:
            masks: dict[int, int] = {}
            others = self._edges[right]
            for mask, remains in self._edges[left]:
                rest = mask
                for other, besides in others:
                    common = rest & other
                    if common:
                        both = self.intersection(remains, besides, level + 1)
                        masks[both] = masks.get(both, 0) | common
                        rest ^= common
                        if not rest:
                            break
            node = self._shared[key] = self._of_masks(level, masks)
        return node

    def difference(self, left: int, right: int, level: int = _PATHS) -> int:
        """Return what is in the first set only."""
        if level == _LITERALS:
            return self.literals_left(left, right)
        if left == right or EMPTY in (left, right):
            return EMPTY if left == right else left
        key = (left, right)
        node = self._left.get(key)
        if node is None:
            masks: dict[int, int] = {}
            others = self._edges[right]
            for mask, remains in self._edges[left]:
                rest = mask
                for other, besides in others:
                    common = rest & other
                    if common:
                        less = self.difference(remains, besides, level + 1)
                        masks[less] = masks.get(less, 0) | common
                        rest ^= common
                        if not rest:
                            break
                if rest:
                    masks[remains] = masks.get(remains, 0) | rest
            node = self._left[key] = self._of_masks(level, masks)
        return node

    # ---- what is in a set

    def boxes(self, root: int) -> Iterator[Box]:
        """Yield the boxes of a set one by one: disjoint, in the same order each time. There may be very many."""
        for paths, by_caller in self._edges[root]:
            for callers, by_method in self._edges[by_caller]:
                for methods, literals in self._edges[by_method]:
                    for pos, neg in self._alternatives(literals):
                        yield (callers, methods, paths, pos, neg)

    def _alternatives(self, node: int) -> Iterator[tuple[int, int]]:
        """Yield the conjunctions of a set of literals, those with fewest that hold first."""
        stack = [(node, 0, 0)]
        while stack:
            node, pos, neg = stack.pop()
            if node == FULL:
                yield pos, neg
            elif node != EMPTY:
                place, without, having = self._asked[node]
                bit = self._bits[place]
                stack.append((having, pos | bit, neg))
                stack.append((without, pos, neg | bit))

    def holds(self, root: int, caller: int, method: int, path: int, yes: int) -> bool:
        """Tell whether a request is in a set: its caller, method and path as bits, and the literals that hold of it."""
        node = root
        for bit in (path, caller, method):
            node = next((remains for mask, remains in self._edges[node] if mask & bit), EMPTY)
        while node > FULL:
            place, without, having = self._asked[node]
            node = having if yes & self._bits[place] else without
        return node == FULL

    def callers(self, root: int) -> int:
        """Return the callers of whom some request is in a set."""
        mask = 0
        for _, by_caller in self._edges[root]:
            for callers, _ in self._edges[by_caller]:
                mask |= callers
        return mask

    @property
    def size(self) -> int:
        """How many nodes all diagrams of the space have."""
        return len(self._asked)


def _classes(rests: frozenset[_Rest]) -> Iterator[tuple[int, frozenset[_Rest]]]:
    """Yield classes of the values of the first part: two are in one class when they are in the same of the sets."""
    by_mask: dict[int, list[_Rest]] = {}
    for mask, *remains in rests:
        by_mask.setdefault(mask, []).append(tuple(remains))
    groups = list(by_mask.values())
    everything = 0
    for mask in by_mask:
        everything |= mask
    # Of each value, which masks it is in. A mask of most values is told by those that are not in it.
    inside: dict[int, int] = dict.fromkeys(each_bit(everything), 0)
    wide = 0
    for number, mask in enumerate(by_mask):
        bit = 1 << number
        if mask.bit_count() * 2 > len(inside):
            wide |= bit
            mask = everything & ~mask
        for value in each_bit(mask):
            inside[value] ^= bit
    masks: dict[int, int] = {}
    for value, signature in inside.items():
        masks[signature] = masks.get(signature, 0) | 1 << value
    for signature, mask in masks.items():
        yield mask, frozenset(rest for number in each_bit(signature ^ wide) for rest in groups[number])


def each_bit(mask: int) -> list[int]:
    """Return the numbers of the bits of a mask that are set."""
    numbers = []
    if mask < 1 << 64:
        while mask:
            bit = mask & -mask
            numbers.append(bit.bit_length() - 1)
            mask ^= bit
        return numbers
    # Long masks are searched as texts: to cut a bit off one takes a copy each time.
    digits = f"{mask:b}"[::-1]
    at = digits.find("1")
    while at >= 0:
        numbers.append(at)
        at = digits.find("1", at + 1)
    return numbers


def _united_end(left: int, right: int) -> int | None:
    if FULL in (left, right):
        return FULL
    return left or right if left == right or EMPTY in (left, right) else None


def _shared_end(left: int, right: int) -> int | None:
    if EMPTY in (left, right):
        return EMPTY
    if left == right or right == FULL:
        return left
    return right if left == FULL else None


def _left_end(left: int, right: int) -> int | None:
    if left in (right, EMPTY) or right == FULL:
        return EMPTY
    return left if right == EMPTY else None
