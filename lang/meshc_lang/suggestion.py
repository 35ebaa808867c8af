"""Did-you-mean: the names close enough to what was written to be worth offering."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["distance", "suggest"]

_MOST = 3
_LONGEST = 64
"""Longer words are not compared: a typo in a name of that length is rare, and the work is quadratic."""


def suggest(word: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """Return the candidates nearest to `word`, at most three, nearest first; none rather than a bad one.

    A candidate is near when its distance to the word is at most a third of the word's length, and at least 1 is
    allowed; case counts for nothing. Only the candidates at the smallest distance are offered. To words of one or two
    letters everything short is near, so there only a swap, an added or a lost letter counts (`v3` is no `v2`).
    """
    if not word or len(word) > _LONGEST:
        return ()
    folded = word.casefold()
    bound = max(1, len(word) // 3)
    letters = frozenset(folded)
    # Most of many names are out of question by their length: they need not be sorted.
    near = {name for name in candidates if not name.isascii() or abs(len(name) - len(folded)) <= bound}
    best: list[str] = []
    for candidate in sorted(near):
        if candidate == word or not candidate or len(candidate) > _LONGEST:
            continue
        # Each edit brings in one letter at most, so that more missing ones are too far away.
        if len(letters.difference(candidate.casefold())) > bound:
            continue
        apart = distance(folded, candidate.casefold(), bound)
        if apart > bound or (apart and _too_short(folded, candidate.casefold())):
            continue
        if apart < bound:
            bound = apart
            best.clear()
        best.append(candidate)
    return tuple(best[:_MOST])


def _too_short(word: str, candidate: str) -> bool:
    shorter = min(len(word), len(candidate))
    return shorter == 1 or (shorter == 2 and len(word) == len(candidate) and sorted(word) != sorted(candidate))


def distance(left: str, right: str, bound: int | None = None) -> int:
    """Return how many insertions, removals, replacements and swaps of neighbours turn one word into the other.

    This is the restricted Damerau-Levenshtein distance (optimal string alignment: no part is edited twice). With a
    `bound`, any number above it may be returned as `bound + 1`.
    """
    if left == right:
        return 0
    if bound is not None and abs(len(left) - len(right)) > bound:
        return bound + 1
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        following = [i]
        for j, b in enumerate(right, start=1):
            cost = min(row[j] + 1, following[j - 1] + 1, row[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            following.append(cost)
        before, row = row, following
        # A swap reaches back two rows, so only two rows above the bound in sequence end the search.
        if bound is not None and min(row) > bound and min(before) > bound:
            return bound + 1
    return row[-1]
