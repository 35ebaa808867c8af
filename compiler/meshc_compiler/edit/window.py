"""Which statements an edit of a text changed, found by reading only those near it."""

from __future__ import annotations

import bisect

from meshc_compiler.edit.outline import Fact, FileOutline, fact_of
from meshc_compiler.expand.need import needs_expansion
from meshc_lang.parser import parse
from meshc_lang.record import dataclass
from meshc_lang.source import SourceText
from meshc_lang.tree.statement import AnyStatement

__all__ = ["Edit", "edit_of"]

MOST_READ = 64 * 1024
"""How many characters around an edit are read anew; where more changed, the whole is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """An edit of one file: its new outline, the facts of what went and came, their texts, and where.

    Between `first` and `last` (offsets in the old text) statements may have moved in any way; those behind moved by
    `shift` characters.
    """

    outline: FileOutline
    gone: tuple[Fact, ...]
    come: tuple[Fact, ...]
    texts: tuple[str, ...]
    first: int
    last: int
    shift: int


def edit_of(old: FileOutline, text: str) -> Edit | None:
    """Return how a file was edited; None where it is not plain which of its statements changed.

    The statements before and behind the edit are read too: they must come out as they were. Then the reader stands
    where it stood in the old text, and what follows is what it was.
    """
    if "meshc:" in text or "spiffe:" in text:
        return None
    shorter = min(len(old.text), len(text))
    same = _common(old.text, text, shorter)
    left = shorter - same
    tail = _common_end(old.text, text, left)
    low = bisect.bisect_left(old.ends, same)
    high = bisect.bisect_right(old.starts, len(old.text) - tail)
    before, behind = max(low - 1, 0), min(high + 1, len(old.starts))
    first = old.starts[before] if low else 0
    last = old.starts[behind] if behind < len(old.starts) else len(old.text)
    shift = len(text) - len(old.text)
    if last + shift - first > MOST_READ or last - first > MOST_READ:
        return None
    was, now = _read(old.path, old.text[first:last]), _read(old.path, text[first : last + shift])
    if was is None or now is None or len(was) != behind - before:
        return None
    if low and (not now or now[0] != was[0] or now[0].span.end != was[0].span.end):
        return None
    if behind < len(old.starts) and (not now or now[-1] != was[-1] or now[-1].span.start != was[-1].span.start + shift):
        return None
    facts = [fact_of(statement) for statement in now]
    if None in facts:
        return None
    head = 0
    while head < min(len(was), len(now)) and was[head] == now[head]:
        head += 1
    foot = 0
    while foot < min(len(was), len(now)) - head and was[-1 - foot] == now[-1 - foot]:
        foot += 1
    read = [fact for fact in facts if fact is not None]
    if needs_expansion(now[head : len(now) - foot]):
        return None
    outline = FileOutline(
        path=old.path,
        text=text,
        starts=[
            *old.starts[:before],
            *(first + one.span.start for one in now),
            *(start + shift for start in old.starts[behind:]),
        ],
        ends=[*old.ends[:before], *(first + one.span.end for one in now), *(end + shift for end in old.ends[behind:])],
        facts=[*old.facts[:before], *read, *old.facts[behind:]],
    )
    return Edit(
        outline=outline,
        gone=tuple(old.facts[before + head : behind - foot]),
        come=tuple(read[head : len(read) - foot]),
        texts=tuple(one.span.text for one in (*was[head : len(was) - foot], *now[head : len(now) - foot])),
        first=first,
        last=last,
        shift=shift,
    )


def _read(path: str, text: str) -> tuple[AnyStatement, ...] | None:
    file, problems = parse(SourceText(path, text))
    return None if problems else file.statements


def _common(left: str, right: str, most: int) -> int:
    """Return how many characters two texts have in common at their beginning, at most so many."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_end(left: str, right: str, most: int) -> int:
    """Return how many characters two texts have in common at their end, at most so many."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if left[len(left) - middle : len(left) - low] == right[len(right) - middle : len(right) - low]:
            low = middle
        else:
            high = middle - 1
    return low
