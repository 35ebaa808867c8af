"""Sets of whole numbers as sorted ranges: ports of a protocol, addresses of a family."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Intervals: TypeAlias = tuple[tuple[int, int], ...]
"""Ranges with both ends in them, sorted, apart from each other by at least one number: equal sets are equal tuples."""


def intervals(ranges: Iterable[tuple[int, int]]) -> Intervals:
    """Return the union of ranges; one that ends before it begins is empty."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if low > high:
            continue
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def union(left: Intervals, right: Intervals) -> Intervals:
    """Return the numbers in either set."""
    if left == right or not right:
        return left
    return intervals((*left, *right)) if left else right


def intersection(left: Intervals, right: Intervals) -> Intervals:
    """Return the numbers in both sets."""
    if left == right:
        return left
    common: list[tuple[int, int]] = []
    i = j = 0
    while i < len(left) and j < len(right):
        low, high = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if low <= high:
            common.append((low, high))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(common)


def difference(left: Intervals, right: Intervals) -> Intervals:
    """Return the numbers of the first set that are not in the second."""
    rest: list[tuple[int, int]] = []
    j = 0
    for low, high in left:
        while j < len(right) and right[j][1] < low:
            j += 1
        k = j
        while k < len(right) and right[k][0] <= high:
            if low < right[k][0]:
                rest.append((low, right[k][0] - 1))
            low = right[k][1] + 1
            k += 1
        if low <= high:
            rest.append((low, high))
    return tuple(rest)
