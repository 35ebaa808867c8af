"""Minimal covers: the rules that make another superfluous, and none of them for nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import TypeVar

from meshc_compiler.ir.policy import Rule
from meshc_compiler.space.callee_space import CalleeSpace, Region
from meshc_compiler.space.request_space import Nothing, Undecided

T = TypeVar("T")
R = TypeVar("R")


def minimal_cover(
    wanted: R, candidates: Sequence[T], region_of: Callable[[T], R], left_over: Callable[[R, R], R], empty: R
) -> tuple[T, ...]:
    """Return those of the candidates that are needed to take all that is wanted: none of them can be left out.

    All together must take all of it. `left_over(a, b)` is what is in `a` and not in `b`; where it has no request, it
    must equal `empty`.
    """
    for one in candidates:
        if left_over(wanted, region_of(one)) == empty:
            return (one,)
    chosen: list[T] = []
    rest = wanted
    for one in candidates:
        further = left_over(rest, region_of(one))
        if further != rest:
            chosen.append(one)
            rest = further
        if rest == empty:
            break
    # The first were chosen before the later ones were known, which may take what they take and more.
    for one in tuple(chosen):
        others = [other for other in chosen if other is not one]
        if reduce(left_over, map(region_of, others), wanted) == empty:
            chosen = others
    return tuple(chosen)


def covering(
    space: CalleeSpace,
    wanted: Region,
    candidates: Sequence[Rule],
    besides: Region = (),
    doubt: Callable[[], None] | None = None,
) -> tuple[Rule, ...] | None:
    """Return the rules that are needed to take all that is wanted; None where it is not proved that they do.

    What is `besides` in a set is not wanted after all. `doubt` is called where it could not be decided.
    """

    def left_over(whole: Region, taken: Region) -> Region:
        rest = space.left_over(whole, taken)
        # What is left may be boxes that no request is in: that is nothing, too.
        return () if rest is not None and isinstance(space.example(rest), Nothing) else rest

    answer = space.escape(wanted, space.any_of((space.union(candidates), besides)))
    if not isinstance(answer, Nothing):
        if doubt is not None and isinstance(answer, Undecided):
            doubt()
        return None
    if besides != ():
        wanted = space.left_over(wanted, besides)
    return minimal_cover(wanted, candidates, space.rule_boxes, left_over, ())
